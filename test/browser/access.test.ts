import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { violations } from './axe.js'
import { launch, Visitor } from './browser.js'
import { BoardServer } from './server.js'

let browser: Browser
let server: BoardServer

beforeAll(async () => {
  browser = await launch()
  server = await BoardServer.start()
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})

describe('who may come in', () => {
  test('a wrong password is refused in words, and the right one is taken after it', async () => {
    const visitor = await Visitor.arrive(browser, server.url)
    await visitor.login('ada', 'byron')
    await visitor.page.getByRole('alert').filter({ hasText: 'do not belong together' }).waitFor()
    await visitor.login('ada', 'lovelace')
    await visitor.card('Write the upgrade guide').waitFor()
    expect(visitor.complaints).toEqual([])
    await visitor.leave()
  })

  test('one button is enough to be a demo user, and a reload keeps the login', async () => {
    const visitor = await Visitor.arrive(browser, server.url)
    await visitor.page.getByRole('button', { name: 'Enter as Grace Hopper' }).click()
    await visitor.card('Write the upgrade guide').waitFor()
    await visitor.page.reload()
    await visitor.card('Write the upgrade guide').waitFor()
    await visitor.page.getByRole('button', { name: 'Log out' }).click()
    await visitor.page.getByRole('button', { name: 'Enter as Grace Hopper' }).waitFor()
    await visitor.leave()
  })

  test('a board of somebody else is denied', async () => {
    const visitor = await Visitor.enter(browser, `${server.url}/boards/2`, 'grace')
    await visitor.page.getByRole('heading', { name: 'not shared with you' }).waitFor()
    await visitor.page.getByRole('link', { name: 'Go to your boards' }).click()
    await visitor.card('Write the upgrade guide').waitFor()
    expect(visitor.complaints).toEqual([])
    await visitor.leave()
  })

  test('a token that the server no longer accepts leads back to the login', async () => {
    const visitor = await Visitor.enter(browser, server.url, 'grace')
    await visitor.card('Write the upgrade guide').waitFor()
    server.sql('DELETE FROM auth_tokens')
    await visitor.page.reload()
    await visitor.page.getByRole('button', { name: 'Log in again' }).click()
    await visitor.page.getByLabel('Username').waitFor()
    await visitor.leave()
  })
})

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  test('every page passes the checks of axe', async () => {
    const visitor = await Visitor.arrive(browser, server.url, { colorScheme, reducedMotion: 'reduce' })
    expect(await violations(visitor.page), 'login').toEqual([])
    await visitor.login('ada', 'lovelace')
    await visitor.card('Write the upgrade guide').waitFor()
    await visitor.connection('Online')
    expect(await violations(visitor.page), 'board').toEqual([])
    await visitor.handle('Write the upgrade guide').click()
    await visitor.page.getByRole('dialog').waitFor()
    expect(await violations(visitor.page), 'dialog').toEqual([])
    await visitor.page.keyboard.press('Escape')
    await visitor.page.getByLabel('Find cards').fill('a')
    await visitor.page.getByRole('complementary').getByRole('listitem').first().waitFor()
    expect(await violations(visitor.page), 'search').toEqual([])
    await visitor.page.getByRole('button', { name: 'Manage people' }).click()
    await visitor.page.getByRole('button', { name: 'Invite' }).click()
    expect(await violations(visitor.page), 'people').toEqual([])
    await visitor.leave()
  })
})

test('the theme can be chosen against the system', async () => {
  const visitor = await Visitor.arrive(browser, server.url, { colorScheme: 'light' })
  await visitor.login('ada', 'lovelace')
  const background = () => visitor.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  await visitor.page.getByRole('button', { name: 'Use the dark theme' }).waitFor()
  const light = await background()
  await visitor.page.getByRole('button', { name: 'Use the dark theme' }).click()
  await expect.poll(background).not.toBe(light)
  await visitor.page.reload()
  await visitor.page.getByRole('button', { name: 'Use the light theme' }).waitFor()
  expect(await background()).not.toBe(light)
  await visitor.leave()
})

test('a narrow page scrolls its lists and nothing else', async () => {
  const visitor = await Visitor.enter(browser, server.url, 'ada', { viewport: { width: 360, height: 740 } })
  await visitor.card('Write the upgrade guide').waitFor()
  const wider = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  expect(wider).toBeLessThanOrEqual(0)
  await visitor.leave()
})
