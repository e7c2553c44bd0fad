import type { Channel } from '@pando-sync/client'
import { useEffect, useInsertionEffect, useRef } from 'react'
import { useHandle } from './use-handle.js'

/**
 * Calls back with every notice of a name that the server sends to this stream
 * while the component is mounted. It is the callback of the last render that is
 * called. The stream is shared as by `useChannelState`, and `'skip'` opens
 * nothing.
 */
export function useNotices<State, Types, Actions, Runtime>(
  channel: Channel<State, Types, Actions, Runtime> | 'skip',
  name: string,
  listener: (value: unknown) => void,
): void {
  const { handle } = useHandle(channel)
  const latest = useRef(listener)
  useInsertionEffect(() => {
    latest.current = listener
  })
  useEffect(() => handle?.notices.subscribe(name, (value) => {
    latest.current(value)
  }), [handle, name])
}
