import type { AnyChannel, Channel } from './channel.js'
import { Connection, type ConnectionEvents } from './connection.js'
import { PandoError } from './errors.js'
import type { StateFrame, StreamFrame, SystemFrame } from './frames.js'
import type { Handle, Readable } from './handle.js'
import { Scopes } from './scopes.js'
import type { Session, SocketLike } from './session.js'
import { pending, type Snapshot } from './snapshot.js'
import type { ConnectionStatus } from './states.js'
import { Stream } from './stream.js'
import type { StreamClient, Streaming } from './stream-types.js'
import type { GetToken } from './token.js'
import { Value } from './value.js'

/** How to reach the server. */
export interface ClientOptions {
  /** The address of the app's `/ws`; relative to the page, or with ws, wss, http or https. */
  readonly url: string | URL
  /** Finds the token; left out when a cookie says who it is, or nobody needs to be anyone. */
  readonly getToken?: GetToken
  /** Milliseconds after which an action or write without an answer rejects; 30,000 when left out. */
  readonly actionTimeout?: number
  /**
   * How many writes, and actions that are applied once, may wait for the next
   * connection after one was lost. One more is refused with code `offline`, as
   * all are then when this is left out.
   */
  readonly queue?: number
  /** What `streamsOf` makes, mostly in generated code: gives the client `stream`. */
  readonly streams?: Streaming
  /** The WebSocket class; the global one when left out. */
  readonly WebSocket?: new (url: string, protocol?: string) => SocketLike
}

/** A message of the server to everyone. */
export interface SystemMessage {
  /** After `maintenance` the server goes away, and the client does not come back before `retryAfter`. */
  readonly kind: 'message' | 'maintenance'
  readonly text: string
  /** Milliseconds. */
  readonly retryAfter: number | undefined
}

/** One connection and the streams on it. The app that makes it closes it. */
export interface Client {
  /** The state of the connection. */
  readonly connection: Readable<ConnectionStatus>
  /** The last message of the server to everyone; that of a maintenance until the server is back. */
  readonly system: Readable<SystemMessage | undefined>
  /** What the page was rendered of on the server, and stays: set by `hydrate`, for the first rendering. */
  readonly hydrated?: Pick<Client, 'get'> | undefined
  /** The handle of a channel; all handles of one channel and arguments share one stream. */
  get<State, Types, Actions, Runtime, Writes>(
    channel: Channel<State, Types, Actions, Runtime, Writes>,
  ): Handle<State, Types, Actions, Runtime, Writes>
  /** Asks for the token again and connects, for instance after the user has logged in. */
  authenticate(): void
  /** Closes the connection and every stream for good. */
  close(): void
}

/** How long a stream stays open after its last listener is gone: StrictMode and hot reloading come back. */
const linger = 1_000

/** Makes a client. Nothing is opened before the first subscription. */
export function createClient(options: ClientOptions & { readonly streams: Streaming }): StreamClient
export function createClient(options: ClientOptions): Client
export function createClient(options: ClientOptions): Client {
  return new Core(options)
}

/** What opens streams of demultiplexers: what `Streaming` hides. */
export type StreamOpener = (core: Core) => StreamClient['stream']

/** What makes the requests of a channel: what `Requests` hides. */
export type RequestMaker = (core: Core, channel: AnyChannel) => { readonly actions: unknown }

/** The stream behind a handle, as the other entries of this package know it. */
export interface StreamHold {
  /** Keeps the stream open until the function that is returned is called. */
  readonly hold: (attach: (stream: Stream) => () => void) => () => void
  /** The stream, if there is one. */
  readonly find: () => Stream | undefined
}

/** The client as the other entries of this package know it. */
export class Core implements Client, ConnectionEvents {
  readonly connection: Readable<ConnectionStatus>
  readonly stream: StreamClient['stream'] | undefined
  readonly system = new Value<SystemMessage | undefined>(undefined)
  readonly options: ClientOptions
  readonly link: Connection
  /** By `Channel.key`. */
  readonly streams = new Map<string, Stream>()
  readonly scopes = new Scopes()
  /** Whose the connection is, or was last; undefined before the first. */
  user: string | undefined
  /** What waits for its answer; looked at whenever anything may have changed, before listeners are told. */
  outbox: { pump(): void } | undefined
  hydrated: Pick<Client, 'get'> | undefined
  /** The streams that the page was rendered with, before they are used. */
  seeded: ((channel: AnyChannel) => Stream | undefined) | undefined
  readonly #changed = new Set<Stream>()
  #nextName = 1
  /** Why no stream can be opened any more. */
  #refusal: PandoError | undefined

  constructor(options: ClientOptions) {
    this.options = options
    this.link = new Connection(options.getToken, this)
    this.connection = this.link.status
    this.stream = (options.streams as StreamOpener | undefined)?.(this)
  }

