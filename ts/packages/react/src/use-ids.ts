import type { Channel } from '@pando-sync/client'
import { useMemo, useSyncExternalStore } from 'react'
import { useHandle } from './use-handle.js'

/** Remembers the ids that were read last, and gives the same array while they are the same. */
class Ids<Item extends { readonly id: unknown }> {
  #items: readonly Item[] = []
  #ids: readonly Item['id'][] = []

  read(items: readonly Item[]): readonly Item['id'][] {
    const known = this.#ids
    const same = items === this.#items || (items.length === known.length && items.every(({ id }, i) => id === known[i]))
    this.#items = items
    if (!same) this.#ids = items.map(({ id }) => id)
    return this.#ids
  }
}

/**
 * The ids of a list in a channel's state, in order; undefined while there is
 * no state, empty where that is null. The component renders again only when
 * rows come, go or change places: each row can follow itself with
 * `useChannelInstance`. The stream is shared as by `useChannelState`, and
 * `'skip'` opens nothing.
 */
export function useIds<State, Types, Actions, Runtime, Item extends { readonly id: unknown }>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  select: (state: NonNullable<State>) => readonly Item[],
): readonly Item['id'][] | undefined {
  const { handle, initial, subscribe } = useHandle(channel)
  const ids = useMemo(() => new Ids<Item>(), [handle])
  const read = (source: typeof handle) => {
    const state = source?.get().state
    if (state === undefined) return undefined
    return ids.read(state === null ? [] : select(state))
  }
  return useSyncExternalStore(
    subscribe,
    () => read(handle),
    () => read(initial),
  )
}
