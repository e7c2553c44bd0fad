import type { StreamClient, StreamHandle, StreamOptions, Streams } from '@pando-sync/client'
import { useMemo } from 'react'
import { useClient } from './provider.js'

/** The names of streams: those that are declared, and any other. */
export type StreamName = keyof Streams | (string & {})

/**
 * The handle of a demultiplexer's stream, the same while name, path and order
 * are: for what is sent, asked and written outside of rendering. It does not
 * subscribe.
 *
 * @throws Error when the client was made without `streams`.
 */
export function useStream<Name extends StreamName>(name: Name, options?: StreamOptions): StreamHandle<Name> {
  const client = useClient() as Partial<StreamClient>
  const { at, orderBy } = options ?? {}
  // Each render makes other options, which are mostly equal.
  return useMemo(() => {
    if (!client.stream) throw new Error('useStream: the client has no streams; give createClient those of the generated module, or streamsOf()')
    return client.stream(name, options)
  }, [client, name, at, orderBy?.join()])
}
