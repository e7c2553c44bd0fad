import type { Channel, Handle } from '@pando-sync/client'
import { useChannel } from './use-channel.js'
import { useRuns, type Request } from './use-runs.js'

/**
 * A write of a component, whether it waits to be confirmed, and what it was
 * refused with; `error.fields` says what is wrong by field. Writes may overlap
 * as the runs of `useAction` do, and go on after unmounting.
 *
 * @param write makes it with the channel's handle, as in
 * `(handle, title: string) => handle.save(task, { title })`; what else it
 * takes is what `run` takes.
 */
export function useWrite<State, Types, Actions, Runtime, Writes, Args extends readonly unknown[], Value>(
  channel: Channel<State, Types, Actions, Runtime, Writes>,
  write: (handle: Handle<State, Types, Actions, Runtime, Writes>, ...args: Args) => Promise<Value>,
): Request<Args, Value> {
  const handle = useChannel(channel)
  return useRuns(handle, (...args: Args) => write(handle, ...args))
}
