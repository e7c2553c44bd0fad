// What a page may do with the generated types; compiled only.
import type { Channel } from '@pando-sync/client'
import { LabelsChannel, LineChannel, ThreadChannel, TicketsChannel } from './desk.channels.js'
import type { Comment, OrderLineKey, Ticket } from './desk.interfaces.js'

type StateOf<C> = C extends Channel<infer S, unknown, infer _A, infer _R> ? S : never

export const labels: LabelsChannel = LabelsChannel.with()
export const tickets = TicketsChannel.with({ projectId: '7', status: 'open' })
export const lines = ['7,milk', '7,milk' as OrderLineKey].map((line) => LineChannel.with({ line }))
export const thread = ThreadChannel.with({ id: 7n })

/** The state of a list is an array, never null. */
export function titles(state: StateOf<TicketsChannel>): readonly string[] {
  return state.map((ticket: Ticket) => `${ticket.title}: ${ticket.labels.map((label) => label.name).join()}`)
}

/** Replies are missing where the tree ends. */
export function count(comment: Comment): number {
  return (comment.replies ?? []).reduce((n, reply) => n + count(reply), 1)
}

/** Rows under a condition may be absent, though their field is no pointer. */
export function reviewer(ticket: Ticket): string {
  // @ts-expect-error: it may be null
  return ticket.reviewer.name
}

// @ts-expect-error: a list without arguments takes none
LabelsChannel.with({ id: '1' })
// @ts-expect-error: what is never sent is not in the state
export const source = (ticket: Ticket): string => ticket.source
