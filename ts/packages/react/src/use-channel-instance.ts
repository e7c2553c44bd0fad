import type { Channel } from '@pando-sync/client'
import { instanceOf } from '@pando-sync/client/instance'
import { useMemo, useSyncExternalStore } from 'react'
import { useHandle } from './use-handle.js'

/**
 * One row of a channel's state, or undefined while it is not held. The
 * component renders again only when this row, or something below it, changes.
 */
export function useChannelInstance<State, Types, Actions, Runtime, Name extends keyof Types & string>(
  channel: Channel<State, Types, Actions, Runtime>,
  type: Name,
  id: string,
): Types[Name] | undefined {
  const { handle, initial } = useHandle(channel)
  const instance = useMemo(() => instanceOf(handle, type, id), [handle, type, id])
  return useSyncExternalStore(instance.subscribe, instance.get, () => initial && instanceOf(initial, type, id).get())
}
