import type { Channel, Snapshot } from '@pando-sync/client'
import { useMemo, useSyncExternalStore } from 'react'
import { Selector } from './selector.js'
import { useHandle } from './use-handle.js'

const pending: Snapshot<never, never> = {
  status: 'pending',
  state: undefined,
  loading: undefined,
  runtimeState: undefined,
  stale: false,
  error: undefined,
  retry: () => undefined,
}

/** What `useChannelState` takes besides the channel. */
export interface SelectOptions<State, Selected> {
  /** Picks a part of the state; its result is compared shallowly, so it may make a new array. */
  readonly select: (state: State) => Selected
}

/**
 * A channel's live state. The stream is open while a component uses it, and
 * shared by all that use the same channel and arguments. With `select`, the
 * component renders again only when what it picks differs. `'skip'` opens
 * nothing and is `pending`, as is rendering on a server whose client was not
 * preloaded.
 */
export function useChannelState<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
): Snapshot<State, Runtime>
export function useChannelState<State, Types, Actions, Runtime, Selected>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  options: SelectOptions<State, Selected>,
): Snapshot<Selected, Runtime>
export function useChannelState<State, Types, Actions, Runtime, Selected>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  options?: SelectOptions<State, Selected>,
): Snapshot<State | Selected, Runtime> {
  return useSnapshot(channel, options, false)
}

/**
 * The same for the entries. Where the first render over a server's page would
 * be pending, one that `waits` takes what is there by then: React keeps the
 * page until it is.
 */
export function useSnapshot<State, Types, Actions, Runtime, Selected>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  options: SelectOptions<State, Selected> | undefined,
  waits: boolean,
): Snapshot<State | Selected, Runtime> {
  const { handle, initial, subscribe } = useHandle(channel)
  const selector = useMemo(() => new Selector<State, Runtime, Selected>(), [handle])
  const read = (snapshot: Snapshot<State, Runtime> = pending) =>
    options === undefined ? snapshot : selector.read(snapshot, options.select)
  const now = () => handle?.get()
  const first = () => {
    const snapshot = initial?.get()
    return waits && snapshot?.status !== 'live' ? now() : snapshot
  }
  return useSyncExternalStore<Snapshot<State | Selected, Runtime>>(
    subscribe,
    () => read(now()),
    () => read(first()),
  )
}
