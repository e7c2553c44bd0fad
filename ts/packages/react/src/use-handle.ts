import type { Channel, Handle } from '@pando-sync/client'
import { useCallback, useMemo } from 'react'
import { firstOf, useClient } from './provider.js'

/** A channel as hooks read it. */
interface Source<H> {
  /** The same while the channel's arguments are. */
  readonly handle: H
  /**
   * What a server renders, and what the browser renders first over the
   * server's page: it never changes, and is undefined where there is nothing.
   */
  readonly initial: H | undefined
  /** Listens to the handle, if there is one. */
  readonly subscribe: (listener: () => void) => () => void
}

/** What hooks read of a channel; nothing of `'skip'`. */
export function useHandle<State, Types, Actions, Runtime, Writes>(
  channel: Channel<State, Types, Actions, Runtime, Writes>,
): Source<Handle<State, Types, Actions, Runtime, Writes>>
export function useHandle<State, Types, Actions, Runtime, Writes>(
  channel: Channel<State, Types, Actions, Runtime, Writes> | 'skip',
): Source<Handle<State, Types, Actions, Runtime, Writes> | undefined>
export function useHandle<State, Types, Actions, Runtime, Writes>(
  channel: Channel<State, Types, Actions, Runtime, Writes> | 'skip',
): Source<Handle<State, Types, Actions, Runtime, Writes> | undefined> {
  const client = useClient()
  const key = channel === 'skip' ? channel : channel.key
  // Channels of one key are equal, and each render makes another.
  const [handle, initial] = useMemo(
    () => (channel === 'skip' ? [] : [client.get(channel), firstOf(client)?.get(channel)]),
    [client, key],
  )
  const subscribe = useCallback((listener: () => void) => handle?.subscribe(listener) ?? nothing, [handle])
  return { handle, initial, subscribe }
}

const nothing = () => undefined
