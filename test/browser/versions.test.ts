import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { launch, Visitor } from './browser.js'
import { Deployment, Releases } from './versions.js'

// Pages and servers of different releases over one database: release b has a
// field more than a, Book.year, and c has lost one of both, Book.author.

let browser: Browser
let releases: Releases
let deployment: Deployment
let visitor: Visitor
/** How often the tab loaded a page. */
let loads: number

beforeAll(async () => {
  ;[browser, releases] = await Promise.all([launch(), Releases.build()])
}, 120_000)
afterAll(async () => {
  await browser.close()
  releases.remove()
})
beforeEach(() => {
  deployment = new Deployment(releases)
})
afterEach(async () => {
  await visitor.leave()
  await deployment.remove()
})

/** Opens the page that is served, and writes into it what a reload would lose. */
async function visit(): Promise<void> {
  visitor = await Visitor.arrive(browser, deployment.url)
  loads = 1
  visitor.page.on('load', () => loads++)
  await visitor.page.getByLabel('Draft').fill('unsaved')
}

/** Waits until the tab says how its connection and its stream are. */
const status = (text: string) => visitor.page.getByRole('status').getByText(text, { exact: true }).waitFor()
const named = (name: string) => visitor.page.getByRole('heading', { name, exact: true }).waitFor()
const rename = () => visitor.page.getByRole('button', { name: 'Rename' }).click()
const books = () => visitor.page.getByRole('listitem').allTextContents()
const draft = () => visitor.page.getByLabel('Draft').inputValue()
const alerts = () => visitor.page.getByRole('alert').locator('span').allTextContents()
const sent = (type: string) => visitor.sent.filter(({ payload }) => payload.type === type)
/** What the tab asked for since it was opened. A page that does not give up asks more than once on one connection. */
const asked = () => ({
  loads,
  connections: visitor.received.filter(({ payload }) => payload.type === 'hello').length,
  opens: sent('open').length,
  closes: sent('close').length,
})

test('a page goes on with a server that has a field more', async () => {
  await deployment.start('a')
  await visit()
  await status('online, live')
  expect(await books()).toEqual(['id,1 title,Emma author,Austen', 'id,2 title,Ulysses author,Joyce'])

  await deployment.stop()
  await status('reconnecting, stale')
  expect(await books()).toHaveLength(2)
  await deployment.start('b')
  await status('online, live')

  deployment.sql(`UPDATE books SET year = 1922 WHERE id = 2`) // of which the page knows nothing
  deployment.sql(`UPDATE books SET title = 'Persuasion', year = 1817 WHERE id = 1;
    INSERT INTO books (id, shelf_id, title, author, year) VALUES (3, 1, 'Orlando', 'Woolf', 1928)`)
  await expect.poll(books).toEqual(['id,1 title,Persuasion author,Austen', 'id,2 title,Ulysses author,Joyce', 'id,3 title,Orlando author,Woolf'])
  await rename()
  await named('Classics')

  expect(await draft()).toBe('unsaved')
  expect(asked()).toEqual({ loads: 1, connections: 2, opens: 2, closes: 0 })
  expect(sent('open')[1]?.payload).toHaveProperty('resume')
  expect(await alerts()).toEqual([])
  expect(visitor.complaints).toEqual([])
})

test('a page says once that the server lacks a field of it, and works again after a reload', async () => {
  await deployment.start('a')
  await visit()
  await status('online, live')
  await deployment.replace('c')
  await visitor.page.getByRole('alert').waitFor()
  const lacking = 'schema: the server lacks Book.author: reload the page'
  expect(await alerts()).toEqual([lacking])
  await status('online, stale')
  expect(await books()).toEqual(['id,1 title,Emma author,Austen', 'id,2 title,Ulysses author,Joyce'])
  await rename()
  await visitor.page.getByText('rename: the server lacks Book.author: reload the page', { exact: true }).waitFor()
  expect(deployment.sql('SELECT name FROM shelves')).toBe('Novels')
  expect(await alerts()).toEqual([lacking])
  expect(await draft()).toBe('unsaved')
  expect(asked()).toEqual({ loads: 1, connections: 2, opens: 2, closes: 1 })

  deployment.sql(`UPDATE books SET title = 'Persuasion', year = 1817 WHERE id = 1`)
  await visitor.page.getByRole('button', { name: 'Reload' }).click()
  await status('online, live')
  expect(await books()).toEqual(['id,1 title,Persuasion year,1817', 'id,2 title,Ulysses year,1900'])
  deployment.sql(`UPDATE books SET year = 1922 WHERE id = 2`)
  await expect.poll(books).toEqual(['id,1 title,Persuasion year,1817', 'id,2 title,Ulysses year,1922'])
  await rename()
  await named('Classics')
  expect(await alerts()).toEqual([])
  expect(loads).toBe(2)
  expect(visitor.complaints).toEqual([])
})

test('a page goes on by itself when the release that lacks a field is taken back', async () => {
  await deployment.start('a')
  await visit()
  await status('online, live')
  await deployment.replace('c')
  await visitor.page.getByRole('alert').waitFor()
  deployment.sql(`UPDATE books SET title = 'Persuasion' WHERE id = 1`)
  await deployment.replace('a')
  await status('online, live')
  await expect.poll(books).toEqual(['id,1 title,Persuasion author,Austen', 'id,2 title,Ulysses author,Joyce'])
  expect(await alerts()).toEqual([])
  await rename()
  await named('Classics')
  expect(await draft()).toBe('unsaved')
  expect(asked()).toEqual({ loads: 1, connections: 3, opens: 3, closes: 1 })
  expect(visitor.complaints).toEqual([])
})

test('a page that is newer than its server says so, and goes on by itself with the next one', async () => {
  await deployment.start('b')
  await deployment.replace('a', 'b') // one that has not been replaced yet
  await visit()
  await visitor.page.getByRole('alert').waitFor()
  expect(await alerts()).toEqual(['schema: the server lacks Book.year: reload the page'])
  await status('online, error')
  expect(await books()).toEqual([])

  // The same release again: it is asked once, as its predecessor was.
  await deployment.replace('a', 'b')
  await expect.poll(asked).toEqual({ loads: 1, connections: 2, opens: 2, closes: 2 })
  await status('online, error')
  await deployment.replace('b')
  await status('online, live')
  expect(await alerts()).toEqual([])
  expect(await books()).toEqual(['id,1 title,Emma author,Austen year,1900', 'id,2 title,Ulysses author,Joyce year,1900'])
  deployment.sql(`UPDATE books SET year = 1922 WHERE id = 2`)
  await expect.poll(async () => (await books())[1]).toBe('id,2 title,Ulysses author,Joyce year,1922')
  await rename()
  await named('Classics')
  expect(await draft()).toBe('unsaved')
  expect(asked()).toEqual({ loads: 1, connections: 3, opens: 3, closes: 2 })
  expect(visitor.complaints).toEqual([])
})
