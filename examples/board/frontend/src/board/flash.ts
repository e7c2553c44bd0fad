import { useEffect, type RefObject } from 'react'
import type { Card } from '../live/board.interfaces.js'

/**
 * Remembers what was shown of every card. The state's objects are new exactly
 * when something of them has changed, so comparing references is enough.
 */
export class Seen {
  private readonly cards = new Map<string, Card>()
  private complete = false

  /** Whether the card is another than the one shown last, or was not shown. */
  note(card: Card): boolean {
    const before = this.cards.get(card.id)
    this.cards.set(card.id, card)
    return this.complete && before !== card
  }

  /** The first showing is over: from now on, what differs is news. */
  settle(): void {
    this.complete = true
  }
}

const frames = [{ boxShadow: '0 0 0 3px var(--gold)', background: 'var(--flash)' }, {}]

/** Lights an element up when its card has changed, or is new. */
export function useFlash(element: RefObject<HTMLElement | null>, card: Card, seen: Seen): void {
  useEffect(() => {
    if (!seen.note(card) || matchMedia('(prefers-reduced-motion: reduce)').matches) return
    element.current?.animate(frames, { duration: 1_400, easing: 'ease-out' })
  }, [element, card, seen])
}
