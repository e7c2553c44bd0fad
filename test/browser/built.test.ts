import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { BoardServer } from './server.js'

let browser: Browser
let server: BoardServer

beforeAll(async () => {
  browser = await launch()
  server = await BoardServer.start(inject('builtPage'))
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})

test('the page as it is shipped shows a change by another process', async () => {
  const visitor = await Visitor.enter(browser, server.url, 'ada')
  await visitor.card('Write the upgrade guide').waitFor()
  server.sql(`UPDATE cards SET done = TRUE WHERE title = 'Write the upgrade guide'`)
  await expect.poll(() => visitor.card('Write the upgrade guide').getByRole('checkbox').isChecked()).toBe(true)
  expect(visitor.complaints).toEqual([])
  await visitor.leave()
})
