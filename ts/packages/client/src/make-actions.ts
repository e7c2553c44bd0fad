import type { RequestMaker } from './client.js'
import { outboxOf } from './outbox.js'

/**
 * The actions of a channel, by name. Those of its `once` are kept, and sent
 * again, until they are answered; of any other whose answer is lost it is
 * unknown what it did.
 */
export const makeActions: RequestMaker = (core, channel) => {
  const { actions, once = [] } = channel.spec
  const act = (name: string) => (...args: unknown[]) =>
    outboxOf(core).submit(channel, { name, once: once.includes(name), request: () => ({ type: 'action', name, args }) })
  return { actions: Object.fromEntries(actions.map((name) => [name, act(name)])) }
}
