import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { BoardNode, Door, Servers } from './nodes.js'

let browser: Browser
let servers: Servers
let first: BoardNode
let second: BoardNode
let doors: Door[]
let ada: Visitor
let grace: Visitor

beforeAll(async () => {
  browser = await launch()
  servers = await Servers.start()
  ;[first, second] = await Promise.all([BoardNode.start(servers), BoardNode.start(servers)])
  doors = await Promise.all([Door.before(first, second), Door.before(second, first)])
  const [adaDoor, graceDoor] = doors
  if (adaDoor === undefined || graceDoor === undefined) throw new Error('there are two doors')
  ada = await Visitor.enter(browser, `${adaDoor.url}/boards/1`, 'ada')
  grace = await Visitor.enter(browser, `${graceDoor.url}/boards/1`, 'grace')
}, 120_000)

afterAll(async () => {
  await Promise.all([ada.leave(), grace.leave()])
  await Promise.all(doors.map((door) => door.close()))
  await Promise.all([first.kill(), second.kill()])
  await servers.stop()
  await browser.close()
  expect([...ada.complaints, ...grace.complaints], 'the console').toEqual([])
})

const guide = 'Write the upgrade guide'

/** Ticks a card in one page and waits for the tick in the other. */
async function tick(here: Visitor, there: Visitor, title: string): Promise<void> {
  const before = await there.card(title).getByRole('checkbox').isChecked()
  await here.card(title).getByRole('checkbox').click()
  await expect.poll(() => there.card(title).getByRole('checkbox').isChecked(), { timeout: 15_000 }).toBe(!before)
}

describe('two pages, each on a server of its own', () => {
  test('see what the other one changes', async () => {
    await ada.card(guide).waitFor()
    await grace.card(guide).waitFor()
    expect(doors.map(({ passed }) => passed.map((n) => n > 0))).toEqual([
      [true, false],
      [true, false],
    ])
    await tick(ada, grace, guide)
    await tick(grace, ada, guide)
  })

  test('hear of what is in no table', async () => {
    for (const visitor of [ada, grace]) await visitor.handle(guide).click()
    await grace.page.getByLabel('Your comment').fill('From the other server')
    await ada.page.getByRole('dialog').getByText('Grace Hopper is typing').waitFor()
    await grace.page.getByRole('button', { name: 'Comment', exact: true }).click()
    await ada.page.getByRole('dialog').getByRole('listitem').last().getByText('From the other server').waitFor()
    for (const visitor of [ada, grace]) await visitor.page.keyboard.press('Escape')
  })

  test('meet on one when the other is killed, with what was changed meanwhile', async () => {
    const [door] = doors
    if (door === undefined) throw new Error('there is no door')
    door.shut = true
    await first.kill()
    await ada.connection('Reconnecting')
    await ada.card(guide).waitFor() // what was there stays
    const before = await ada.card(guide).getByRole('checkbox').isChecked()
    await grace.card(guide).getByRole('checkbox').click()
    door.shut = false
    await ada.connection('Online')
    await expect.poll(() => ada.card(guide).getByRole('checkbox').isChecked()).toBe(!before)
    expect(door.passed[1]).toBeGreaterThan(0)
    await tick(ada, grace, guide)
    await tick(grace, ada, guide)
  })
})
