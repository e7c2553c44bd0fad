import { memo, useEffect, useRef, type DragEvent, type KeyboardEvent } from 'react'
import type { Card } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { useOwnAttempt } from '../ui/toast.js'
import type { Direction } from './arrange.js'
import { isPending, useBoard } from './context.js'
import { useFlash } from './flash.js'
import type { Move } from './mover.js'

interface Props {
  readonly card: Card
  /** Set while this card is on its way. */
  readonly move: Move | undefined
  /** Where a dragged card would come to stand, seen from this one. */
  readonly gap: 'before' | 'after' | undefined
}

const directions: Readonly<Record<string, Direction>> = { ArrowUp: 'up', ArrowDown: 'down', ArrowLeft: 'left', ArrowRight: 'right' }

/** A card in its list: moved by dragging it, or by the keyboard. */
export const CardItem = memo(function CardItem({ card, move, gap }: Props) {
  const { handle: board, mover, seen, edits, open } = useBoard()
  const [attempt, saving] = useOwnAttempt()
  const key = board.keyOf(card)
  const item = useRef<HTMLLIElement>(null)
  const handle = useRef<HTMLDivElement>(null)
  useFlash(item, key, card, seen)

  // A card that is moved becomes another element, or is taken out and put in
  // again: either way it has lost the focus.
  const lifted = move?.by === 'keyboard'
  useEffect(() => {
    if (lifted) handle.current?.focus()
  })

  const press = (event: KeyboardEvent) => {
    const direction = directions[event.key]
    if (mover.current?.card.id !== card.id) {
      if (event.key === 'Enter') open(key)
      else if (event.key === ' ' && edits) mover.lift(card, 'keyboard')
      else return
    } else if (direction !== undefined) mover.step(direction)
    else if (event.key === 'Enter' || event.key === ' ') mover.drop()
    else if (event.key === 'Escape') mover.cancel()
    else if (event.key !== 'Tab') return // the focus stays with a lifted card
    event.preventDefault()
  }
  const drag = (event: DragEvent) => {
    event.dataTransfer.effectAllowed = 'move'
    event.dataTransfer.setData('text/plain', card.title)
    // The browser draws what follows the pointer first, and as it is now.
    requestAnimationFrame(() => {
      mover.lift(card, 'pointer')
    })
  }

  return (
    <li
      ref={item}
      className="card"
      data-card={card.id}
      data-done={card.done}
      data-moving={move === undefined ? undefined : move.phase === 'lifted' ? move.by : move.phase}
      data-gap={gap}
      data-pending={saving || isPending(card) || move?.phase === 'saving'}
      draggable={edits}
      onDragStart={drag}
      onDragEnd={() => {
        mover.cancel()
      }}
    >
      <input
        type="checkbox"
        className="done"
        aria-label={`Done: ${card.title}`}
        checked={card.done}
        disabled={!edits}
        onChange={(event) => void attempt(() => board.save(card, { done: event.target.checked }))}
      />
      <div
        ref={handle}
        className="card-handle"
        role="button"
        tabIndex={0}
        aria-roledescription={edits ? 'movable card' : undefined}
        aria-describedby={edits ? 'move-help' : undefined}
        aria-pressed={edits ? lifted : undefined}
        onKeyDown={press}
        onClick={() => {
          open(key)
        }}
      >
        <span className="card-title">{card.title}</span>
      </div>
      {(card.comments.length > 0 || card.assignee !== null) && <CardFacts card={card} />}
    </li>
  )
})

function CardFacts({ card }: { readonly card: Card }) {
  const n = card.comments.length
  return (
    <div className="card-facts">
      {n > 0 && (
        <span className="comment-count" aria-label={n === 1 ? '1 comment' : `${n} comments`}>
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <path d="M2.500 3h11v8h-6l-3 2.500V11h-2z" fill="none" stroke="currentColor" strokeWidth="1.500" strokeLinejoin="round" />
          </svg>
          {n}
        </span>
      )}
      {card.assignee !== null && <Avatar user={card.assignee} />}
    </div>
  )
}
