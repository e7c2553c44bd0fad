import { useEffect, type RefObject } from 'react'
import type { Card } from '../live/board.interfaces.js'
import { isPending } from './context.js'

/**
 * Remembers what was shown of every card. The state's objects are new exactly
 * when something of them has changed, so comparing references is enough.
 */
export class Seen {
  private readonly cards = new Map<string, Card>()
  private complete = false

  /**
   * Whether the card is another than the one shown last, or was not shown. That
   * an own card is confirmed is no news.
   */
  note(key: string, card: Card): boolean {
    const before = this.cards.get(key)
    this.cards.set(key, card)
    const confirmed = before !== undefined && isPending(before)
    return this.complete && before !== card && !confirmed && !isPending(card)
  }

  /** The first showing is over: from now on, what differs is news. */
  settle(): void {
    this.complete = true
  }
}

const frames = [{ boxShadow: '0 0 0 3px var(--gold)', background: 'var(--flash)' }, {}]

/** Lights an element up when its card has changed, or is new. */
export function useFlash(element: RefObject<HTMLElement | null>, key: string, card: Card, seen: Seen): void {
  useEffect(() => {
    if (!seen.note(key, card) || matchMedia('(prefers-reduced-motion: reduce)').matches) return
    element.current?.animate(frames, { duration: 1_400, easing: 'ease-out' })
  }, [element, key, card, seen])
}
