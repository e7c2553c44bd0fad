import type { Snapshot } from './snapshot.js'

/** Something that can be read and listened to: what any framework's adapter needs. */
export interface Readable<T> {
  /** Calls back after every change; returns what ends it. */
  readonly subscribe: (listener: () => void) => () => void
  /** The value now; the same object until it changes. */
  readonly get: () => T
}

/**
 * A channel on a client. Subscribing opens the stream, or joins the one that
 * is open for the same channel and arguments; it stays open for a second after
 * the last subscription ends.
 */
export interface Handle<State, Types, Actions, Runtime> extends Readable<Snapshot<State, Runtime>> {
  /**
   * The channel's actions. A call resolves when the state shows what it did,
   * and rejects with a PandoError; at once with code `offline` when there is
   * no connection.
   */
  readonly actions: Actions
  /** Opens the stream anew after `denied` or `error`. */
  readonly retry: () => void
  /** One row as the state shows it, or undefined while it is not held. */
  instance<Name extends keyof Types & string>(type: Name, id: string): Readable<Types[Name] | undefined>
}
