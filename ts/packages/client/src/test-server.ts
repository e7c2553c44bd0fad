import type { AnyChannel } from './channel.js'
import { Effects } from './effects.js'
import type { Act, Request, Told, WriteRequest } from './frames.js'
import { Keys } from './keys.js'
import type { Effect } from './layers.js'
import type { SocketLike } from './session.js'
import type { Store } from './store.js'
import { rowsOf } from './test-rows.js'
import { TestStreams } from './test-streams.js'
import type { TestRequest } from './testing.js'
import { PandoError } from '@pando-sync/client'

type Values = Readonly<Record<string, unknown>>

interface Envelope {
  readonly stream: string
  readonly id?: number
  readonly payload: Request
}

/** What a test said of one channel. */
interface Source {
  readonly channel: AnyChannel
  /** The rows that the server has; undefined before a state was pushed. */
  store: Store | undefined
  runtime: Values
  failure: { readonly code: string; readonly message: string } | undefined
  readonly answers: Map<string, (...args: unknown[]) => unknown>
  /** The stream of the present connection that shows it. */
  stream: string | undefined
  readonly scope: string
}

class Socket implements SocketLike {
  onopen: SocketLike['onopen'] = null
  onmessage: SocketLike['onmessage'] = null
  onclose: SocketLike['onclose'] = null
  onerror: SocketLike['onerror'] = null
  readonly #hear: (message: string) => void
  readonly #gone: () => void

  constructor(hear: (message: string) => void, gone: () => void) {
    this.#hear = hear
    this.#gone = gone
  }

  send(data: string): void {
    this.#hear(data)
  }

  close(): void {
    this.#gone()
  }

  say(stream: string, payload: object, id?: number): void {
    this.onmessage?.({ data: JSON.stringify({ stream, ...(id !== undefined && { id }), payload }) })
  }
}

