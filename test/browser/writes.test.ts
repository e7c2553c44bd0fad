import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { Hold } from './hold.js'
import { BoardServer } from './server.js'

let browser: Browser
let server: BoardServer
let ada: Visitor
let grace: Visitor
let hold: Hold

beforeAll(async () => {
  browser = await launch()
  server = await BoardServer.start()
  ada = await Visitor.enter(browser, server.url, 'ada')
  grace = await Visitor.enter(browser, `${server.url}/boards/1`, 'grace', {}, async (context) => {
    hold = await Hold.on(context)
  })
  await ada.card('Write the upgrade guide').waitFor()
  await grace.card('Write the upgrade guide').waitFor()
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})
afterEach(async () => {
  hold.release()
  await grace.page.keyboard.press('Escape')
  expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
})

const role = (name: string) => server.sql(`UPDATE board_members SET role = '${name}' WHERE board_id = 1 AND user_id = 2`)

/** Adds a card in a page. */
async function add({ page }: Visitor, list: string, title: string): Promise<void> {
  const region = page.getByRole('region', { name: list })
  const open = region.getByRole('button', { name: 'Add a card' })
  if (await open.isVisible()) await open.click()
  await region.getByLabel('Add a card').fill(title)
  await page.keyboard.press('Enter')
}

describe('writes', () => {
  test('a card is there before the server knows of it, and looks so', async () => {
    hold.take()
    await add(grace, 'Ideas', 'A card ahead of its time')
    const card = grace.card('A card ahead of its time')
    await card.and(grace.page.locator('[data-pending="true"]')).waitFor()
    expect(server.sql(`SELECT count(*) FROM cards WHERE title LIKE 'A card ahead%'`)).toBe('0')
    expect(await grace.titles('Ideas')).toContain('A card ahead of its time')
    hold.release()
    await card.and(grace.page.locator('[data-pending="false"]')).waitFor()
    await ada.card('A card ahead of its time').waitFor()
    expect((await grace.titles('Ideas')).filter((title) => title.startsWith('A card ahead'))).toHaveLength(1)
  })

  test('a refused card is taken back, in words', async () => {
    hold.take()
    await add(grace, 'Next', 'A card too late')
    await grace.card('A card too late').waitFor()
    role('viewer')
    hold.release()
    await grace.page.getByRole('alert').filter({ hasText: 'Viewers of this board only look. Your change was taken back.' }).waitFor()
    await grace.card('A card too late').waitFor({ state: 'detached' })
    role('editor')
    await grace.list('Next').getByRole('button', { name: 'Add a card' }).waitFor()
  })

  test('a refused move goes back where it was', async () => {
    const before = await grace.titles('Review')
    hold.take()
    await grace.handle('Shorter error messages').focus()
    for (const key of ['Space', 'ArrowLeft', 'Space']) await grace.page.keyboard.press(key)
    await grace.list('In progress').locator('[data-pending="true"]').filter({ hasText: 'Shorter error messages' }).waitFor()
    role('viewer')
    hold.release()
    await grace.page.getByRole('alert').filter({ hasText: 'taken back' }).waitFor()
    await expect.poll(() => grace.titles('Review')).toEqual(before)
    role('editor')
    await grace.list('Review').getByRole('button', { name: 'Add a card' }).waitFor()
  })

  test('a card and a comment on it are written one after the other', async () => {
    hold.take()
    await add(grace, 'Ideas', 'A card with a remark')
    await grace.handle('A card with a remark').click()
    await grace.page.getByLabel('Your comment').fill('And the remark.')
    await grace.page.getByRole('button', { name: 'Comment', exact: true }).click()
    const comment = grace.page.getByRole('dialog').getByRole('listitem').filter({ hasText: 'And the remark.' })
    await comment.and(grace.page.locator('[data-pending="true"]')).waitFor()
    hold.release()
    await comment.and(grace.page.locator('[data-pending="false"]')).filter({ hasText: 'Grace Hopper' }).waitFor()
    await expect
      .poll(() => server.sql(`SELECT body FROM comments JOIN cards ON cards.id = card_id WHERE title = 'A card with a remark'`))
      .toBe('And the remark.')
  })

  test('what is wrong is said at the field, where the text comes back', async () => {
    await add(grace, 'Ideas', '   ')
    const field = grace.list('Ideas').getByLabel('Add a card')
    await grace.list('Ideas').getByRole('alert').filter({ hasText: 'The title is empty.' }).waitFor()
    expect(await field.inputValue()).toBe('   ')
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await field.fill('')
    await grace.page.keyboard.press('Escape')
  })

  test('a title that somebody else has changed meanwhile is not overwritten', async () => {
    await grace.handle('Dark theme for late evenings').click()
    hold.take()
    await grace.page.getByRole('dialog').getByRole('button', { name: 'Dark theme for late evenings' }).click()
    await grace.page.getByLabel('Title of the card').fill('Black theme')
    await grace.page.keyboard.press('Enter')
    await grace.page.getByRole('dialog', { name: 'Black theme' }).waitFor()
    server.sql(`UPDATE cards SET title = 'Blue theme' WHERE title = 'Dark theme for late evenings'`)
    await ada.card('Blue theme').waitFor()
    hold.release()
    await grace.page.getByRole('dialog', { name: 'Blue theme' }).waitFor()
    expect(server.sql(`SELECT count(*) FROM cards WHERE title = 'Black theme'`)).toBe('0')
  })
})

describe('roles', () => {
  test('change what the page offers at once', async () => {
    const boxes = grace.card('Write the upgrade guide').getByRole('checkbox')
    expect(await boxes.isDisabled()).toBe(false)
    await ada.page.getByRole('button', { name: 'Manage people' }).click()
    await ada.page.getByLabel('Role of Grace Hopper').selectOption('viewer')
    await expect.poll(() => boxes.isDisabled()).toBe(true)
    expect(await grace.page.getByRole('button', { name: 'Add a card' }).count()).toBe(0)
    await ada.page.getByLabel('Role of Grace Hopper').selectOption('editor')
    await expect.poll(() => boxes.isDisabled()).toBe(false)
    await ada.page.keyboard.press('Escape')
  })

  test('who is removed sees no board any more, and does again when invited', async () => {
    server.sql(`DELETE FROM board_members WHERE board_id = 1 AND user_id = 2`)
    await grace.page.getByRole('heading', { name: 'not shared with you' }).waitFor()
    expect(await grace.page.getByText('Write the upgrade guide').count()).toBe(0)
    server.sql(`INSERT INTO board_members (board_id, user_id, role) VALUES (1, 2, 'editor')`)
    await grace.card('Write the upgrade guide').waitFor()
  })
})
