import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { RenderingServer } from './rendering.js'

let browser: Browser
let server: RenderingServer

beforeAll(async () => {
  browser = await launch()
  server = await RenderingServer.start()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await server.stop()
})
beforeEach(() => {
  server.sql(`UPDATE projects SET name = 'Analytical engine' WHERE id = 7`)
})

const heading = (visitor: Visitor, name: string) => visitor.page.getByRole('heading', { name, exact: true })

/** What the page asked to open, and the snapshots that it was sent. */
function opened(visitor: Visitor) {
  const opens = visitor.sent.filter(({ payload }) => payload.type === 'open').map(({ payload }) => payload as { readonly route: string; readonly resume?: unknown })
  const snapshots = visitor.received.filter(({ payload }) => 'snapshot' in payload)
  return { opens, snapshots }
}

test('the server sends the state as HTML', async () => {
  const answer = await fetch(`${server.url}/projects/7`, { headers: { cookie: await server.login() } })
  expect(answer.status).toBe(200)
  const html = await answer.text()
  expect(html).toContain('<h1>Analytical engine</h1>')
  expect(html).toContain('<li>Punch the cards</li><li>Oil the mill</li>')
})

test('nobody is shown what is not his', async () => {
  server.sql(`INSERT OR IGNORE INTO users (id, username, name) VALUES (99, 'grace', 'Grace');
    INSERT OR IGNORE INTO projects VALUES (8, 'Secret', 99)`)
  const stranger = await fetch(`${server.url}/projects/7`)
  expect(stranger.status).toBe(401)
  expect(await stranger.text()).not.toContain('Analytical')
  const answer = await fetch(`${server.url}/projects/8`, { headers: { cookie: await server.login() } })
  expect(answer.status).toBe(403)
  const html = await answer.text()
  expect(html).toContain('role="alert"')
  expect(html).not.toContain('Secret')
})

test('the browser goes on from the page, and fetches nothing again', async () => {
  const visitor = await Visitor.enter(browser, server.url, 'ada')
  await visitor.page.getByRole('status').filter({ hasText: 'online' }).waitFor()
  server.sql(`UPDATE projects SET name = 'Changed by SQL' WHERE id = 7`)
  await heading(visitor, 'Changed by SQL').waitFor()
  await visitor.page.getByRole('button', { name: 'Rename' }).click()
  await heading(visitor, 'Difference engine').waitFor()
  const { opens, snapshots } = opened(visitor)
  expect(opens).toHaveLength(1)
  expect(opens[0]?.resume).toBeDefined()
  expect(snapshots).toEqual([])
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})

test('what changed while the page was on its way is shown after it, without a complaint', async () => {
  const visitor = await Visitor.enter(browser, server.url, 'ada')
  await heading(visitor, 'Analytical engine').waitFor()
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await visitor.page.route('**/assets/*.js', async (route) => {
    await held
    await route.continue()
  })
  visitor.forget()
  visitor.sent.length = 0
  await visitor.page.reload({ waitUntil: 'commit' })
  await heading(visitor, 'Analytical engine').waitFor()
  server.sql(`UPDATE projects SET name = 'Changed meanwhile' WHERE id = 7; DELETE FROM tasks WHERE title = 'Oil the mill'`)
  release()
  await heading(visitor, 'Changed meanwhile').waitFor()
  await visitor.page.getByText('Oil the mill').waitFor({ state: 'detached' })
  const { opens, snapshots } = opened(visitor)
  expect(opens[0]?.resume).toBeDefined()
  expect(snapshots).toEqual([])
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})

test('state that looks like markup is text', async () => {
  const name = '</script><script>document.title = "broken"</script><!--'
  server.sql(`UPDATE projects SET name = '${name}' WHERE id = 7`)
  const visitor = await Visitor.enter(browser, server.url, 'ada')
  await visitor.page.getByRole('status').filter({ hasText: 'online' }).waitFor()
  expect(await visitor.page.getByRole('heading').textContent()).toBe(name)
  expect(await visitor.page.title()).toBe('Project')
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})
