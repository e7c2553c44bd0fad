import type { Client } from '@pando-sync/client'
import { PandoProvider, useChannel, useChannelState, useNotices } from '@pando-sync/react'
import { keepPreviousData, QueryClientProvider, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { OrderChannel } from './live/guides.channels.js'

export function Providers({ client, queries, children }: { client: Client; queries: QueryClient; children: ReactNode }) {
  return (
    <QueryClientProvider client={queries}>
      <PandoProvider client={client}>{children}</PandoProvider>
    </QueryClientProvider>
  )
}

/** What a carrier asks for the order: another service, that knows nothing of our database. */
export function Shipping({ orderId }: { orderId: string }) {
  const lines = useChannelState(OrderChannel.with({ orderId }), { select: (order) => order?.lines })
  const shipping = useQuery({
    queryKey: ['shipping', orderId, lines.state],
    queryFn: () => get(`/carrier/quote?order=${orderId}`),
    enabled: lines.status === 'live',
    placeholderData: keepPreviousData,
  })
  return <p>Shipping: {shipping.data ?? '…'}</p>
}

/** The carrier's news come to our server, which tells the page. */
export function Delivery({ orderId }: { orderId: string }) {
  const queries = useQueryClient()
  const delivery = useQuery({ queryKey: ['delivery', orderId], queryFn: () => get(`/carrier/track?order=${orderId}`) })
  useNotices(OrderChannel.with({ orderId }), 'parcel', () => {
    void queries.invalidateQueries({ queryKey: ['delivery', orderId] })
  })
  return <p>Parcel: {delivery.data ?? '…'}</p>
}

export function AddLine({ orderId }: { orderId: string }) {
  const { actions } = useChannel(OrderChannel.with({ orderId }))
  const add = useMutation({ mutationFn: (item: string) => actions.addLine(item, 1) })
  return <button disabled={add.isPending} onClick={() => { add.mutate('cogwheel') }}>Add</button>
}

async function get(path: string): Promise<string> {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return response.text()
}
