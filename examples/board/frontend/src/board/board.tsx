import { useChannel } from '@pando-sync/react'
import { useEffect, useMemo, useState } from 'react'
import type { BoardChannel } from '../live/board.channels.js'
import type { Board as BoardState, List, Viewer } from '../live/board.interfaces.js'
import { useAttempt } from '../ui/toast.js'
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
  readonly viewers: readonly Viewer[]
  /** The connection is lost; what is shown may be old. */
  readonly stale: boolean
}

/** A board with its lists, side by side. */
export function Board({ channel, board, viewers, stale }: Props) {
  const { actions } = useChannel(channel)
  const attempt = useAttempt()
  const { shown, move, announcement, mover } = useMove(board.lists, actions, attempt)
  const [seen] = useState(() => new Seen())
  const [openId, open] = useState<string>()
  const tools = useMemo<BoardTools>(
    () => ({ actions, attempt, mover, seen, open }),
    [actions, attempt, mover, seen],
  )
  // Runs after the effects of the cards below.
  useEffect(() => {
    seen.settle()
  }, [seen])

  return (
    <BoardContext value={tools}>
      <div className="board" data-stale={stale}>
        <BoardHeader board={board} viewers={viewers} />
        <div className="columns">
          {shown.map((list) => (
            <Column key={list.id} list={list} move={concerns(move, list) ? move : undefined} />
          ))}
          {shown.length === 0 && <p className="quiet-text">A board begins with a list. Add the first one above.</p>}
        </div>
        <p id="move-help" hidden>
          Press space to lift the card, the arrow keys to move it, space to drop it, escape to put it back. Enter opens it.
        </p>
        <p className="unseen" role="status" aria-live="assertive">
          {announcement}
        </p>
        {openId !== undefined && (
          <CardDialog
            key={openId}
            board={board}
            cardId={openId}
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
