import type { Channel, Snapshot } from '@pando-sync/client'
import { useMemo, useSyncExternalStore } from 'react'
import { shallowEqual } from './shallow.js'
import { useHandle } from './use-handle.js'

/** Gives the same result as before while nothing of it differs. */
class Picker<Runtime, Picked> {
  #source: Runtime | undefined
  #pick: ((runtime: Runtime) => Picked) | undefined
  #result: Picked | undefined

  read(source: Runtime, pick: (runtime: Runtime) => Picked): Picked {
    const before = this.#result
    if (before !== undefined && source === this.#source && pick === this.#pick) return before
    const next = pick(source)
    this.#source = source
    this.#pick = pick
    return (this.#result = before !== undefined && shallowEqual(before, next) ? before : next)
  }
}

/**
 * The values that the server keeps for this stream, or undefined before they
 * are known; with `select`, a part of them, compared shallowly. The component
 * renders again only when that differs, whatever happens to the state. The
 * stream is shared as by `useChannelState`, and `'skip'` opens nothing.
 */
export function useRuntimeState<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
): Runtime | undefined
export function useRuntimeState<State, Types, Actions, Runtime, Picked>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  select: (runtime: Runtime) => Picked,
): Picked | undefined
export function useRuntimeState<State, Types, Actions, Runtime, Picked>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  select?: (runtime: Runtime) => Picked,
): Runtime | Picked | undefined {
  const { handle, initial, subscribe } = useHandle(channel)
  const picker = useMemo(() => new Picker<Runtime, Picked>(), [handle])
  const read = (snapshot: Snapshot<State, Runtime> | undefined) => {
    const runtime = snapshot?.runtimeState
    return runtime === undefined || select === undefined ? runtime : picker.read(runtime, select)
  }
  return useSyncExternalStore(
    subscribe,
    () => read(handle?.get()),
    () => read(initial?.get()),
  )
}
