import { createTestClient } from '@pando-sync/client/testing'
import { PandoProvider } from '@pando-sync/react'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, test } from 'vitest'
import { OrderChannel } from './live/guides.channels.js'
import { OrderStatus } from './Release.js'

afterEach(cleanup)

test('asks to be loaded again when the server has gone on', async () => {
  const client = createTestClient()
  const channel = OrderChannel.with({ orderId: 1 })
  client.push(channel, { id: '1', status: 'paid', lines: [] })
  render(<PandoProvider client={client}><OrderStatus orderId="1" /></PandoProvider>)
  await screen.findByText('Paid')
  client.deny(channel, 'schema')
  await screen.findByText(/There is a new version/)
})
