import type { Client } from '@pando-sync/client'
import type { QueryClient } from '@tanstack/react-query'
import { OrderChannel } from './live/guides.channels.js'

/** Keeps the query ['order', orderId] live, for components that use it already; returns what ends it. */
export function feedOrder(queries: QueryClient, client: Client, orderId: string): () => void {
  const order = client.get(OrderChannel.with({ orderId }))
  const update = () => {
    const { status, state } = order.get()
    if (status === 'live') queries.setQueryData(['order', orderId], state)
  }
  update()
  return order.subscribe(update)
}
