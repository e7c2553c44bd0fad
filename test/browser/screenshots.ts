import { fileURLToPath } from 'node:url'
import { inject, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { Hold } from './hold.js'
import { BoardServer } from './server.js'

const docs = fileURLToPath(new URL('../../docs', import.meta.url))

test('pictures of the board for the documentation', async () => {
  const browser = await launch()
  const server = await BoardServer.start(inject('builtPage'))
  const grace = await Visitor.enter(browser, `${server.url}/boards/1`, 'grace')
  for (const colorScheme of ['light', 'dark'] as const) {
    const ada = await Visitor.enter(browser, server.url, 'ada', { colorScheme })
    await ada.page.getByRole('img', { name: 'Grace Hopper, here now' }).waitFor()
    await ada.connection('Online')
    await ada.page.mouse.move(640, 790)
    await ada.page.evaluate(() => document.fonts.ready)
    await ada.page.screenshot({ path: `${docs}/board-${colorScheme}.png` })
    await ada.leave()
  }
  await grace.leave()
  await browser.close()
  await server.stop()
})

test('pictures of a write that waits, and of one that was taken back', async () => {
  const browser = await launch()
  const server = await BoardServer.start(inject('builtPage'))
  const ada = await Visitor.enter(browser, `${server.url}/boards/1`, 'ada')
  let hold: Hold | undefined
  const grace = await Visitor.enter(browser, `${server.url}/boards/1`, 'grace', { reducedMotion: 'reduce' }, async (context) => {
    hold = await Hold.on(context)
  })
  await grace.handle('Dark theme for late evenings').click()
  await ada.handle('Dark theme for late evenings').click()
  await ada.page.getByLabel('Your comment').fill('Even the')
  await grace.page.getByText('Ada Lovelace is typing …').waitFor()
  hold?.take()
  await grace.page.getByLabel('Your comment').fill('Nights are long now, @ada.')
  await grace.page.getByRole('button', { name: 'Comment', exact: true }).click()
  await grace.page.getByText('sending …').waitFor()
  await grace.page.screenshot({ path: `${docs}/board-pending.png` })
  server.sql(`UPDATE board_members SET role = 'viewer' WHERE user_id = 2`)
  hold?.release()
  await grace.page.getByRole('alert').filter({ hasText: 'taken back' }).waitFor()
  await grace.page.screenshot({ path: `${docs}/board-taken-back.png` })
  await browser.close()
  await server.stop()
})
