import { useEffect, useRef } from 'react'
import type { Board, Card, List } from '../live/board.interfaces.js'
import { Editable } from '../ui/editable.js'
import { Comments } from './comments.js'
import { useBoard } from './context.js'

interface Props {
  readonly board: Board
  readonly cardKey: string
  readonly onClose: () => void
}

/** All of one card. It shows what happens to the card meanwhile, and closes when it is deleted. */
export function CardDialog({ board, cardKey, onClose }: Props) {
  const { handle } = useBoard()
  const dialog = useRef<HTMLDialogElement>(null)
  // The key stays the same when a new card gets the id that the server gave it.
  const isOpen = (card: Card) => handle.keyOf(card) === cardKey
  const list = board.lists.find(({ cards }) => cards.some(isOpen))
  const card = list?.cards.find(isOpen)
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
  const { handle, attempt, edits } = useBoard()
  // Refused when somebody else has changed the title that is edited.
  const rename = (title: string) => attempt(() => handle.save(card, { title }, { seen: true }), 'title')
  return (
    <>
      <header className="dialog-header">
        <h2>
          <Editable value={card.title} label="Title of the card" maxLength={200} onChange={edits ? rename : undefined} />
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
      {edits && (
        <footer className="dialog-footer">
          <button type="button" className="button danger small" onClick={() => void attempt(() => handle.delete(card))}>
            Delete card
          </button>
        </footer>
      )}
    </>
  )
}

function CardFields({ board, list, card }: DetailsProps) {
  const { handle, attempt, mover, edits } = useBoard()
  const people = board.members.flatMap(({ user }) => user ?? [])
  const move = (listId: string) => {
    const target = board.lists.find(({ id }) => id === listId)
    if (target !== undefined) mover.put(card, { listId: target.id, index: target.cards.length })
  }
  const assign = (userId: string) => {
    const assignee = people.find(({ id }) => id === userId)?.id ?? null
    return attempt(() => handle.save(card, { assignee }))
  }
  return (
    <fieldset className="card-fields" disabled={!edits}>
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
          onChange={({ target }) => void assign(target.value)}
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
          onChange={({ target }) => void attempt(() => handle.save(card, { done: target.checked }))}
        />
        Done
      </label>
    </fieldset>
  )
}