/** The server of a test client: it knows what the test has told it. */
export class TestServer {
  readonly requests: TestRequest[] = []
  readonly WebSocket: new (url: string) => SocketLike
  /** Whether there is a network. */
  up = true
  /** Answers writes, in another way than by carrying them out. */
  write: (request: TestRequest) => unknown = () => undefined
  /** The streams of demultiplexers. */
  readonly streams = new TestStreams((stream, payload) => this.#socket?.say(stream, payload))
  /** An empty store for a channel. */
  newStore: (channel: AnyChannel) => Store = () => {
    throw new Error('no client')
  }
  readonly #user: string
  /** By `Channel.key`. */
  readonly #sources = new Map<string, Source>()
  /** Every type that any channel has, with its fields. */
  readonly #types = new Map<string, Set<string>>()
  /** Opens of channels of which the test said nothing yet: stream, route and reply. */
  readonly #waiting = new Map<string, readonly [route: string, say: (reply: object) => void]>()
  #socket: Socket | undefined
  #version = 1
  #nextKey = 1_000_001
  readonly #keys = new Keys(2_000_000)

  constructor(user: string) {
    this.#user = user
    const dial = () => this.#dial()
    this.WebSocket = function () {
      return dial()
    } as unknown as new (url: string) => SocketLike
  }

  push(channel: AnyChannel, state: unknown, runtime: Values = {}): void {
    const source = this.#source(channel)
    source.runtime = { ...source.runtime, ...runtime }
    source.failure = undefined
    const { model } = channel.spec
    source.store = this.newStore(channel)
    const rows = rowsOf(model, channel.anchor, state)
    const types = [...rows.keys()].map((name) => ({ name, fields: Object.keys(model.types[name].fields) }))
    const set = types.flatMap(({ name, fields }, type) =>
      [...(rows.get(name)?.values() ?? [])].map((row) => [type, fields.map((field) => row[field] ?? null)] as const),
    )
    source.store.attach(types, 'test', [false])
    source.store.receive(0, { v: 1, snapshot: 'only', set })
    if (source.stream !== undefined) this.#socket?.say(source.stream, { type: 'runtime', set: runtime })
    this.#show(source)
    for (const [stream, [route, say]] of this.#waiting) {
      if (route !== channel.route) continue
      this.#waiting.delete(stream)
      this.#open(stream, route, say)
    }
  }

  respond(channel: AnyChannel, name: string, answer: (...args: unknown[]) => unknown): void {
    if (!channel.spec.actions.includes(name)) throw new TypeError(`respond: ${channel.spec.name} has no action ${name}`)
    this.#source(channel).answers.set(name, answer)
  }

  deny(channel: AnyChannel, code: string, message: string): void {
    const source = this.#source(channel)
    source.failure = { code, message }
    if (source.stream !== undefined) this.#socket?.say(source.stream, { type: 'closed', code, message })
    source.stream = undefined
  }

  tell(channel: AnyChannel, payload: object): void {
    const { stream } = this.#source(channel)
    if (stream !== undefined) this.#socket?.say(stream, payload)
  }

  announce(payload: object): void {
    this.#socket?.say('@', payload)
  }

  drop(): void {
    this.up = false
    const socket = this.#socket
    this.#gone()
    socket?.onclose?.({ code: 1006, reason: '' })
  }

  #dial(): Socket {
    const socket = new Socket(
      (data) => {
        // As over a network: nothing is answered before the caller has returned.
        queueMicrotask(() => {
          if (socket !== this.#socket) return
          for (const envelope of [JSON.parse(data) as Envelope | Envelope[]].flat()) void this.#answer(socket, envelope)
        })
      },
      () => {
        if (socket === this.#socket) this.#gone()
      },
    )
    this.#socket = socket
    queueMicrotask(() => {
      if (!this.up) socket.onclose?.({ code: 1006, reason: '' })
      else {
        this.#hello()
        socket.onopen?.({} as never)
      }
    })
    return socket
  }

  #gone(): void {
    this.#socket = undefined
    this.#waiting.clear()
    this.streams.drop()
    for (const source of this.#sources.values()) source.stream = undefined
  }

  /** Says which types there are: more than before, once another channel is opened. */
  #hello(): void {
    const types = [...this.#types].map(([name, fields]) => ({ name, fields: [...fields] }))
    this.#socket?.say('@', { type: 'hello', protocol: 1, session: 'test', heartbeat: 2 ** 29, types })
  }

  #source(channel: AnyChannel): Source {
    const known = this.#sources.get(channel.key)
    if (known) return known
    const scope = `#${this.#sources.size + 1}`
    const source = { channel, store: undefined, runtime: {}, failure: undefined, answers: new Map(), stream: undefined, scope }
    this.#sources.set(channel.key, source)
    for (const [name, { fields }] of Object.entries(channel.spec.model.types)) {
      this.#types.set(name, new Set([...(this.#types.get(name) ?? []), ...Object.keys(fields)]))
    }
    return source
  }

  async #answer(socket: Socket, { stream, id, payload }: Envelope): Promise<void> {
    const say = (reply: object) => {
      if (socket === this.#socket && id !== undefined) socket.say(stream, reply, id)
    }
    if (payload.type === 'connect') say({ type: 'connected', user: this.#user })
    else if (payload.type === 'ping') say({ type: 'pong' })
    else if (payload.type === 'open' && payload.consumer !== undefined) say(this.streams.open(stream, payload.consumer, payload.route))
    else if (payload.type === 'open') this.#open(stream, payload.route, say)
    else if (payload.type === 'close') {
      this.streams.close(stream)
      for (const source of this.#sources.values()) if (source.stream === stream) source.stream = undefined
      say({ type: 'closed' })
    } else {
      try {
        const value = (await (payload.type === 'message' ? this.#take(stream, payload) : this.#carryOut(this.#shown(stream), payload))) ?? null
        this.#version++
        say({ type: 'result', value, version: this.#version })
      } catch (error) {
        const { code, message, ...details } = error instanceof PandoError ? error : new PandoError('internal', String(error))
        say({ type: 'error', code, message, retry: details.retry, fields: details.fields, retry_after: details.retryAfter })
      }
      if (socket === this.#socket) socket.say('@', { type: 'mark', v: this.#version })
    }
  }

  /** Opens what a test has pushed, or refuses; a channel of which it said nothing stays pending. */
  #open(stream: string, route: string, say: (reply: object) => void): void {
    const source = [...this.#sources.values()].find(({ channel }) => channel.route === route)
    if (source?.failure) {
      say({ type: 'error', ...source.failure })
      return
    }
    if (!source?.store) {
      this.#waiting.set(stream, [route, say])
      return
    }
    source.stream = stream
    this.#hello()
    this.#socket?.say(stream, { type: 'runtime', set: source.runtime })
    say({ type: 'opened', epoch: 'test', scopes: [{ id: source.scope, resumed: false }] })
    this.#show(source)
  }

  #take(stream: string, { data }: Told): unknown {
    const message = this.streams.read(stream, data)
    if (!message) {
      this.streams.subscribe(stream)
      return undefined
    }
    this.requests.push(message)
    return this.streams.carryOut(message)
  }

  #shown(stream: string): Source {
    for (const source of this.#sources.values()) if (source.stream === stream) return source
    throw new PandoError('unknown_stream', 'the stream is not open')
  }

  /** Sends all that the server has of a channel. */
  #show({ store, scope, stream }: Source): void {
    if (!store || stream === undefined) return
    const names = [...this.#types.keys()]
    const set = [...store.tables.values()].flatMap(({ name, fields, rows }) => {
      const places = [...(this.#types.get(name) ?? [])].map((field) => fields.indexOf(field))
      return [...rows.values()].map(({ values }) => [names.indexOf(name), places.map((place) => values[place] ?? null)])
    })
    this.#socket?.say(scope, { v: ++this.#version, snapshot: 'only', set })
  }

  async #carryOut(source: Source, request: Act | WriteRequest): Promise<unknown> {
    const { route, spec } = source.channel
    if (request.type === 'action') {
      const { name, args } = request
      this.requests.push({ kind: 'action', route, name, args })
      const answer = source.answers.get(name)
      if (!answer) throw new PandoError('unknown_action', `no answer to ${name}: tell by client.respond`)
      return answer(...args)
    }
    const { type: kind, of: type } = request
    const seen: TestRequest =
      request.type === 'save'
        ? { kind: request.type, route, type, id: request.id, data: request.data, ...(request.seen && { seen: request.seen }) }
        : request.type === 'create'
          ? { kind: request.type, route, type, data: request.data, ...(request.in && { in: request.in }) }
          : { kind: request.type, route, type, id: request.id }
    this.requests.push(seen)
    const value = await this.write(seen)
    const key = kind === 'create' ? `${(value ?? this.#nextKey++) as string | number}` : null
    const { store } = source
    if (store) {
      effectOf(new Effects(spec, this.#keys), request, key ?? '').lay(store, [])
      this.#show(source)
    }
    return key
  }
}

/** What a write does to the server's rows. */
function effectOf(effects: Effects, request: WriteRequest, key: string): Effect {
  const { of: type } = request
  if (request.type === 'save') return effects.save({ type, key: request.id }, request.data)
  if (request.type === 'delete') return effects.delete({ type, key: request.id })
  const [parent, above, relation = ''] = request.in ?? []
  const target = parent !== undefined && above !== undefined ? { type: parent, key: above } : undefined
  return effects.create({ type, key }, target, relation, request.data)
}
