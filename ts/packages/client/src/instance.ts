/**
 * Single rows of a channel's state, for what shows one row and nothing else.
 *
 * @packageDocumentation
 */
import type { StreamHold } from './client.js'
import { instanceIn } from './show.js'
import { Watchers } from './watchers.js'
import type { ReadHandle, Readable } from '@pando-sync/client'

/**
 * One row as the state shows it, or undefined while it is not held. Its
 * listeners are called only when the row, or something below it, may have
 * changed. Subscribing keeps the channel's stream open.
 */
export function instanceOf<Types, Name extends keyof Types & string>(
  handle: Pick<ReadHandle<unknown, Types, unknown, unknown>, '$types'>,
  type: Name,
  id: string,
): Readable<Types[Name] | undefined> {
  const { find, hold } = handle as StreamHold
  return {
    subscribe: (listener) => hold((stream) => (stream.watchers ??= new Watchers()).add(type, id, listener)),
    get: () => {
      const stream = find()
      // While there is no state, there are no rows either.
      if (stream?.get().state === undefined) return undefined
      return instanceIn(stream.store, type, id) as Types[Name] | undefined
    },
  }
}
