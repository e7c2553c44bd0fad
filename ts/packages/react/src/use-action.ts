import type { Channel } from '@pando-sync/client'
import { useChannel } from './use-channel.js'
import { useRuns, type Request } from './use-runs.js'

/**
 * An action of a channel, whether it runs, and what it was refused with. Runs
 * may overlap: it is `pending` until the last one ends. Unmounting ends none
 * of them; another channel or other arguments begin with a clean slate.
 *
 * @param pick says which action, as in `(actions) => actions.addTask`.
 */
export function useAction<State, Types, Actions, Runtime, Args extends readonly unknown[], Value>(
  channel: Channel<State, Types, Actions, Runtime>,
  pick: (actions: Actions) => (...args: Args) => Promise<Value>,
): Request<Args, Value> {
  const handle = useChannel(channel)
  return useRuns(handle, pick(handle.actions))
}
