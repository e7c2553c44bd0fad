import { useAction, useChannelState } from '@pando-sync/react'
import { OrderChannel } from './live/guides.channels.js'

function Order({ orderId }: { orderId: string }) {
  const channel = OrderChannel.with({ orderId })
  const { state } = useChannelState(channel)
  const add = useAction(channel, (actions) => actions.addLine)
  return (
    <>
      <ul>{state?.lines.map((line) => <li key={line.id}>{line.quantity} × {line.item}</li>)}</ul>
      <button disabled={add.pending} onClick={() => void add.run('cogwheel', 3)}>Three cogwheels</button>
      {add.error && <p role="alert">{add.error.fields?.quantity ?? add.error.message}</p>}
    </>
  )
}

export { Order }
