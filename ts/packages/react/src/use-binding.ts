import type { BindingHandle, BindingState, StreamHandle, StreamOptions } from '@pando-sync/client'
import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { useStream, type StreamName } from './use-stream.js'

/** The state of a handle of this type, with its writes. */
type Bound<Handle> = Handle extends { readonly get: () => infer State; readonly create: unknown; readonly update: unknown; readonly delete: unknown }
  ? State & Pick<Handle, 'create' | 'update' | 'delete'>
  : never

const pending: BindingState = { status: 'pending', stale: false, error: undefined, rows: [], retry: () => undefined }

/**
 * The rows of a binding, live, with what writes them. The stream is open while a
 * component uses it, and shared by all that use the same name, path and order.
 * `'skip'` in the place of the options opens nothing and is `pending`, as is
 * rendering on a server.
 *
 * ```tsx
 * const { status, rows, create } = useBinding('message-stream', { at: '/demultiplex/room/' })
 * ```
 *
 * @throws Error when the client was made without `streams`.
 */
export function useBinding<Name extends StreamName>(name: Name, options?: StreamOptions | 'skip'): Bound<StreamHandle<Name>> {
  const skipped = options === 'skip'
  const handle = useStream(name, skipped ? {} : options) as BindingHandle
  const subscribe = useCallback((listener: () => void) => (skipped ? nothing : handle.subscribe(listener)), [handle, skipped])
  const state = useSyncExternalStore(
    subscribe,
    () => (skipped ? pending : handle.get()),
    () => pending,
  )
  return useMemo(() => {
    const { create, update, delete: remove } = handle
    return { ...state, create, update, delete: remove }
  }, [handle, state]) as Bound<StreamHandle<Name>>
}

const nothing = () => undefined
