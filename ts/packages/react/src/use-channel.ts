import type { Channel, Handle } from '@pando-sync/client'
import { useMemo } from 'react'
import { useClient } from './provider.js'

/**
 * The handle of a channel, the same while its arguments are: for actions, and
 * for whatever is done outside of rendering. It does not subscribe.
 */
export function useChannel<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime>,
): Handle<State, Types, Actions, Runtime> {
  const client = useClient()
  // Channels of one key are equal, and each render makes another.
  return useMemo(() => client.get(channel), [client, channel.key])
}
