import type { Snapshot } from './snapshot.js'
import type { WriteMethods } from './write-types.js'
import type { NoWrites } from './channel.js'

/** Something that can be read and listened to: what any framework's adapter needs. */
export interface Readable<T> {
  /** Calls back after every change; returns what ends it. */
  readonly subscribe: (listener: () => void) => () => void
  /** The value now; the same object until it changes. */
  readonly get: () => T
}

/** What a stream is told of that is no state. */
export interface Notices {
  /** Calls back with the value of every notice of the name, and keeps the stream open; returns what ends it. */
  readonly subscribe: (name: string, listener: (value: unknown) => void) => () => void
}

/**
 * A channel on a client. Subscribing opens the stream, or joins the one that
 * is open for the same channel and arguments; it stays open for a second after
 * the last subscription ends.
 */
export type Handle<State, Types, Actions, Runtime, Writes = NoWrites> = ReadHandle<State, Types, Actions, Runtime> &
  ([keyof Writes] extends [never] ? unknown : WriteMethods<Types, Writes>)

/** What every channel's handle has. */
export interface ReadHandle<State, Types, Actions, Runtime> extends Readable<Snapshot<State, Runtime>> {
  /**
   * The channel's actions. A call resolves when the state shows what it did,
   * and rejects with a PandoError; at once with code `offline` when the
   * connection is lost. Before the first one it waits for that. An action that is applied once is sent again after the
   * connection was lost; of any other it is unknown then what it did.
   */
  readonly actions: Actions
  /** What the server tells this stream that is no state. Nothing is repeated after a reconnect. */
  readonly notices: Notices
  /** Opens the stream anew after `denied` or `error`. */
  readonly retry: () => void
  /** Carries the types of the instances for inference; there is no such property. */
  readonly $types?: Types
}
