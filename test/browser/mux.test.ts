import type { Browser, Locator } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { violations } from './axe.js'
import { launch, Visitor } from './browser.js'
import { MuxServer } from './mux.js'

let browser: Browser
let server: MuxServer

beforeAll(async () => {
  browser = await launch()
  server = await MuxServer.start()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await server.stop()
})
beforeEach(() => {
  server.sql('DELETE FROM messages')
})

type Options = NonNullable<Parameters<typeof Visitor.arrive>[2]>

/** Opens a window, which is somebody's if a name is given. */
async function enter(name?: 'Ada' | 'Grace', options?: Options): Promise<Visitor> {
  const visitor = await Visitor.arrive(browser, server.url, options)
  if (name !== undefined) await visitor.page.getByRole('button', { name: `Enter as ${name}` }).click()
  await live(visitor)
  return visitor
}

async function live({ page }: Visitor): Promise<void> {
  await page.getByRole('status').filter({ hasText: /^Live$/ }).waitFor()
}

/** The field that is open for a change. */
const change = ({ page }: Visitor): Locator => page.getByRole('textbox', { name: 'Change the message' })

const message = ({ page }: Visitor, text: string): Locator =>
  page.getByRole('listitem').filter({ has: page.getByText(text, { exact: true }) })

async function write({ page }: Visitor, text: string): Promise<void> {
  await page.getByLabel('Your message').fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

describe('two windows', () => {
  let ada: Visitor
  let grace: Visitor

  beforeAll(async () => {
    ada = await enter('Ada')
    grace = await enter('Grace')
  })
  afterEach(() => {
    expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
  })
  afterAll(async () => {
    await ada.leave()
    await grace.leave()
  })

  test('show each other’s messages, whoever changes them', async () => {
    await write(ada, 'hello world')
    for (const visitor of [ada, grace]) await message(visitor, 'hello world').waitFor()
    const id = server.sql('SELECT id FROM messages')
    await server.rest('ada', 'lovelace', 'PUT', `/api/messages/${id}`, { message: 'edited by REST' })
    for (const visitor of [ada, grace]) await message(visitor, 'edited by REST').waitFor()
    server.sql('DELETE FROM messages')
    for (const visitor of [ada, grace]) await message(visitor, 'edited by REST').waitFor({ state: 'detached' })
    server.sql(`INSERT INTO messages (message, author) VALUES ('written by SQL', 'grace')`)
    for (const visitor of [ada, grace]) await message(visitor, 'written by SQL').waitFor()
  })

  test('edit and delete what is their own', async () => {
    await write(grace, 'mine')
    expect(await message(ada, 'mine').getByRole('button').count()).toBe(0)
    await message(grace, 'mine').getByRole('button', { name: 'Edit' }).click()
    await change(grace).fill('still mine')
    await change(grace).press('Enter')
    await message(ada, 'still mine').waitFor()
    await message(grace, 'still mine').getByRole('button', { name: 'Delete' }).click()
    await message(ada, 'still mine').waitFor({ state: 'detached' })
  })

  test('say what was refused, and keep what was written', async () => {
    await write(ada, '   ')
    await ada.page.getByRole('alert').filter({ hasText: 'the message is empty' }).waitFor()
    await write(ada, 'better')
    await message(grace, 'better').waitFor()
    expect(await ada.page.getByRole('alert').textContent()).toBe('')
  })

  test('an edit that is open stays open while others write', async () => {
    await write(ada, 'a draft')
    await message(ada, 'a draft').getByRole('button', { name: 'Edit' }).click()
    await change(ada).fill('a longer dr')
    await write(grace, 'meanwhile')
    await message(ada, 'meanwhile').waitFor()
    expect(await change(ada).inputValue()).toBe('a longer dr')
    await ada.page.getByRole('button', { name: 'Cancel' }).click()
    await message(ada, 'a draft').waitFor()
  })
})

test('who has not logged in looks on, and writes after a login', async () => {
  const visitor = await enter()
  server.sql(`INSERT INTO messages (message, author) VALUES ('for everybody', 'ada')`)
  await message(visitor, 'for everybody').waitFor()
  await visitor.login('ada', 'byron')
  await visitor.page.getByRole('alert').filter({ hasText: 'wrong password' }).waitFor()
  await visitor.login('ada', 'lovelace')
  await write(visitor, 'here I am')
  await message(visitor, 'here I am').getByRole('button', { name: 'Delete' }).waitFor()
  await visitor.page.getByRole('button', { name: 'Log out ada' }).click()
  await visitor.page.getByRole('button', { name: 'Enter as Ada' }).waitFor()
  await message(visitor, 'here I am').getByRole('button', { name: 'Delete' }).waitFor({ state: 'detached' })
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})

test('a page comes back by itself, and has what was written meanwhile', async () => {
  const visitor = await enter('Ada')
  await write(visitor, 'before')
  await message(visitor, 'before').waitFor()
  await server.kill()
  await visitor.page.getByRole('status').filter({ hasText: 'Reconnecting' }).waitFor()
  await message(visitor, 'before').waitFor() // which is shown meanwhile
  server.sql(`DELETE FROM messages; INSERT INTO messages (message, author) VALUES ('meanwhile', 'grace')`)
  await server.run()
  await message(visitor, 'meanwhile').waitFor()
  await message(visitor, 'before').waitFor({ state: 'detached' })
  await visitor.leave()
})

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  test('the page passes the checks of axe', async () => {
    server.sql(`INSERT INTO messages (message, author) VALUES ('hello', 'ada'), ('hello, Ada', 'grace')`)
    const visitor = await enter(undefined, { colorScheme, reducedMotion: 'reduce' })
    await message(visitor, 'hello, Ada').waitFor()
    expect(await violations(visitor.page), 'nobody').toEqual([])
    await visitor.page.getByRole('button', { name: 'Enter as Ada' }).click()
    await message(visitor, 'hello').getByRole('button', { name: 'Edit' }).click()
    await live(visitor)
    expect(await violations(visitor.page), 'Ada').toEqual([])
    await visitor.leave()
  })
})

test('the last message stays in view, through a login and when there are more', async () => {
  const values = Array.from({ length: 20 }, (_, i) => `('number ${i}', 'ada')`)
  server.sql(`INSERT INTO messages (message, author) VALUES ${values.join(', ')}`)
  const visitor = await enter('Ada', { viewport: { width: 375, height: 640 } })
  await message(visitor, 'number 19').getByRole('button', { name: 'Edit' }).waitFor()
  const rest = () => visitor.page.locator('main').evaluate((main) => Math.round(main.scrollHeight - main.scrollTop - main.clientHeight))
  await expect.poll(rest).toBe(0)
  await visitor.page.locator('main').evaluate((main) => { main.scrollTop = 0 })
  server.sql(`INSERT INTO messages (message, author) VALUES ('from elsewhere', 'grace')`)
  await message(visitor, 'from elsewhere').waitFor()
  expect(await rest(), 'while somebody reads above').toBeGreaterThan(100)
  await write(visitor, 'my own')
  await message(visitor, 'my own').waitFor()
  await expect.poll(rest).toBe(0)
  await visitor.leave()
})

test('a narrow page scrolls nothing sideways', async () => {
  const visitor = await enter('Ada', { viewport: { width: 340, height: 640 } })
  await write(visitor, 'a word of a length that there is not: '.concat('x'.repeat(200)))
  await visitor.page.getByRole('button', { name: 'Edit' }).click()
  const wider = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  expect(wider).toBeLessThanOrEqual(0)
  await visitor.leave()
})
