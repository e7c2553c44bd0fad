import { fileURLToPath } from 'node:url'
import { inject, test } from 'vitest'
import { launch, Visitor } from './browser.js'
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
