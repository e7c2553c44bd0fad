import { useAction, useChannelInstance, useChannelState, useConnection, useIds } from '@pando-sync/react'
import { Profiler, memo, useEffect, useState } from 'react'
import { BoardChannel, UserChannel } from '../../../examples/board/frontend/src/live/board.channels.js'
import type { Board } from '../../../examples/board/frontend/src/live/board.interfaces.js'
import { commits, listed } from './counts.js'

const board = BoardChannel.with({ boardId: 1 })

type CardId = Board['lists'][number]['cards'][number]['id']
type ListId = Board['lists'][number]['id']

/** Renders every row by itself, and counts what React commits of each. */
export function Page() {
  const [shown, show] = useState(true)
  const [draft, type] = useState('')
  const lists = useIds(board, (state) => state.lists)
  return (
    <main>
      <p role="status">{useConnection()}</p>
      <Name />
      <input aria-label="Draft" value={draft} onChange={(event) => { type(event.target.value) }} />
      <button onClick={() => { show(!shown) }}>{shown ? 'Hide' : 'Show'}</button>
      {shown && lists?.map((id) => <List key={id} id={id} />)}
    </main>
  )
}

/** The whole state, for a part that is picked of it. */
function Name() {
  const { state: name, status } = useChannelState(board, { select: (state) => state?.name })
  const add = useAction(UserChannel.with({ userId: 1 }), (actions) => actions.addBoard)
  return (
    <Counted id="name">
      <h1>{name ?? status}</h1>
      <button disabled={add.pending} onClick={() => void add.run('')}>Add</button>
      {add.error && <p role="alert">{add.error.message}</p>}
    </Counted>
  )
}

const List = memo(function List({ id }: { readonly id: ListId }) {
  const cards = useIds(board, (state) => state.lists.find((list) => list.id === id)?.cards ?? [])
  useEffect(() => {
    listed(id)
  }, [id, cards])
  return (
    <Counted id={`list ${id}`}>
      <ol aria-label={id}>{cards?.map((card) => <Card key={card} id={card} />)}</ol>
    </Counted>
  )
})

const Card = memo(function Card({ id }: { readonly id: CardId }) {
  const card = useChannelInstance(board, 'Card', id)
  return <Counted id={`card ${id}`}><li data-card={id}>{card?.title}</li></Counted>
})

function Counted({ id, children }: { readonly id: string; readonly children: React.ReactNode }) {
  return <Profiler id={id} onRender={commits}>{children}</Profiler>
}
