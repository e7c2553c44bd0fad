import type { Card, List } from '../live/board.interfaces.js'
import type { Attempt } from '../ui/toast.js'
import { others, placeOf, positionAt, samePlace, step, tooClose, type Direction, type Place } from './arrange.js'
import type { BoardHandle } from './context.js'

/**
 * A card on its way:
 *
 *     lift ─► lifted ─drop─► saving ─answer─► over ─► (none)
 *                └──cancel, or dropped where it was──►┘
 */
export interface Move {
  readonly card: Card
  readonly place: Place
  /** A dragged card stays where it is until it is dropped; one moved by keys goes along. */
  readonly by: 'keyboard' | 'pointer'
  readonly phase: 'lifted' | 'saving' | 'over'
}

interface Host {
  readonly handle: BoardHandle
  readonly attempt: Attempt
  readonly show: (move: Move | undefined) => void
  /** Says it to those who do not see it. */
  readonly announce: (text: string) => void
}

/** Carries one card at a time. It holds the latest move itself, as events come faster than renders. */
export class Mover {
  private move: Move | undefined
  private lists: readonly List[] = []
  private readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  get current(): Move | undefined {
    return this.move
  }

  /** Tells the lists as the server has them now. */
  see(lists: readonly List[]): void {
    this.lists = lists
  }

  lift(card: Card, by: Move['by']): void {
    const place = placeOf(this.lists, card.id)
    if (place === undefined) return
    this.set({ card, place, by, phase: 'lifted' })
    this.host.announce(`${card.title}: lifted. ${this.where(card, place)}`)
  }

  /** Takes the lifted card to a place. */
  to(place: Place): void {
    if (this.move?.phase === 'lifted' && !samePlace(this.move.place, place)) this.set({ ...this.move, place })
  }

  /** Takes the lifted card one step further. */
  step(direction: Direction): void {
    if (this.move?.phase !== 'lifted') return
    const { card, place } = this.move
    this.to(step(this.lists, card.id, place, direction))
    this.host.announce(this.where(card, this.move.place))
  }

  drop(): void {
    if (this.move?.phase !== 'lifted') return
    const { card, place } = this.move
    const from = placeOf(this.lists, card.id)
    if (from === undefined || samePlace(from, place)) this.end('left where it was')
    else void this.save(this.move)
  }

  cancel(): void {
    if (this.move?.phase === 'lifted') this.end('put back')
  }

  /** Puts a card at a place in one go. */
  put(card: Card, place: Place): void {
    void this.save({ card, place, by: 'pointer', phase: 'lifted' })
  }

  /** Ends a move that is over, unless another has begun. */
  forget(move: Move): void {
    if (this.move === move) this.set(undefined)
  }

  private async save(lifted: Move): Promise<void> {
    const { card, place } = lifted
    const saving: Move = { ...lifted, phase: 'saving' }
    this.set(saving)
    const { ok } = await this.host.attempt(() => this.write(card, place))
    if (this.move === saving) this.end(ok ? `dropped. ${this.where(card, place)}` : 'could not be moved')
  }

  /** The state shows the card at its place at once, and takes it back when the server refuses. */
  private async write(card: Card, place: Place): Promise<void> {
    const { handle } = this.host
    let list = this.list(place)
    if (list !== undefined && tooClose(others(list, card.id), place.index)) {
      await handle.actions.spreadCards(list.id)
      list = handle.get().state?.lists.find(({ id }) => id === place.listId)
    }
    const position = list === undefined ? 1 : positionAt(others(list, card.id), place.index)
    await handle.save(card, { list_id: place.listId, position })
  }

  private end(how: string): void {
    if (this.move === undefined) return
    this.host.announce(`${this.move.card.title}: ${how}`)
    this.set({ ...this.move, phase: 'over' })
  }

  private where(card: Card, place: Place): string {
    const list = this.list(place)
    return list === undefined ? '' : `${list.name}, place ${place.index + 1} of ${others(list, card.id).length + 1}.`
  }

  private list(place: Place): List | undefined {
    return this.lists.find(({ id }) => id === place.listId)
  }

  private set(move: Move | undefined): void {
    this.move = move
    this.host.show(move)
  }
}
