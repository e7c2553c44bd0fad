import { useChannelState } from '@pando-sync/react'
import { OrderChannel } from './live/guides.channels.js'
import type { Status } from './live/guides.interfaces.js'

export function OrderStatus({ orderId }: { orderId: string }) {
  const order = useChannelState(OrderChannel.with({ orderId }))
  if (order.error?.code === 'schema') {
    return <button onClick={() => { location.reload() }}>There is a new version: reload</button>
  }
  return <p>{order.state && titles[order.state.status]}</p>
}

const titles: Record<Status, string> = { open: 'Not paid yet', paid: 'Paid' }
