import type { RequestMaker } from './client.js'
import { outboxOf, plain } from './outbox.js'

/**
 * The actions of a channel, by name. Those of its `once` are kept, and sent
 * again, until they are answered; of any other whose answer is lost it is
 * unknown what it did.
 */
export const makeActions: RequestMaker = (core, channel) => {
  const { actions, once = [] } = channel.spec
  const act = (name: string) => async (...args: unknown[]) => {
    // What the page does with its arguments afterwards is no part of it.
    const request = plain({ type: 'action', name, args })
    return outboxOf(core).submit(channel, { name, once: once.includes(name), request: () => request })
  }
  return { actions: Object.fromEntries(actions.map((name) => [name, act(name)])) }
}