  get<State, Types, Actions, Runtime, Writes>(
    channel: Channel<State, Types, Actions, Runtime, Writes>,
  ): Handle<State, Types, Actions, Runtime, Writes> {
    const find = () => this.find(channel)
    const hold: StreamHold['hold'] = (attach) => this.hold(channel, attach)
    const { requests } = channel.spec
    return {
      actions: {},
      find,
      hold,
      subscribe: (listener: () => void) => hold((stream) => stream.listeners.add(listener)),
      get: () => (find()?.get() ?? pending) as Snapshot<State, Runtime>,
      retry: () => find()?.retry(),
      notices: {
        subscribe: (name: string, listener: (value: unknown) => void) =>
          hold(({ notices }) =>
            notices.add((notice) => {
              if (notice.type === 'notice' && notice.name === name) listener(notice.value)
            }),
          ),
      },
      ...(requests as RequestMaker | undefined)?.(this, channel),
    } as unknown as Handle<State, Types, Actions, Runtime, Writes>
  }

  authenticate(): void {
    this.#refusal = undefined
    this.link.authenticate()
    for (const stream of this.streams.values()) stream.retry()
  }

  close(): void {
    this.link.close()
    this.refused(new PandoError('closed', 'client closed'))
  }

  /** The session, while it is open. */
  session(): Session | undefined {
    const { session } = this.link
    return session?.sends ? session : undefined
  }

  /** Asks for `Stream.notify` with the next flush. */
  changed(stream: Stream): void {
    this.#changed.add(stream)
  }

  /** Tells listeners of what has changed. */
  flush(): void {
    this.outbox?.pump()
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const stream of changed) stream.notify()
  }

  /** Keeps the channel's stream open until the function that is returned is called. */
  hold(channel: AnyChannel, attach: (stream: Stream) => () => void): () => void {
    const stream = this.opened(channel)
    const detach = attach(stream)
    stream.users++
    let used = true
    return () => {
      if (!used) return
      used = false
      detach()
      if (--stream.users === 0) {
        setTimeout(() => {
          this.#drop(stream)
        }, linger)
      }
    }
  }

  /** The channel's stream if there is one. */
  find(channel: AnyChannel): Stream | undefined {
    return this.streams.get(channel.key) ?? this.seeded?.(channel)
  }

  /** The channel's stream, opened as soon as that can be. */
  opened(channel: AnyChannel): Stream {
    const stream = this.find(channel) ?? this.add(channel)
    if (this.#refusal && !stream.error) stream.fail(this.#refusal)
    this.link.start()
    stream.reopen()
    return stream
  }

  /** Makes the channel's stream. */
  add(channel: AnyChannel): Stream {
    const stream = this.make(channel)
    this.streams.set(channel.key, stream)
    return stream
  }

  /** Makes a stream that is none of the client's yet. */
  make(channel: AnyChannel): Stream {
    return new Stream(this.#name(), channel, this)
  }

  dial(): SocketLike {
    const { WebSocket = (globalThis as { WebSocket?: ClientOptions['WebSocket'] }).WebSocket } = this.options
    if (!WebSocket) throw new TypeError('createClient: pass a WebSocket')
    // Asked for where it matters: at a demultiplexer's path.
    return new WebSocket(this.#address('ws'), this.stream && 'pando.v1')
  }

  // By HTTP the browser lets the page see the answer.
  async ask(): Promise<Response> {
    return fetch(this.#address('http'), { method: 'HEAD', mode: 'same-origin' })
  }

  open(session: Session): void {
    for (const stream of this.streams.values()) if (stream.users > 0) stream.open(session)
  }

  /** What one user was shown is no other's, nor may it be resumed from. */
  ready(user: string): void {
    if ((this.user ?? user) !== user) for (const stream of this.streams.values()) stream.restart(this.#name())
    this.user = user
    if (this.system.get()?.kind === 'maintenance') this.system.set(undefined)
  }

  state(id: string, frame: StateFrame): void {
    this.scopes.receive(id, frame)
  }

  told(name: string, frame: StreamFrame): void {
    for (const stream of this.streams.values()) if (stream.name === name) stream.receive(frame)
  }

  toldAll({ kind, text, retry_after: retryAfter }: SystemFrame): void {
    if (kind === 'maintenance') this.link.pause(retryAfter ?? 0)
    this.system.set({ kind, text, retryAfter })
  }

  down(): void {
    for (const stream of this.streams.values()) stream.down()
  }

  refused(error: PandoError): void {
    this.#refusal = error
    for (const stream of this.streams.values()) stream.fail(error)
    this.flush()
  }

  #name(): string {
    return `s${this.#nextName++}`
  }

  #address(protocol: string): string {
    const url = new URL(this.options.url, (globalThis as { location?: Location }).location?.href)
    url.protocol = url.protocol.replace(/^(http|ws)/, protocol)
    return url.href
  }

  #drop(stream: Stream): void {
    const { key } = stream.channel
    if (stream.users > 0 || this.streams.get(key) !== stream) return
    this.streams.delete(key)
    stream.close()
  }
}
