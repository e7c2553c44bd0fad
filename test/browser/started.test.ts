import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { violations } from './axe.js'
import { launch, Visitor } from './browser.js'
import { StartedProject } from './started.js'

let browser: Browser
let project: StartedProject

beforeAll(async () => {
  browser = await launch()
  project = await StartedProject.start()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await project.stop()
})
beforeEach(() => {
  project.sql('DELETE FROM messages')
})

async function enter(username: 'ada' | 'grace', path = '/', options: Parameters<typeof Visitor.enter>[3] = {}): Promise<Visitor> {
  const visitor = await Visitor.enter(browser, project.url + path, username, options)
  await live(visitor)
  return visitor
}

async function live({ page }: Visitor): Promise<void> {
  await page.getByRole('status').filter({ hasText: /^Live$/ }).waitFor()
}

const message = ({ page }: Visitor, text: string): Locator =>
  page.getByRole('listitem').filter({ has: page.getByText(text, { exact: true }) })

async function write({ page }: Visitor, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

test('two windows show each other’s messages, whoever changes them', async () => {
  const ada = await enter('ada')
  const grace = await enter('grace')
  await write(ada, 'hello')
  for (const visitor of [ada, grace]) await message(visitor, 'hello').waitFor()
  expect(await message(grace, 'hello').getByRole('button').count()).toBe(0)
  await message(ada, 'hello').getByRole('button', { name: 'Edit' }).click()
  const edited = ada.page.getByRole('listitem').getByLabel('Message')
  await edited.fill('hello, Grace')
  await write(grace, 'meanwhile') // does not end the edit
  await message(ada, 'meanwhile').waitFor()
  expect(await edited.inputValue()).toBe('hello, Grace')
  await edited.press('Enter')
  await message(grace, 'hello, Grace').waitFor()
  project.sql('UPDATE messages SET text = upper(text)')
  for (const visitor of [ada, grace]) await message(visitor, 'HELLO, GRACE').waitFor()
  await message(ada, 'HELLO, GRACE').getByRole('button', { name: 'Delete' }).click()
  await message(grace, 'HELLO, GRACE').waitFor({ state: 'detached' })
  expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
  await ada.leave()
  await grace.leave()
})

test('who leaves an edit for another field is where they went', async () => {
  const ada = await enter('ada')
  await write(ada, 'hello')
  await message(ada, 'hello').getByRole('button', { name: 'Edit' }).click()
  await ada.page.getByRole('listitem').getByLabel('Message').fill('not to be saved')
  await ada.page.getByLabel('Message', { exact: true }).last().click()
  await message(ada, 'hello').waitFor()
  await ada.page.keyboard.type('the next one')
  expect(await ada.page.locator('#text').inputValue()).toBe('the next one')
  await message(ada, 'hello').getByRole('button', { name: 'Edit' }).click()
  await ada.page.keyboard.press('Escape')
  expect(await ada.page.evaluate(() => document.activeElement?.textContent)).toBe('Edit')
  await ada.leave()
})

test('a room is its own', async () => {
  const lobby = await enter('ada')
  const kitchen = await enter('grace', '/rooms/kitchen')
  await write(kitchen, 'in the kitchen')
  await message(kitchen, 'in the kitchen').waitFor()
  await write(lobby, 'in the lobby')
  await message(lobby, 'in the lobby').waitFor()
  expect(await message(lobby, 'in the kitchen').count()).toBe(0)
  expect(await message(kitchen, 'in the lobby').count()).toBe(0)
  await lobby.leave()
  await kitchen.leave()
})

test('what is refused is told, at the login and after it', async () => {
  const visitor = await Visitor.enter(browser, project.url, 'ada')
  await live(visitor)
  await write(visitor, '   ')
  await visitor.page.getByRole('alert').filter({ hasText: 'say something' }).waitFor()
  project.sql('DELETE FROM auth_tokens') // the server closes what stands on them
  await visitor.page.getByRole('button', { name: 'Log in' }).waitFor()
  await visitor.login('ada', 'byron')
  await visitor.page.getByRole('alert').filter({ hasText: 'wrong password' }).waitFor()
  await visitor.login('ada', 'lovelace')
  await live(visitor)
  await visitor.page.getByRole('button', { name: 'Log out' }).click()
  await visitor.page.getByRole('button', { name: 'Log in' }).waitFor()
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})

test('a page comes back by itself, and has what was written meanwhile', async () => {
  const visitor = await enter('ada')
  await write(visitor, 'before')
  await message(visitor, 'before').waitFor()
  await project.kill()
  await visitor.page.getByRole('status').filter({ hasText: 'No connection' }).waitFor()
  await message(visitor, 'before').waitFor() // which is shown meanwhile
  project.sql(`DELETE FROM messages; INSERT INTO messages (room, author, text) VALUES ('lobby', 'grace', 'meanwhile')`)
  await project.run()
  await message(visitor, 'meanwhile').waitFor()
  await message(visitor, 'before').waitFor({ state: 'detached' })
  await visitor.leave()
})

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  test('the page passes the checks of axe', async () => {
    project.sql(`INSERT INTO messages (room, author, text) VALUES ('lobby', 'ada', 'hello'), ('lobby', 'grace', 'hello, Ada')`)
    const visitor = await Visitor.arrive(browser, project.url, { colorScheme })
    await visitor.page.getByRole('button', { name: 'Log in' }).waitFor()
    expect(await violations(visitor.page), 'the login').toEqual([])
    await visitor.login('ada', 'lovelace')
    await message(visitor, 'hello').getByRole('button', { name: 'Edit' }).click()
    expect(await violations(visitor.page), 'the room').toEqual([])
    await visitor.leave()
  })
})

test('a narrow page scrolls nothing sideways', async () => {
  const visitor = await enter('ada', '/', { viewport: { width: 340, height: 640 } })
  await write(visitor, 'x'.repeat(200))
  await visitor.page.getByRole('button', { name: 'Edit' }).click()
  const width = await visitor.page.evaluate(() => document.documentElement.scrollWidth)
  expect(width).toBeLessThanOrEqual(340)
  await visitor.leave()
})
