import { useChannel, useNotices } from '@pando-sync/react'
import { useEffect, useMemo, useState } from 'react'
import type { BoardChannel, BoardChannelRuntime } from '../live/board.channels.js'
import type { Board as BoardState, List } from '../live/board.interfaces.js'
import { useToasts } from '../ui/toast.js'
import { BoardHeader } from './board-header.js'
import { CardDialog } from './card-dialog.js'
import { Column } from './column.js'
import { BoardContext, type BoardTools } from './context.js'
import { Seen } from './flash.js'
import type { Move } from './mover.js'
import { useMove } from './use-move.js'

interface Props {
  readonly channel: BoardChannel
  readonly board: BoardState
  readonly runtime: BoardChannelRuntime
  readonly userId: string
  /** The connection is lost; what is shown may be old. */
  readonly stale: boolean
}

/** A board with its lists, side by side. */
export function Board({ channel, board, runtime, userId, stale }: Props) {
  const handle = useChannel(channel)
  const { attempt, say } = useToasts()
  const { shown, move, announcement, mover } = useMove(board.lists, handle, attempt)
  const [seen] = useState(() => new Seen())
  const [openKey, open] = useState<string>()
  const member = board.members.find(({ user }) => user?.id === userId)
  const me = member?.user ?? undefined
  const role = member?.role ?? 'viewer'
  const tools = useMemo<BoardTools>(
    () => ({ channel, handle, attempt, mover, seen, me, role, edits: role !== 'viewer', open }),
    // The channel of a handle stays the same.
    [handle, attempt, mover, seen, me, role],
  )
  useNotices(channel, 'mention', (text) => {
    say(String(text))
  })
  // Runs after the effects of the cards below.
  useEffect(() => {
    seen.settle()
  }, [seen])

  return (
    <BoardContext value={tools}>
      <div className="board" data-stale={stale}>
        <BoardHeader board={board} runtime={runtime} />
        <div className="columns">
          {shown.map((list) => (
            <Column key={handle.keyOf(list)} list={list} move={concerns(move, list) ? move : undefined} />
          ))}
          {shown.length === 0 && <p className="quiet-text">A board begins with a list. Add the first one above.</p>}
        </div>
        <p id="move-help" hidden>
          Press space to lift the card, the arrow keys to move it, space to drop it, escape to put it back. Enter opens it.
        </p>
        <p className="unseen" role="status" aria-live="assertive">
          {announcement}
        </p>
        {openKey !== undefined && (
          <CardDialog
            key={openKey}
            board={board}
            cardKey={openKey}
            onClose={() => {
              open(undefined)
            }}
          />
        )}
      </div>
    </BoardContext>
  )
}

/** Whether a list shows anything of a move; the others need not render. */
function concerns(move: Move | undefined, list: List): boolean {
  return move !== undefined && (move.place.listId === list.id || list.cards.some(({ id }) => id === move.card.id))
}
