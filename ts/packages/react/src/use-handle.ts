import type { Channel, Handle } from '@pando-sync/client'
import { useCallback, useMemo } from 'react'
import { useClient } from './provider.js'

const nothing = () => undefined

/** The handle of a channel, the same while its arguments are, and how to listen to it; `'skip'` has none. */
export function useHandle<State, Types, Actions, Runtime>(channel: Channel<State, Types, Actions, Runtime> | 'skip') {
  const client = useClient()
  const key = channel === 'skip' ? channel : channel.key
  // Channels of one key are equal, and each render makes another.
  const handle = useMemo<Handle<State, Types, Actions, Runtime> | undefined>(
    () => (channel === 'skip' ? undefined : client.get(channel)),
    [client, key],
  )
  const subscribe = useCallback((listener: () => void) => handle?.subscribe(listener) ?? nothing, [handle])
  return { handle, subscribe }
}
