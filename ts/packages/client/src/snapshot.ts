import type { PandoError } from './errors.js'

interface Common {
  /** Opens the stream anew after `denied` or `error`; does nothing otherwise. */
  readonly retry: () => void
}

/** The state has not arrived, or nothing has been subscribed to. */
export interface Pending<Runtime> extends Common {
  readonly status: 'pending'
  readonly state: undefined
  readonly runtimeState: Runtime | undefined
  readonly stale: false
  readonly error: undefined
}

/** The state is there, and current unless `stale`: then it is what was held when the connection broke. */
export interface Live<State, Runtime> extends Common {
  readonly status: 'live'
  readonly state: State
  readonly runtimeState: Runtime
  readonly stale: boolean
  readonly error: undefined
}

/** The user may not see it; `error.code` says why. */
export interface Denied extends Common {
  readonly status: 'denied'
  readonly state: undefined
  readonly runtimeState: undefined
  readonly stale: false
  readonly error: PandoError
}

/** The stream could not be opened, or the server closed it; `state` is what was held, if anything. */
export interface Failed<State, Runtime> extends Common {
  readonly status: 'error'
  readonly state: State | undefined
  readonly runtimeState: Runtime | undefined
  readonly stale: boolean
  readonly error: PandoError
}

/**
 * What is known of a channel at one moment. It is immutable, and the same
 * object until something of it changes.
 */
export type Snapshot<State, Runtime> = Pending<Runtime> | Live<State, Runtime> | Denied | Failed<State, Runtime>

/** What a channel shows before anything is known of it, and on a server. */
export const pending: Pending<never> = Object.freeze({
  status: 'pending',
  state: undefined,
  runtimeState: undefined,
  stale: false,
  error: undefined,
  retry: () => undefined,
})
