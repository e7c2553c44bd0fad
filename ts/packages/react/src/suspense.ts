'use client'

/**
 * `useChannelState` for components that let React wait: for `<Suspense>`, error
 * boundaries and transitions.
 *
 * @packageDocumentation
 */
import type { Channel, Live } from '@pando-sync/client'
import { useEffect } from 'react'
import { Hold } from './hold.js'
import { useProvided } from './provider.js'
import { useSnapshot, type SelectOptions } from './use-channel-state.js'

/**
 * A channel's live state, which is always there: while it is pending the
 * component suspends, and `denied` and `error` are thrown as the PandoError
 * that they are, for the nearest error boundary. To try again, call `retry` of
 * the channel's handle before the boundary renders its children anew.
 *
 * The stream is shared with every other hook, and survives StrictMode,
 * transitions and renders that React throws away: what nobody came back for is
 * closed after ten seconds. On a server the component suspends until the
 * client has the state, at once when it was preloaded.
 *
 * @throws PandoError when the channel cannot be shown.
 */
export function useChannelState<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime>,
): Live<State, Runtime>
export function useChannelState<State, Types, Actions, Runtime, Selected>(
  channel: Channel<State, Types, Actions, Runtime>,
  options: SelectOptions<State, Selected>,
): Live<Selected, Runtime>
export function useChannelState<State, Types, Actions, Runtime, Selected>(
  channel: Channel<State, Types, Actions, Runtime>,
  options?: SelectOptions<State, Selected>,
): Live<State | Selected, Runtime> {
  const { client, holds } = useProvided()
  const { key } = channel
  const snapshot = useSnapshot(channel, options, true)
  useEffect(() => {
    holds.get(key)?.release()
  }, [holds, key])
  if (snapshot.status === 'live') {
    holds.get(key)?.renew()
    return snapshot
  }
  if (snapshot.status !== 'pending') throw snapshot.error
  const hold = holds.get(key) ?? new Hold(holds, key, client.get(channel))
  hold.renew()
  // What React waits for: an Error would be a failure to it.
  // eslint-disable-next-line @typescript-eslint/only-throw-error
  throw hold.settled
}
