import { createTestClient } from '@pando-sync/client/testing'
import { QueryClient } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import type { ReactNode } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { feedOrder } from './feed.js'
import { OrderChannel } from './live/guides.channels.js'
import { AddLine, Delivery, Providers, Shipping } from './Query.js'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const channel = OrderChannel.with({ orderId: 1 })

function open(children: ReactNode) {
  const client = createTestClient()
  client.push(channel, { id: '1', status: 'open', lines: [] })
  const queries = new QueryClient()
  const fetched: string[] = []
  vi.stubGlobal('fetch', (path: string) => {
    fetched.push(path)
    return Promise.resolve(new Response(`answer ${fetched.length}`))
  })
  render(<Providers client={client} queries={queries}>{children}</Providers>)
  return { client, queries, fetched }
}

test('asks the carrier again when the order has other lines', async () => {
  const { client, fetched } = open(<Shipping orderId="1" />)
  await screen.findByText('Shipping: answer 1')
  client.push(channel, { id: '1', status: 'paid', lines: [] })
  client.push(channel, { id: '1', status: 'paid', lines: [{ id: '1', item: 'cogwheel', quantity: 1 }] })
  await screen.findByText('Shipping: answer 2')
  expect(fetched).toHaveLength(2)
})

test('asks the carrier again when told to', async () => {
  const { client } = open(<Delivery orderId="1" />)
  await screen.findByText('Parcel: answer 1')
  client.notice(channel, 'parcel', null)
  await screen.findByText('Parcel: answer 2')
})

test('adds a line by a mutation', async () => {
  const { client } = open(<><Shipping orderId="1" /><AddLine orderId="1" /></>)
  await screen.findByText(/answer/)
  client.respond(channel, 'addLine', () => 7)
  fireEvent.click(screen.getByText('Add'))
  await expect.poll(() => client.requests).toMatchObject([{ kind: 'action', name: 'addLine', args: ['cogwheel', 1] }])
})

test('feeds a query', async () => {
  const { client, queries } = open(null)
  const stop = feedOrder(queries, client, '1')
  await expect.poll(() => queries.getQueryData(['order', '1'])).toMatchObject({ status: 'open' })
  client.push(channel, { id: '1', status: 'paid', lines: [] })
  await expect.poll(() => queries.getQueryData(['order', '1'])).toMatchObject({ status: 'paid' })
  stop()
})
