import { callAction } from './call.js'
import type { AnyChannel, Channel } from './channel.js'
import { Connection } from './connection.js'
import { PandoError } from './errors.js'
import type { Handle, Readable } from './handle.js'
import { Scopes } from './scopes.js'
import type { Session, SocketLike } from './session.js'
import { pending, type Snapshot } from './snapshot.js'
import type { ConnectionStatus } from './states.js'
import { Stream, type StreamHost } from './stream.js'
import type { GetToken } from './token.js'

/** How to reach the server. */
export interface ClientOptions {
  /** The address of the app's `/ws`; relative to the page, or with ws, wss, http or https. */
  readonly url: string | URL
  /** Finds the token; left out when a cookie says who it is, or nobody needs to be anyone. */
  readonly getToken?: GetToken
  /** Milliseconds after which an action without an answer rejects; 30,000 when left out. */
  readonly actionTimeout?: number
  /** The WebSocket class; the global one when left out. */
  readonly WebSocket?: new (url: string) => SocketLike
}

/** How long a stream stays open after its last listener is gone: StrictMode and hot reloading come back. */
const linger = 1_000

/** Makes a client. Nothing is opened before the first subscription. */
export function createClient(options: ClientOptions): Client {
  return new Client(options)
}

/** One connection and the streams on it. The app that makes it closes it. */
export class Client {
  /** The state of the connection. */
  readonly connection: Readable<ConnectionStatus>
  readonly #options: ClientOptions
  readonly #link: Connection
  readonly #host: StreamHost
  /** By `Channel.key`. */
  readonly #streams = new Map<string, Stream>()
  readonly #changed = new Set<Stream>()
  readonly #scopes = new Scopes()
  #nextName = 1
  /** Why no stream can be opened any more. */
  #refusal: PandoError | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#link = this.#connect()
    this.connection = this.#link
    this.#host = {
      scopes: this.#scopes,
      session: () => this.#session(),
      changed: (stream) => {
        this.#changed.add(stream)
      },
    }
  }

  /** The handle of a channel; all handles of one channel and arguments share one stream. */
  get<State, Types, Actions, Runtime>(
    channel: Channel<State, Types, Actions, Runtime>,
  ): Handle<State, Types, Actions, Runtime> {
    const find = () => this.#streams.get(channel.key)
    return {
      subscribe: (listener) => this.#use(channel, (stream) => stream.listeners.add(listener)),
      get: () => (find()?.get() ?? pending) as Snapshot<State, Runtime>,
      retry: () => find()?.retry(),
      actions: this.#actions(channel) as Actions,
      instance: <Name extends keyof Types & string>(type: Name, id: string) => ({
        subscribe: (listener) => this.#use(channel, (stream) => stream.watchers.add(type, id, listener)),
        get: () => find()?.instance(type, id) as Types[Name] | undefined,
      }),
    }
  }

  /** Asks for the token again and connects, for instance after the user has logged in. */
  authenticate(): void {
    this.#refusal = undefined
    this.#link.authenticate()
    for (const stream of this.#streams.values()) stream.retry()
  }

  /** Closes the connection and every stream for good. */
  close(): void {
    this.#link.close()
    this.#refuse(new PandoError('closed', 'client closed'))
  }

  #connect(): Connection {
    return new Connection(this.#options.getToken, {
      dial: () => {
        const { WebSocket = (globalThis as { WebSocket?: ClientOptions['WebSocket'] }).WebSocket } = this.#options
        if (!WebSocket) throw new TypeError('createClient: pass a WebSocket as an option')
        return new WebSocket(this.#address('ws'))
      },
      // By HTTP the browser lets the page see the answer.
      ask: async () => fetch(this.#address('http'), { method: 'HEAD', mode: 'same-origin' }),
      open: (session) => {
        for (const stream of this.#streams.values()) stream.open(session)
      },
      state: (id, frame) => {
        this.#scopes.receive(id, frame)
      },
      stream: (name, frame) => {
        for (const stream of this.#streams.values()) if (stream.name === name) stream.receive(frame)
      },
      flush: () => {
        this.#flush()
      },
      down: () => {
        for (const stream of this.#streams.values()) stream.down()
      },
      refused: (code, reason) => {
        this.#refuse(refusalOf(code, reason))
      },
    })
  }

  #session(): Session | undefined {
    const { session } = this.#link
    return session?.sends === true ? session : undefined
  }

  #address(protocol: string): string {
    const base = typeof location === 'undefined' ? undefined : location.href
    const url = new URL(this.#options.url, base)
    url.protocol = url.protocol.replace(/^(http|ws)/, protocol)
    return url.href
  }

  /** Keeps the channel's stream open until the function that is returned is called. */
  #use(channel: AnyChannel, attach: (stream: Stream) => () => void): () => void {
    const stream = this.#stream(channel)
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

  #stream(channel: AnyChannel): Stream {
    const known = this.#streams.get(channel.key)
    if (known) return known
    const stream = new Stream(`s${this.#nextName++}`, channel, this.#host)
    this.#streams.set(channel.key, stream)
    if (this.#refusal) stream.fail(this.#refusal)
    this.#link.start()
    const session = this.#session()
    if (session) stream.open(session)
    return stream
  }

  #drop(stream: Stream): void {
    if (stream.users > 0 || this.#streams.get(stream.channel.key) !== stream) return
    this.#streams.delete(stream.channel.key)
    stream.close()
  }

  #actions(channel: AnyChannel): unknown {
    const entries = channel.spec.actions.map((name) => [name, (...args: unknown[]) => this.#act(channel, name, args)])
    return Object.fromEntries(entries)
  }

  async #act(channel: AnyChannel, name: string, args: readonly unknown[]): Promise<unknown> {
    const { session, status } = this.#link
    if (!session || status !== 'online') {
      throw new PandoError('offline', `${name}: not connected`, { retry: true })
    }
    const release = this.#use(channel, () => () => undefined)
    try {
      const { actionTimeout: timeout = 30_000 } = this.#options
      const { name: stream } = this.#stream(channel)
      return await callAction(session, { stream, name, args, timeout })
    } finally {
      release()
    }
  }

  #refuse(error: PandoError): void {
    this.#refusal = error
    for (const stream of this.#streams.values()) stream.fail(error)
    this.#flush()
  }

  #flush(): void {
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const stream of changed) stream.notify()
  }
}

function refusalOf(code: number, reason: string): PandoError {
  if (code === 4400) return new PandoError('protocol', 'another protocol version: reload the page')
  return new PandoError(code === 4403 ? 'denied' : 'closed', reason || `closed by the server: ${code}`)
}
