import { fileURLToPath } from 'node:url'
import { inject, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { Hold } from './hold.js'
import { MuxServer } from './mux.js'
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

test('pictures of the messages', async () => {
  const browser = await launch()
  const server = await MuxServer.start()
  server.sql(`INSERT INTO messages (message, author, created_at) VALUES
    ('The mill has gone round all night.', 'grace', '2026-10-05T09:02:00.000Z'),
    ('And not one wrong card?', 'ada', '2026-10-05T09:04:00.000Z'),
    ('One. Found a moth between two of them; taped it into the log book.', 'grace', '2026-10-05T09:05:00.000Z'),
    ('Then let us give it the numbers of Bernoulli next.', 'ada', '2026-10-05T09:11:00.000Z')`)
  for (const colorScheme of ['light', 'dark'] as const) {
    const options = { colorScheme, viewport: { width: 900, height: 640 }, reducedMotion: 'reduce' as const }
    const ada = await Visitor.arrive(browser, server.url, options)
    await ada.page.getByText('Bernoulli').waitFor()
    await ada.page.getByRole('button', { name: 'Enter as Ada' }).click()
    await ada.page.getByRole('button', { name: 'Edit' }).last().waitFor()
    await ada.page.getByRole('status').filter({ hasText: /^Live$/ }).waitFor()
    await ada.page.mouse.move(450, 600)
    await ada.page.screenshot({ path: `${docs}/mux-${colorScheme}.png` })
    await ada.leave()
  }
  await browser.close()
  await server.stop()
}, 120_000)
