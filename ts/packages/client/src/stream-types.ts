import type { Client } from './client.js'
import type { PandoError } from './errors.js'
import type { Readable } from './handle.js'
import type { ColumnKind } from './model.js'

declare const opaque: unique symbol

/** What gives a client its streams of demultiplexers: `streamsOf` makes one. */
export interface Streaming {
  readonly [opaque]?: 'streams'
}

/**
 * What the streams of demultiplexers carry, by their names. Generated code adds
 * bindings; a page may add consumers of its own:
 *
 * ```ts
 * declare module '@pando-sync/client' {
 *   interface Streams { chat: Consumer<{ say: string }, { said: string }> }
 * }
 * ```
 */
// What others add to is an interface, though it has nothing of its own.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Streams {}

/** A stream whose consumer is a binding: the data of a row, what may be written of it, and the key. */
export interface Binding<Data, Input, Key extends Pk> {
  readonly data: Data
  readonly input: Input
  readonly key: Key
}

/** A stream whose consumer is the app's own: what is sent to it, what it tells, and what it answers. */
export interface Consumer<Sent, Told, Answer = unknown> {
  readonly sent: Sent
  readonly told: Told
  readonly answer: Answer
}

/** The key of a row. */
export type Pk = number | string

/** A row of a binding. It is plain, readonly, and the same object until it changes. */
export interface BoundRow<Data = unknown, Key extends Pk = Pk> {
  readonly pk: Key
  /** The declared fields, without the key. */
  readonly data: Data
}

/** What a binding tells of a row, and answers a write with. */
export interface RowTold<Data = unknown, Key extends Pk = Pk> {
  readonly action: 'create' | 'update' | 'delete'
  readonly pk: Key
  /** Left out when it is a deletion. */
  readonly data?: Data
  /** The model, `app.message`. */
  readonly model: string
}

/** How a stream stands. */
export type StreamStatus =
  | { readonly status: 'pending'; readonly stale: false; readonly error: undefined; readonly retry: () => void }
  | {
      readonly status: 'live'
      /** Something may be missing, until the connection is back or a new snapshot is whole. */
      readonly stale: boolean
      readonly error: undefined
      readonly retry: () => void
    }
  | { readonly status: 'denied'; readonly stale: false; readonly error: PandoError; readonly retry: () => void }
  | { readonly status: 'error'; readonly stale: boolean; readonly error: PandoError; readonly retry: () => void }

/**
 * How a subscribed binding stands, with its rows: those that were held last
 * while it is `stale`, none while it is `pending` or `denied`. The array and its
 * rows are the same objects until they change.
 */
export type BindingState<Data = unknown, Key extends Pk = Pk> = StreamStatus & { readonly rows: readonly BoundRow<Data, Key>[] }

/** A stream of a demultiplexer. Whoever listens keeps it open, and for a second after. */
export interface ConsumerHandle<Sent = unknown, Told = unknown, Answer = unknown> {
  /** How the stream stands. Subscribing keeps it open. */
  readonly status: Readable<StreamStatus>
  /** Calls back with every payload that the stream is told, and keeps it open; returns what ends it. */
  readonly onMessage: (listener: (payload: Told) => void) => () => void
  /**
   * Calls back when something may have been missed: after a reconnect, and when
   * the server says so. It keeps the stream open; returns what ends it.
   */
  readonly onGap: (listener: () => void) => () => void
  /**
   * Sends a payload, a JSON object, that is not answered. It resolves once it is
   * handed to the connection, and rejects as `request` does when there is none.
   */
  readonly send: (payload: Sent) => Promise<void>
  /**
   * Sends a payload and resolves with the answer. It rejects with a PandoError:
   * with code `offline` when the connection is lost, `lost` or `timeout`, outcome
   * `unknown`, when the answer did not come.
   */
  readonly request: (payload: Sent) => Promise<Answer>
  /** Opens the stream anew after `denied` or `error`. */
  readonly retry: () => void
}

/** A stream whose consumer is a binding. */
export interface BindingHandle<Data = unknown, Input = unknown, Key extends Pk = Pk>
  extends ConsumerHandle<object>,
    Readable<BindingState<Data, Key>> {
  /** Creates a row; resolves after the commit with what is told of it. It rejects as `request` does. */
  readonly create: (data: Input) => Promise<RowTold<Data, Key>>
  /** Sets some fields of a row. */
  readonly update: (pk: Key, data: Partial<Input>) => Promise<RowTold<Data, Key>>
  /** Deletes a row. */
  readonly delete: (pk: Key) => Promise<RowTold<Data, Key>>
}

/** The handle of a stream, by its name; what no declaration knows may be a binding of anything. */
export type StreamHandle<Name> = Name extends keyof Streams
  ? Streams[Name] extends Binding<infer Data, infer Input, infer Key extends Pk>
    ? BindingHandle<Data, Input, Key>
    : Streams[Name] extends Consumer<infer Sent, infer Told, infer Answer>
      ? ConsumerHandle<Sent, Told, Answer>
      : never
  : BindingHandle

/** Where a stream is, and how its rows are kept. */
export interface StreamOptions {
  /** The path of the demultiplexer, such as `/demultiplex/room/`; that of the client's own address when left out. */
  readonly at?: string
  /** The order of the rows, in the place of the declared one: names of data, or `pk`, with `-` before one for descending. */
  readonly orderBy?: readonly string[]
}

/** What generated code tells of a binding. */
export interface BindingSpec {
  /** The order of its rows, as `StreamOptions` has it; the keys alone when left out. */
  readonly orderBy?: readonly string[]
  /** The kinds of these columns, where they do not compare as what they are in JSON. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>
}

/** A client of streams. */
export interface StreamOpening {
  /** The handle of a stream; all handles of one name, path and order share one. */
  readonly stream: <Name extends keyof Streams | (string & {})>(name: Name, options?: StreamOptions) => StreamHandle<Name>
}

/** A client that was given `streams`. */
export interface StreamClient extends Client, StreamOpening {}
