import { useChannelState } from '@pando-sync/react/suspense'
import { Suspense, useDeferredValue, useId, useState } from 'react'
import { SearchChannel } from '../live/board.channels.js'
import type { FoundCard } from '../live/board.interfaces.js'
import { useBoard } from './context.js'

/** Finds cards by how a word of their title begins, and keeps showing them live. */
export function Search({ boardId }: { readonly boardId: string }) {
  const [text, setText] = useState('')
  const panel = useId()
  // While React waits for what is found, it shows what was found before.
  const deferred = useDeferredValue(lower(text.trim()))
  return (
    <search className="search">
      <input
        type="search"
        aria-label="Find cards"
        aria-controls={panel}
        placeholder="Find cards"
        maxLength={40}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
        }}
      />
      <aside id={panel} className="search-panel" aria-label="Found cards" hidden={deferred === ''}>
        {deferred !== '' && (
          <Suspense fallback={<p className="quiet-text">Looking …</p>}>
            <Found boardId={boardId} word={deferred} />
          </Suspense>
        )}
      </aside>
    </search>
  )
}

function Found({ boardId, word }: { readonly boardId: string; readonly word: string }) {
  // All words that begin so come before the one that ends in the last character there is.
  const { state: hits } = useChannelState(SearchChannel.with({ boardId, from: word, to: `${word}\u{10FFFF}` }))
  const cards = new Map(hits.flatMap(({ card }) => (card === null || card.archived ? [] : [[card.id, card]])))
  if (cards.size === 0) return <p className="quiet-text">No card has a word that begins with “{word}”.</p>
  return (
    <ul>
      {[...cards.values()].map((card) => (
        <FoundItem key={card.id} card={card} />
      ))}
    </ul>
  )
}

function FoundItem({ card: { id, title, done, list } }: { readonly card: FoundCard }) {
  const { handle, open } = useBoard()
  const show = () => {
    const cards = handle.get().state?.lists.flatMap((list) => list.cards)
    const card = cards?.find((card) => String(card.id) === String(id))
    if (card !== undefined) open(handle.keyOf(card))
  }
  return (
    <li>
      <button type="button" className="found" data-done={done} onClick={show}>
        <span>{title}</span>
        <span className="quiet-text">{list?.name}</span>
      </button>
    </li>
  )
}

/** The database knows small letters of English only. */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
