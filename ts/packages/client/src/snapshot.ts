import type { PandoError } from './errors.js'

/** A row that is still on its way: its key, and nothing else. */
export type Stub<Row> = { readonly _loaded: false } & (Row extends { readonly id: infer Id } ? { readonly id: Id } : unknown)

/**
 * A state that is still arriving: lists grow, and wherever a row belongs that
 * is on its way there is a `Stub`. A row that is there has no `_loaded`.
 */
export type Loading<State> = State extends string
  ? State // a branded key is no row
  : State extends readonly (infer Element)[]
    ? readonly (Loading<Element> | StubOf<Element>)[]
    : State extends object
      ? { readonly [Name in keyof State]: Loading<State[Name]> | StubOf<State[Name]> } & { readonly _loaded?: undefined }
      : State

/** What may stand in a row's place; nothing else has stubs. */
type StubOf<T> = T extends string | readonly unknown[] ? never : T extends object ? Stub<T> : never

interface Common {
  /** Opens the stream anew after `denied` or `error`; does nothing otherwise. */
  readonly retry: () => void
}

/** The state is not whole yet, or nothing has been subscribed to. */
export interface Pending<State, Runtime> extends Common {
  readonly status: 'pending'
  readonly state: undefined
  /** What has arrived of the first snapshot, the anchor's row before all others. */
  readonly loading: Loading<State> | undefined
  readonly runtimeState: Runtime | undefined
  readonly stale: false
  readonly error: undefined
}

/**
 * The state is there, and whole. It is current unless `stale`: then it is what
 * was held when the connection broke, or until a newer one is whole.
 */
export interface Live<State, Runtime> extends Common {
  readonly status: 'live'
  readonly state: State
  readonly loading: undefined
  readonly runtimeState: Runtime
  readonly stale: boolean
  readonly error: undefined
}

/** The user may not see it; `error.code` says why. */
export interface Denied extends Common {
  readonly status: 'denied'
  readonly state: undefined
  readonly loading: undefined
  readonly runtimeState: undefined
  readonly stale: false
  readonly error: PandoError
}

/** The stream could not be opened, or the server closed it; `state` is what was held, if anything. */
export interface Failed<State, Runtime> extends Common {
  readonly status: 'error'
  readonly state: State | undefined
  readonly loading: undefined
  readonly runtimeState: Runtime | undefined
  readonly stale: boolean
  readonly error: PandoError
}

/**
 * What is known of a channel at one moment. It is immutable, and the same
 * object until something of it changes.
 */
export type Snapshot<State, Runtime> = Pending<State, Runtime> | Live<State, Runtime> | Denied | Failed<State, Runtime>

/** What a channel shows before anything is known of it, and on a server. */
export const pending: Pending<never, never> = {
  status: 'pending',
  state: undefined,
  loading: undefined,
  runtimeState: undefined,
  stale: false,
  error: undefined,
  retry: () => undefined,
}
