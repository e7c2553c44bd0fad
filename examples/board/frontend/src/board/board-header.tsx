import { useState } from 'react'
import type { BoardChannelRuntime } from '../live/board.channels.js'
import type { Board } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { Composer } from '../ui/composer.js'
import { Editable } from '../ui/editable.js'
import { useBoard } from './context.js'
import { Members } from './members.js'
import { Search } from './search.js'

interface Props {
  readonly board: Board
  readonly runtime: BoardChannelRuntime
}

/** The name of a board, its people (those with a ring look at it now), and what can be done with all of it. */
export function BoardHeader({ board, runtime }: Props) {
  const { handle, attempt, role, edits } = useBoard()
  const [managing, manage] = useState(false)
  const here = new Set(runtime.viewers?.map(({ id }) => id))
  const last = board.lists.at(-1)
  const addList = (name: string) =>
    attempt(() => handle.create('lists', board, { name, position: (last?.position ?? 0) + 1 }), 'name')
  return (
    <header className="board-header">
      <div>
        <h1>
          <Editable
            value={board.name}
            label="Name of the board"
            maxLength={80}
            onChange={role === 'owner' ? (name) => attempt(() => handle.save(board, { name }), 'name') : undefined}
          />
        </h1>
        <Facts board={board} unread={runtime.unread} />
      </div>
      <Search boardId={board.id} />
      <div className="people">
        <ul aria-label="Members">
          {board.members.map(({ id, user }) => user !== null && <li key={id}><Avatar user={user} here={here.has(user.id)} /></li>)}
        </ul>
        <button type="button" className="composer-open" onClick={() => { manage(true) }}>
          {role === 'owner' ? 'Manage people' : 'People'}
        </button>
        {edits && <Composer label="Add a list" placeholder="Name of the list" submit="Add" maxLength={80} onAdd={addList} />}
      </div>
      {managing && <Members board={board} onClose={() => { manage(false) }} />}
    </header>
  )
}

/** How far the board is, and what the user has not read. */
function Facts({ board, unread }: { readonly board: Board; readonly unread: number }) {
  const { handle, attempt, edits } = useBoard()
  const cards = board.lists.flatMap((list) => list.cards)
  const done = cards.filter((card) => card.done).length
  return (
    <p className="board-facts">
      <span>
        {done} of {cards.length} cards done
      </span>
      {edits && done > 0 && (
        <button type="button" className="link" onClick={() => void attempt(() => handle.actions.archiveDone())}>
          Archive them
        </button>
      )}
      <span className="unread" role="status">
        {unread > 0 && (unread === 1 ? '1 new comment' : `${unread} new comments`)}
      </span>
      {unread > 0 && (
        <button type="button" className="link" onClick={() => void attempt(() => handle.actions.readComments())}>
          Mark as read
        </button>
      )}
    </p>
  )
}
