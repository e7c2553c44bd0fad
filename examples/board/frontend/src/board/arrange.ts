import type { Card, List } from '../live/board.interfaces.js'

/** Where a card is, or shall be: its list, and its place among the list's other cards. */
export interface Place {
  readonly listId: List['id']
  readonly index: number
}

/** A step of a card that is moved by keys. */
export type Direction = 'up' | 'down' | 'left' | 'right'

export function samePlace(a: Place, b: Place): boolean {
  return a.listId === b.listId && a.index === b.index
}

/** Where a card is now. */
export function placeOf(lists: readonly List[], cardId: string): Place | undefined {
  for (const list of lists) {
    const index = list.cards.findIndex((card) => card.id === cardId)
    if (index >= 0) return { listId: list.id, index }
  }
  return undefined
}

/** The cards of a list besides one. */
export function others(list: List, cardId: string): readonly Card[] {
  return list.cards.filter((card) => card.id !== cardId)
}

/** The lists as they look with a card at another place. Lists that look the same keep their reference. */
export function arrange(lists: readonly List[], cardId: string, place: Place): readonly List[] {
  const from = placeOf(lists, cardId)
  const card = lists.find((list) => list.id === from?.listId)?.cards[from?.index ?? -1]
  if (from === undefined || card === undefined || !lists.some((list) => list.id === place.listId)) return lists
  if (samePlace(from, place)) return lists
  return lists.map((list) => {
    if (list.id !== from.listId && list.id !== place.listId) return list
    const cards = others(list, cardId)
    return { ...list, cards: list.id === place.listId ? cards.toSpliced(place.index, 0, card) : cards }
  })
}

/** A position that puts a card at a place: between those of its new neighbours. */
export function positionAt(cards: readonly Card[], index: number): number {
  const before = cards[index - 1]?.position
  const after = cards[index]?.position
  if (before !== undefined && after !== undefined) return (before + after) / 2
  if (before !== undefined) return before + 1
  return after === undefined ? 1 : after - 1
}

/** The least distance of two positions between which another one is put. */
const minGap = 1e-6

/** Whether the cards at a place are so close that the list has to be numbered anew before. */
export function tooClose(cards: readonly Card[], index: number): boolean {
  const before = cards[index - 1]?.position
  const after = cards[index]?.position
  return before !== undefined && after !== undefined && after - before < minGap
}

/** The place that is one step from another, or the same one at the edge of the board. */
export function step(lists: readonly List[], cardId: string, place: Place, direction: Direction): Place {
  const at = lists.findIndex((list) => list.id === place.listId)
  const aside = { left: at - 1, right: at + 1, up: at, down: at }[direction]
  const list = lists[aside]
  if (list === undefined) return place
  const index = place.index + { up: -1, down: 1, left: 0, right: 0 }[direction]
  return { listId: list.id, index: Math.max(0, Math.min(index, others(list, cardId).length)) }
}
