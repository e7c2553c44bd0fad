import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { BoardServer } from './server.js'

let browser: Browser
let server: BoardServer
let ada: Visitor
let grace: Visitor

beforeAll(async () => {
  browser = await launch()
})
afterAll(() => browser.close())

beforeEach(async () => {
  server = await BoardServer.start()
  ada = await Visitor.enter(browser, server.url, 'ada')
  grace = await Visitor.enter(browser, `${server.url}/boards/1`, 'grace')
  await ada.card('Write the upgrade guide').waitFor()
  await grace.card('Write the upgrade guide').waitFor()
})
afterEach(async () => {
  await ada.leave()
  await grace.leave()
  await server.stop()
  expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
})

describe('two people on one board', () => {
  test('a card moved by the keyboard moves in the other page', async () => {
    await ada.handle('Write the upgrade guide').focus()
    await ada.page.keyboard.press('Space')
    await ada.page.keyboard.press('ArrowRight')
    await ada.page.keyboard.press('ArrowDown')
    await ada.page.keyboard.press('Space')
    await grace.list('In progress').getByText('Write the upgrade guide').waitFor()

    const want = ['Dragging cards with the keyboard', 'Write the upgrade guide', 'Dark theme for late evenings', 'Import from a spreadsheet']
    await expect.poll(() => grace.titles('In progress')).toEqual(want)
    await expect.poll(() => ada.titles('In progress')).toEqual(want)
    expect(server.sql(`SELECT list_id FROM cards WHERE title = 'Write the upgrade guide'`)).toBe('3')
    await ada.page.getByText('Write the upgrade guide: dropped. In progress, place 2 of 4.').waitFor()
    expect(await ada.page.evaluate(() => document.activeElement?.textContent)).toBe('Write the upgrade guide')
  })

  test('escape puts a lifted card back and keeps the focus', async () => {
    const before = await ada.titles('Next')
    await ada.handle('Write the upgrade guide').focus()
    await ada.page.keyboard.press('Space')
    await ada.page.keyboard.press('ArrowRight')
    await ada.list('In progress').getByText('Write the upgrade guide').waitFor()
    await ada.page.keyboard.press('Escape')
    await expect.poll(() => ada.titles('Next')).toEqual(before)
    await expect.poll(() => ada.page.evaluate(() => document.activeElement?.textContent)).toBe('Write the upgrade guide')
    expect(ada.sent.filter(({ payload }) => payload.type === 'save')).toEqual([])
  })

  test('a card that is dragged moves in the other page', async () => {
    const target = ada.card('Dark theme for late evenings')
    await drag(ada, 'Choose photographs for the front page', target)
    const want = ['Dragging cards with the keyboard', 'Choose photographs for the front page', 'Dark theme for late evenings', 'Import from a spreadsheet']
    await expect.poll(() => grace.titles('In progress')).toEqual(want)
    await expect.poll(() => ada.titles('In progress')).toEqual(want)
  })

  test('fifty cards changed by another process arrive as one patch', async () => {
    server.sql(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
      INSERT INTO cards (list_id, title, position) SELECT 1, 'Bulk ' || i, 100 + i FROM n`)
    for (const visitor of [ada, grace]) {
      await expect.poll(async () => (await visitor.titles('Ideas')).filter((title) => title.startsWith('Bulk')).length).toBe(50)
      visitor.forget()
    }
    server.sql(`UPDATE cards SET title = title || ' again' WHERE title LIKE 'Bulk %'`)
    for (const visitor of [ada, grace]) {
      await expect.poll(async () => (await visitor.titles('Ideas')).filter((title) => title.endsWith('again')).length).toBe(50)
      expect(visitor.patches().map(({ upd, set }) => [upd?.length, set?.length])).toEqual([[50, undefined]])
    }
  })

  test('a comment appears in a dialog that is open', async () => {
    for (const visitor of [ada, grace]) await visitor.handle('Write the upgrade guide').click()
    await ada.page.getByLabel('Your comment').fill('Nothing changes for old boards.')
    await ada.page.getByRole('button', { name: 'Comment', exact: true }).click()
    const comment = grace.page.getByRole('dialog').getByRole('listitem').last()
    await comment.getByText('Nothing changes for old boards.').waitFor()
    expect(await comment.locator('strong').textContent()).toBe('Ada Lovelace')
  })

  test('an invitation opens the board that was refused, and puts it into the list', async () => {
    await grace.page.goto(`${server.url}/boards/2`)
    await grace.page.getByRole('heading', { name: 'not shared with you' }).waitFor()
    await ada.page.getByRole('link', { name: 'Ada’s notebook' }).click()
    await ada.page.getByRole('button', { name: 'Manage people' }).click()
    await ada.page.getByRole('button', { name: 'Invite' }).click()
    await ada.page.getByLabel('Invite').fill('nobody')
    await ada.page.keyboard.press('Enter')
    await ada.page.getByRole('alert').filter({ hasText: 'Nobody here is called "nobody".' }).waitFor()
    await ada.page.getByLabel('Invite').fill('grace')
    await ada.page.keyboard.press('Enter')
    await grace.card('Answer Mr. Babbage').waitFor()
    await grace.page.getByRole('link', { name: 'Ada’s notebook' }).waitFor()
  })

  test('each channel is opened once, with StrictMode mounting everything twice', () => {
    const opened = ada.sent.filter(({ payload }) => payload.type === 'open').map(({ payload }) => payload.route)
    expect(opened.toSorted()).toEqual(['boards/1', 'users/1'])
    expect(ada.sent.filter(({ payload }) => payload.type === 'close')).toEqual([])
  })
})

describe('a server that is killed', () => {
  test('comes back, and the pages by themselves with it', async () => {
    await server.kill()
    await ada.connection('Reconnecting')
    await grace.connection('Reconnecting')
    await ada.card('Write the upgrade guide').waitFor() // what was there stays

    await ada.card('Write the upgrade guide').getByRole('checkbox').click()
    await ada.page.getByText('You are offline, so nothing was changed.').waitFor()

    server.sql(`UPDATE cards SET title = 'Changed in between' WHERE title = 'Write the upgrade guide'`)
    await server.run()
    for (const visitor of [ada, grace]) {
      await visitor.connection('Online')
      await visitor.card('Changed in between').waitFor()
    }
    await grace.card('Changed in between').getByRole('checkbox').click()
    await expect.poll(() => ada.card('Changed in between').getByRole('checkbox').isChecked()).toBe(true)
  })
})

/** Drags a card to the upper half of another element, as a hand does. */
async function drag(visitor: Visitor, title: string, target: ReturnType<Visitor['card']>): Promise<void> {
  const from = await visitor.card(title).boundingBox()
  const to = await target.boundingBox()
  if (from === null || to === null) throw new Error('the cards are not on the screen')
  const { mouse } = visitor.page
  await mouse.move(from.x + from.width / 2, from.y + from.height / 2)
  await mouse.down()
  await mouse.move(to.x + to.width / 2, to.y + to.height + 40, { steps: 5 })
  await mouse.move(to.x + to.width / 2, to.y + to.height / 4, { steps: 5 })
  await target.and(visitor.page.locator('[data-gap="before"]')).waitFor()
  await mouse.up()
}
