// What a page may write with the generated types; compiled only.
import type { Client, Id } from '@pando-sync/client'
import { ref } from '@pando-sync/client/writes'
import { BoardChannel, CardsChannel, LabelsChannel } from './writes.channels.js'
import type { Board, Card, CardData, List, Note, User } from './writes.interfaces.js'

export async function writes(client: Client, board: Board, list: List, card: Card, note: Note, user: User) {
  const h = client.get(BoardChannel.with({ boardId: board.id }))
  await h.save(card, { title: 'Milk', assignee: user.login, due: null, pin: '1234' })
  await h.save(ref('Card', card.id), { status: 'done' })
  await h.save(board, { name: 'Shopping' })
  const id: Id<'Card'> = await h.create('cards', list, { title: 'Eggs', reporter: user.login })
  await h.create('loose', board, {})
  await h.create('replies', note, { text: 'No.' })
  await h.delete(card)
  await h.delete(list)
  const added: number = await h.actions.addCard(list.id, 'Bread')

  // @ts-expect-error: a status is one of the constants
  await h.save(card, { status: 'lost' })
  // @ts-expect-error: no column is NULL that cannot be
  await h.save(card, { title: null })
  // @ts-expect-error: the key of a list is none of a user
  await h.save(card, { assignee: list.id })
  // @ts-expect-error: what the database sets is not written
  await h.save(card, { created_at: '2026-01-01T00:00:00Z' })
  // @ts-expect-error: notes are not saved here
  await h.save(note, { text: 'Yes.' })
  // @ts-expect-error: a board has no such relation
  await h.create('cards', board, {})
  // @ts-expect-error: boards are not deleted
  await h.delete(board)
  return { id, added }
}

export async function ofList(client: Client, card: Card) {
  const h = client.get(CardsChannel.with())
  await h.create({ title: 'Milk' })
  await h.save(card, { title: 'Milk' })
  // @ts-expect-error: this channel lets write the title only
  await h.save(card, { points: 1 })
  // @ts-expect-error: nor does it let delete
  await h.delete(card)
}

export async function ofNothing(client: Client) {
  const h = client.get(LabelsChannel.with({ id: 1 }))
  await h.actions.clear()
  // @ts-expect-error: nothing is writable
  await h.create({})
}

/** Data are plain values, which a form may collect. */
export const form: CardData = { title: '', points: 3, tags: ['new'] }
