import type { Channel, Handle } from '@pando-sync/client'
import { useHandle } from './use-handle.js'

/**
 * The handle of a channel, the same while its arguments are: for writes and
 * actions, and whatever is done outside of rendering. It does not subscribe.
 */
export function useChannel<State, Types, Actions, Runtime, Writes>(
  channel: Channel<State, Types, Actions, Runtime, Writes>,
): Handle<State, Types, Actions, Runtime, Writes> {
  return useHandle(channel).handle
}
