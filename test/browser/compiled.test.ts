import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import type { Counts } from './compiled/counts.js'
import { BoardServer } from './server.js'

// A page compiled by React Compiler, in StrictMode, with React's own checks.
const source = fileURLToPath(new URL('compiled', import.meta.url))
const built = mkdtempSync(join(tmpdir(), 'compiled-page-'))

let browser: Browser
let server: BoardServer
let visitor: Visitor

beforeAll(async () => {
  execFileSync(fileURLToPath(new URL('../../node_modules/.bin/vite', import.meta.url)), ['build', '--mode', 'development', '--outDir', built, '--emptyOutDir', '--logLevel', 'error'], {
    cwd: source,
    env: { ...process.env, NODE_ENV: 'development' },
    stdio: 'inherit',
  })
  browser = await launch()
  server = await BoardServer.start(built)
  visitor = await Visitor.arrive(browser, server.url)
  await visitor.page.locator('[data-card]').first().waitFor()
})
afterAll(async () => {
  await browser.close()
  await server.stop()
  rmSync(built, { recursive: true })
})

/** The titles as they are shown, and as the database has them. */
const shown = () => visitor.page.locator('[data-card]').allTextContents()
const held = () =>
  server
    .sql('SELECT c.title FROM cards c JOIN lists l ON l.id = c.list_id WHERE l.board_id = 1 ORDER BY l.position, l.id, c.position, c.id')
    .split('\n')

/** What happened since the last call of `forget`. */
const counted = () => visitor.page.evaluate(() => (globalThis as unknown as { counts: Counts }).counts)
const forget = () =>
  visitor.page.evaluate(() => {
    Object.assign((globalThis as unknown as { counts: Counts }).counts, { commits: {}, ids: {} } satisfies Counts)
  })

test('the page is compiled', () => {
  const assets = join(built, 'assets')
  const [script = ''] = readdirSync(assets).filter((name) => name.endsWith('.js'))
  const uses = readFileSync(join(assets, script), 'utf8').split('react.memo_cache_sentinel').length
  expect(uses).toBeGreaterThan(5)
})

test('one stream is opened, though everything is mounted twice', () => {
  expect(visitor.sent.filter(({ payload }) => payload.type === 'open').map(({ payload }) => payload.route)).toEqual(['boards/1'])
  expect(visitor.sent.filter(({ payload }) => payload.type === 'close')).toEqual([])
})

test('a row that changes is rendered alone, and lists of ids stay the same', async () => {
  await forget()
  const [id = ''] = server.sql('SELECT c.id FROM cards c JOIN lists l ON l.id = c.list_id WHERE l.board_id = 1 LIMIT 1').split('\n')
  server.sql(`UPDATE cards SET title = 'Alone' WHERE id = ${id}`)
  await visitor.page.locator(`[data-card="${id}"]`, { hasText: 'Alone' }).waitFor()
  const { commits, ids } = await counted()
  // A profiler counts what is below it, too: the card, and the list around it.
  const list = server.sql(`SELECT list_id FROM cards WHERE id = ${id}`)
  expect(commits).toEqual({ [`card ${id}`]: 1, [`list ${list}`]: 1 })
  expect(ids).toEqual({})
})

test('what the page does by itself renders no row again', async () => {
  await forget()
  await visitor.page.getByLabel('Draft').fill('a draft')
  expect(await counted()).toEqual({ commits: {}, ids: {} })
})

test('a new row changes the ids of its list, and renders no other row again', async () => {
  const list = server.sql('SELECT min(id) FROM lists WHERE board_id = 1')
  await forget()
  server.sql(`INSERT INTO cards (id, list_id, title, position) VALUES (999, ${list}, 'New', 999)`)
  await visitor.page.locator('[data-card="999"]').waitFor()
  await expect.poll(async () => (await counted()).ids).toEqual({ [list]: 1 })
  await forget()
  server.sql('DELETE FROM cards WHERE id = 999')
  await visitor.page.locator('[data-card="999"]').waitFor({ state: 'detached' })
  await expect.poll(async () => (await counted()).ids).toEqual({ [list]: 1 })
  expect((await counted()).commits).toEqual({ [`list ${list}`]: 1 })
})

test('no update is lost while components come and go', async () => {
  const updates = Array.from({ length: 60 }, (_, i) => `UPDATE cards SET title = 'Round ${i} of ' || id;`)
  const toggles = (async () => {
    for (let i = 0; i < 30; i++) await visitor.page.getByRole('button', { name: /^(Hide|Show)$/ }).click()
  })()
  for (const update of updates) server.sql(update)
  await toggles
  await expect.poll(shown).toEqual(held())
  expect((await shown())[0]).toMatch(/^Round 59 of/)
})

test('an action shows what it was refused with, and the board was opened once in all', async () => {
  await visitor.page.getByRole('button', { name: 'Add' }).click()
  await visitor.page.getByRole('alert').waitFor()
  expect(await visitor.page.getByRole('button', { name: 'Add' }).isEnabled()).toBe(true)
  expect(visitor.complaints).toEqual([])
  const opened = visitor.sent.filter(({ payload }) => payload.type === 'open' && payload.route === 'boards/1')
  expect(opened).toHaveLength(1)
})
