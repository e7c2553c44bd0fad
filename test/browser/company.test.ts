import { execFileSync } from 'node:child_process'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { BoardServer } from './server.js'

let browser: Browser
let server: BoardServer
let ada: Visitor
let grace: Visitor

beforeAll(async () => {
  browser = await launch()
  server = await BoardServer.start()
  ada = await Visitor.enter(browser, server.url, 'ada')
  grace = await Visitor.enter(browser, `${server.url}/boards/1`, 'grace')
  await ada.card('Write the upgrade guide').waitFor()
  await grace.card('Write the upgrade guide').waitFor()
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})
afterEach(async () => {
  await ada.page.keyboard.press('Escape')
  await grace.page.keyboard.press('Escape')
  expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
})

/** Says something about the card whose dialog is open. */
async function say({ page }: Visitor, text: string): Promise<void> {
  await page.getByLabel('Your comment').fill(text)
  await page.getByRole('button', { name: 'Comment', exact: true }).click()
}

describe('others', () => {
  test('are seen to type, until they stop', async () => {
    for (const visitor of [ada, grace]) await visitor.handle('Write the upgrade guide').click()
    await grace.page.getByLabel('Your comment').fill('I thi')
    await ada.page.getByText('Grace Hopper is typing …').waitFor()
    expect(await grace.page.getByText('is typing').count()).toBe(0)
    await say(grace, 'I think so.')
    await ada.page.getByRole('dialog').getByText('I think so.').waitFor()
    await ada.page.getByText('is typing').waitFor({ state: 'detached' })
  })

  test('leave comments that are counted until they are read', async () => {
    await ada.page.getByRole('button', { name: 'Mark as read' }).click()
    await ada.page.getByText('new comment').waitFor({ state: 'detached' })
    await grace.handle('Import from a spreadsheet').click()
    await say(grace, 'One.')
    await say(grace, 'Two.')
    await ada.page.getByText('2 new comments').waitFor()
    expect(await grace.page.getByText('new comment').count()).toBe(0)
    await ada.page.getByRole('button', { name: 'Mark as read' }).click()
    await ada.page.getByText('new comments').waitFor({ state: 'detached' })
  })

  test('are told when they are mentioned', async () => {
    await grace.handle('Shorter error messages').click()
    await say(grace, 'What do you say, @ada?')
    await ada.page.getByRole('alert').filter({ hasText: 'Grace Hopper mentioned you: Shorter error messages' }).waitFor()
    expect(await grace.page.getByText('mentioned you').count()).toBe(0)
  })
})

test('what is found changes with the board', async () => {
  await ada.page.getByLabel('Find cards').fill('Sch')
  const panel = ada.page.getByRole('complementary', { name: 'Found cards' })
  await panel.getByText('Ask three schools to try it').waitFor()
  server.sql(`UPDATE cards SET title = 'A schedule for autumn' WHERE title = 'A keyboard shortcut for everything'`)
  await panel.getByText('A schedule for autumn').waitFor()
  server.sql(`UPDATE cards SET title = 'Ask three teachers' WHERE title = 'Ask three schools to try it'`)
  await expect.poll(() => panel.getByRole('listitem').allTextContents()).toEqual(['A schedule for autumnIdeas'])
  await panel.getByRole('button', { name: 'A schedule for autumn' }).click()
  await ada.page.getByRole('dialog', { name: 'A schedule for autumn' }).waitFor()
  await ada.page.keyboard.press('Escape')
  await ada.page.getByLabel('Find cards').fill('school')
  await panel.getByText('No card has a word that begins with “school”.').waitFor()
  await ada.page.getByLabel('Find cards').fill('')
  await panel.waitFor({ state: 'hidden' })
})

test('a page that joins and leaves is seen', async () => {
  const mary = await Visitor.enter(browser, `${server.url}/boards/1`, 'mary')
  await ada.page.getByRole('img', { name: 'Mary Somerville, here now' }).waitFor()
  await mary.leave()
  await ada.page.getByRole('list', { name: 'Members' }).getByRole('img', { name: 'Mary Somerville', exact: true }).waitFor()
})

test('maintenance is announced, and the pages come back after it', async () => {
  const run = (...args: readonly string[]) => execFileSync(inject('binary'), [...args, '--db', server.database], { encoding: 'utf8' })
  run('broadcast_system_message', 'Cake in the kitchen')
  await ada.page.getByText('Cake in the kitchen').waitFor()
  run('maintenance', 'Back in a moment', '--retry-after', '1s')
  await ada.page.getByText('Back in a moment').waitFor()
  await grace.page.getByText('Back in a moment').waitFor()
  await ada.connection('Online')
  await ada.page.getByText('Back in a moment').waitFor({ state: 'hidden' })
})
