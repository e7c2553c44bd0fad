import { useEffect, useRef } from 'react'
import type { Board, Card, List } from '../live/board.interfaces.js'
import { Editable } from '../ui/editable.js'
import { Comments } from './comments.js'
import { useBoard } from './context.js'

interface Props {
  readonly board: Board
  readonly cardId: string
  readonly onClose: () => void
}

/** All of one card. It shows what happens to the card meanwhile, and closes when it is deleted. */
export function CardDialog({ board, cardId, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const list = board.lists.find(({ cards }) => cards.some(({ id }) => id === cardId))
  const card = list?.cards.find(({ id }) => id === cardId)
  const gone = card === undefined

  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal()
  }, [])
  useEffect(() => {
    if (gone) onClose()
  }, [gone, onClose])

  return (
    <dialog ref={dialog} className="card-dialog" aria-label={card?.title} closedby="any" onClose={onClose}>
      {card !== undefined && list !== undefined && <CardDetails board={board} list={list} card={card} />}
    </dialog>
  )
}

interface DetailsProps {
  readonly board: Board
  readonly list: List
  readonly card: Card
}

function CardDetails({ board, list, card }: DetailsProps) {
  const { actions, attempt } = useBoard()
  return (
    <>
      <header className="dialog-header">
        <h2>
          <Editable
            value={card.title}
            label="Title of the card"
            maxLength={200}
            onChange={(title) => attempt(() => actions.renameCard(card.id, title))}
          />
        </h2>
        <form method="dialog">
          <button className="icon-button" aria-label="Close">
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
            </svg>
          </button>
        </form>
      </header>
      <CardFields board={board} list={list} card={card} />
      <Comments card={card} />
      <footer className="dialog-footer">
        <button type="button" className="button danger small" onClick={() => void attempt(() => actions.deleteCard(card.id))}>
          Delete card
        </button>
      </footer>
    </>
  )
}

function CardFields({ board, list, card }: DetailsProps) {
  const { actions, attempt, mover } = useBoard()
  const people = board.members.flatMap(({ user }) => user ?? [])
  const move = (listId: string) => {
    const target = board.lists.find(({ id }) => id === listId)
    if (target !== undefined) mover.put(card, { listId, index: target.cards.length })
  }
  return (
    <div className="card-fields">
      <label className="field">
        List
        <select value={list.id} onChange={(event) => { move(event.target.value) }}>
          {board.lists.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        Assignee
        <select
          value={card.assignee?.id ?? ''}
          onChange={({ target }) => void attempt(() => actions.assign(card.id, target.value === '' ? null : target.value))}
        >
          <option value="">Nobody</option>
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label className="check">
        <input
          type="checkbox"
          className="done"
          checked={card.done}
          onChange={({ target }) => void attempt(() => actions.setDone(card.id, target.checked))}
        />
        Done
      </label>
    </div>
  )
}
