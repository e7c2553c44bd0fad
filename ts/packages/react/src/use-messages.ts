import type { ConsumerHandle, StreamHandle, StreamOptions } from '@pando-sync/client'
import { useEffect, useInsertionEffect, useRef } from 'react'
import { useStream, type StreamName } from './use-stream.js'

/** What a handle of this type is told. */
type ToldTo<Handle> = Handle extends { readonly onMessage: (listener: (payload: infer Told) => void) => unknown } ? Told : never

/**
 * Calls back with every payload that a stream is told while the component is
 * mounted. It is the callback of the last render that is called. `'skip'` in the
 * place of the options opens nothing.
 *
 * @throws Error when the client was made without `streams`.
 */
export function useMessages<Name extends StreamName>(
  name: Name,
  listener: (payload: ToldTo<StreamHandle<Name>>) => void,
  options?: StreamOptions | 'skip',
): void {
  const skipped = options === 'skip'
  const handle = useStream(name, skipped ? {} : options) as ConsumerHandle<unknown, ToldTo<StreamHandle<Name>>>
  const latest = useRef(listener)
  useInsertionEffect(() => {
    latest.current = listener
  })
  useEffect(() => {
    if (skipped) return undefined
    return handle.onMessage((payload) => {
      latest.current(payload)
    })
  }, [handle, skipped])
}
