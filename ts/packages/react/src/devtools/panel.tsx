import type { FrameView, Inspection } from '@pando-sync/client/devtools'
import { useState, type ReactNode } from 'react'
import { clock, pretty, rows } from './text.js'

const tabs = ['Streams', 'Frames', 'Requests'] as const

/** The panel above the button. */
export function Panel({ seen }: { readonly seen: Inspection }) {
  const [tab, choose] = useState<(typeof tabs)[number]>('Streams')
  const { connection, user, system, streams, frames, writes } = seen
  const counts = { Streams: streams.length, Frames: frames.length, Requests: writes.length }
  return (
    <div className="pando-panel">
      <header>
        <span>
          <i className={`pando-dot pando-${connection}`} /> {connection}
          {user !== undefined && ` as ${user === '' ? 'nobody' : `user ${user}`}`}
        </span>
        <nav role="tablist" aria-label="What to show">
          {tabs.map((name) => (
            <button
              key={name}
              role="tab"
              aria-selected={name === tab}
              onClick={() => {
                choose(name)
              }}
            >
              {name} <small>{counts[name]}</small>
            </button>
          ))}
        </nav>
      </header>
      {system && (
        <p className={`pando-system pando-${system.kind}`} role="status">
          {system.kind === 'maintenance' ? 'Maintenance: ' : 'Message: '}
          {system.text}
        </p>
      )}
      <div className="pando-body" role="tabpanel" aria-label={tab} tabIndex={0}>
        {tab === 'Streams' && <Streams streams={streams} />}
        {tab === 'Frames' && <Frames frames={frames} />}
        {tab === 'Requests' && <Writes writes={writes} />}
      </div>
    </div>
  )
}

function Streams({ streams }: Pick<Inspection, 'streams'>) {
  if (streams.length === 0) return <Empty>No stream is open: nothing on the page uses a channel.</Empty>
  return (
    <Table heads={['Route', 'Channel', 'Status', 'Version', 'Rows', 'Used by', 'Under way']}>
      {streams.map(({ name, route, channel, status, stale, error, version, instances, users, pending }) => (
        <tr key={name}>
          <td title={name}>{route}</td>
          <td>{channel}</td>
          <td title={error?.message}>
            <b className={`pando-badge pando-${status}`}>{error?.code ?? status}</b>
            {stale && <b className="pando-badge pando-stale">stale</b>}
          </td>
          <td className="pando-number">{version > 0 ? version : ''}</td>
          <td title={rows(instances)}>{rows(instances)}</td>
          <td className="pando-number">{users}</td>
          <td className="pando-number">{pending}</td>
        </tr>
      ))}
    </Table>
  )
}

function Frames({ frames }: Pick<Inspection, 'frames'>) {
  const [shown, show] = useState<FrameView>()
  if (frames.length === 0) return <Empty>No frame has come or gone since the panel was mounted.</Empty>
  return (
    <Table heads={['', 'Time', 'Stream', 'Type', 'Length', 'Text']}>
      {frames.toReversed().map((frame, place) => (
        <tr key={place} className={frame === shown ? 'pando-shown' : ''}>
          <td aria-label={frame.direction === 'in' ? 'received' : 'sent'}>{frame.direction === 'in' ? '↓' : '↑'}</td>
          <td className="pando-number">{clock(frame.at)}</td>
          <td>{frame.stream}</td>
          <td>{frame.type}</td>
          <td className="pando-number">{frame.length}</td>
          <td className="pando-text">
            <button
              aria-expanded={frame === shown}
              onClick={() => {
                show(frame === shown ? undefined : frame)
              }}
            >
              {frame === shown ? pretty(frame) : frame.text.slice(0, 300)}
            </button>
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Writes({ writes }: Pick<Inspection, 'writes'>) {
  if (writes.length === 0) return <Empty>No write or action is under way.</Empty>
  return (
    <Table heads={['State', 'What', 'Of', 'Row', 'Data', 'Stream']}>
      {writes.map(({ key, state, kind, type, id, data, stream }) => (
        <tr key={key}>
          <td>
            <b className={`pando-badge pando-${state}`}>{state}</b>
          </td>
          <td>{kind}</td>
          <td>{type}</td>
          <td>{id}</td>
          <td className="pando-text">{data === undefined ? '' : JSON.stringify(data)}</td>
          <td>{stream}</td>
        </tr>
      ))}
    </Table>
  )
}

function Table({ heads, children }: { readonly heads: readonly string[]; readonly children: ReactNode }) {
  return (
    <table>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  )
}

function Empty({ children }: { readonly children: ReactNode }) {
  return <p className="pando-empty">{children}</p>
}
