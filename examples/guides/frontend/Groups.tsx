import { useNotices, useRuntimeState, useSystemMessage } from '@pando-sync/react'
import { useState } from 'react'
import { ReportChannel, RoomChannel } from './live/guides.channels.js'

function Visitors({ roomId }: { roomId: string }) {
  const runtime = useRuntimeState(RoomChannel.with({ roomId }))
  return <p>{runtime?.visitors?.map((visitor) => (visitor.away ? `(${visitor.name})` : visitor.name)).join(', ')}</p>
}

function Door({ roomId }: { roomId: string }) {
  const [visitor, setVisitor] = useState<string>()
  useNotices(RoomChannel.with({ roomId }), 'knock', (by) => {
    setVisitor(String(by))
  })
  return visitor === undefined ? null : <p role="status">Visitor {visitor} knocks.</p>
}

function Banner() {
  const message = useSystemMessage()
  return message ? <p role="status">{message.text}</p> : null
}

function Progress({ reportId }: { reportId: string }) {
  const runtime = useRuntimeState(ReportChannel.with({ reportId }))
  if (!runtime) return null
  return <progress max={100} value={runtime.percent}>{runtime.note}</progress>
}

export { Banner, Door, Progress, Visitors }
