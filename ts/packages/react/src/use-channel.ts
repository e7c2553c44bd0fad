import type { Channel, Handle } from '@pando-sync/client'
import { useHandle } from './use-handle.js'

/**
 * The handle of a channel, the same while its arguments are: for actions, and
 * for whatever is done outside of rendering. It does not subscribe.
 */
export function useChannel<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime>,
): Handle<State, Types, Actions, Runtime> {
  return useHandle(channel).handle
}
