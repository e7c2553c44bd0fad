import { memo, useId, useRef, type DragEvent } from 'react'
import type { List } from '../live/board.interfaces.js'
import { Composer } from '../ui/composer.js'
import { Editable } from '../ui/editable.js'
import { CardItem } from './card-item.js'
import { isPending, useBoard } from './context.js'
import type { Move } from './mover.js'

interface Props {
  readonly list: List
  /** The card on its way, if it comes from this list or stands in it. */
  readonly move: Move | undefined
}

/** A list of cards, and a place to drop one. */
export const Column = memo(function Column({ list, move }: Props) {
  const { handle, attempt, mover, edits } = useBoard()
  const title = useId()
  const items = useRef<HTMLUListElement>(null)
  const dragged = move?.by === 'pointer' && move.phase === 'lifted' ? move : undefined
  const gap = dragged?.place.listId === list.id ? gapAt(list, dragged) : -1

  const over = (event: DragEvent) => {
    const moving = mover.current
    if (moving?.by !== 'pointer' || items.current === null) return
    event.preventDefault() // which allows to drop here
    event.dataTransfer.dropEffect = 'move'
    mover.to({ listId: list.id, index: indexAt(items.current, moving.card.id, event.clientY) })
  }
  const drop = (event: DragEvent) => {
    event.preventDefault()
    mover.drop()
  }

  const add = (title: string) => {
    const last = list.cards.at(-1)
    return attempt(() => handle.create('cards', list, { title, position: (last?.position ?? 0) + 1 }), 'title')
  }

  return (
    <section className="column" data-pending={isPending(list)} aria-labelledby={title} onDragOver={over} onDrop={drop}>
      <header className="column-header">
        <h2 id={title}>
          <Editable
            value={list.name}
            label="Name of the list"
            maxLength={80}
            onChange={edits ? (name) => attempt(() => handle.save(list, { name }), 'name') : undefined}
          />
        </h2>
        <span className="count" aria-label={`${list.cards.length} cards`}>
          {list.cards.length}
        </span>
        {edits && list.cards.length === 0 && (
          <button type="button" className="button danger small" aria-label={`Delete list ${list.name}`} onClick={() => void attempt(() => handle.delete(list))}>
            Delete
          </button>
        )}
      </header>
      <ul className="cards" ref={items}>
        {list.cards.map((card, i) => (
          <CardItem key={handle.keyOf(card)} card={card} move={move?.card.id === card.id ? move : undefined} gap={sideOf(gap, i, list.cards.length)} />
        ))}
        {list.cards.length === 0 && <li className={gap === 0 ? 'empty target' : 'empty'}>Nothing here yet</li>}
      </ul>
      {edits && <Composer label="Add a card" placeholder="What is to be done?" submit="Add" maxLength={200} onAdd={add} />}
    </section>
  )
})

/** Before which of the list's cards the gap is shown: the dragged one still stands among them. */
function gapAt(list: List, { card, place }: Move): number {
  const own = list.cards.findIndex(({ id }) => id === card.id)
  return own >= 0 && place.index >= own ? place.index + 1 : place.index
}

/** On which side of a card the gap is: behind it only when it is the last. */
function sideOf(gap: number, card: number, cards: number): 'before' | 'after' | undefined {
  if (gap === card) return 'before'
  return gap === cards && card === cards - 1 ? 'after' : undefined
}

/** The place among the other cards that is nearest to a height on the screen. */
function indexAt(items: HTMLElement, cardId: string, y: number): number {
  const boxes = [...items.querySelectorAll<HTMLElement>('[data-card]')]
    .filter((item) => item.dataset.card !== cardId)
    .map((item) => item.getBoundingClientRect())
  const below = boxes.findIndex((box) => y < box.top + box.height / 2)
  return below < 0 ? boxes.length : below
}
