/**
 * Looks into a client: its streams, the frames on its socket, and requests
 * under way. For panels and tests; a page that is shipped does without.
 *
 * @packageDocumentation
 */
import type { Client, ClientOptions, ConnectionStatus, PandoError, Readable, Snapshot, SystemMessage } from '@pando-sync/client'
import type { Core } from './client.js'
import { Listeners } from './listeners.js'
import type { Outbox } from './outbox.js'
import type { SocketLike } from './session.js'
import type { Stream } from './stream.js'

/** A stream as it is now. */
export interface StreamView {
  readonly name: string
  readonly channel: string
  readonly route: string
  /** How many callers keep it open. */
  readonly users: number
  readonly status: Snapshot<unknown, unknown>['status']
  readonly stale: boolean
  /** How far its newest scope has come; 0 while there is no whole state. */
  readonly version: number
  /** How many rows it holds, by instance type. */
  readonly instances: Readonly<Record<string, number>>
  /** How many of its requests are under way. */
  readonly pending: number
  readonly error: PandoError | undefined
}

/** One message of a frame. */
export interface FrameView {
  /** When it came or went, in milliseconds since 1970. */
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly stream: string
  /** The type of its payload; `state` for rows. */
  readonly type: string
  /** Its JSON text, cut after 10,000 characters. */
  readonly text: string
  /** The length of the whole text. */
  readonly length: number
}

/** A write, or an action that is applied once, whose effects are not shown yet. */
export interface RequestView {
  /** The key by which the server knows it again. */
  readonly key: string
  readonly kind: 'save' | 'create' | 'delete' | 'action' | 'message'
  readonly stream: string
  /** The instance type, the action's name, or that of a demultiplexer's stream. */
  readonly type: string
  readonly id: string | undefined
  /** What it sets, an action's arguments, or a message; undefined while it is held. */
  readonly data: unknown
  /**
   * `queued` waits for a connection, `held` for another request, `sent` for
   * its answer, and `confirmed` for the state that shows it.
   */
  readonly state: 'queued' | 'held' | 'sent' | 'confirmed'
}

/** All that is to be seen of a client at one moment. */
export interface Inspection {
  readonly connection: ConnectionStatus
  /** Whose the connection is: `''` is nobody; undefined before the first. */
  readonly user: string | undefined
  readonly system: SystemMessage | undefined
  readonly streams: readonly StreamView[]
  /** The newest last, and none from before the inspector was started. */
  readonly frames: readonly FrameView[]
  readonly writes: readonly RequestView[]
}

/** Watches a client until it is stopped. */
export interface Inspector extends Readable<Inspection> {
  readonly stop: () => void
}

/** Starts to watch a client, and keeps as many frames as `frames` says, 200 when left out. */
export function inspect(client: Client, { frames = 200 }: { readonly frames?: number } = {}): Inspector {
  return new Tap(client as unknown as Core, frames)
}

const cut = 10_000

type Dial = new (url: string, protocol?: string) => SocketLike

/**
 * It stands between the core and its socket, and hears of the core's flushes,
 * so that a core that nobody looks into pays nothing.
 */
class Tap implements Inspector {
  readonly #core: Core
  readonly #most: number
  readonly #listeners = new Listeners()
  readonly #ends: (() => void)[] = []
  #frames: readonly FrameView[] = []
  #current: Inspection | undefined
  #stopped = false

  constructor(core: Core, most: number) {
    this.#core = core
    this.#most = most
    const changed = () => {
      this.#changed()
    }
    this.#ends.push(core.connection.subscribe(changed), core.system.subscribe(changed))
    this.#hearFlushes()
    this.#hearSockets()
    const socket = core.link.session?.socket
    if (socket) this.#hear(socket)
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener)

  readonly get = (): Inspection => (this.#current ??= this.#look())

  readonly stop = (): void => {
    this.#stopped = true
    for (const end of this.#ends.splice(0)) end()
  }

  #changed(): void {
    this.#current = undefined
    if (!this.#stopped) this.#listeners.notify()
  }

  #hearFlushes(): void {
    const core = this.#core
    const before = core.flush.bind(core)
    const flush = () => {
      before()
      this.#changed()
    }
    core.flush = flush
    this.#ends.push(() => {
      // Another inspector may stand upon it; then this one stays below, and does nothing.
      if (core.flush === flush) core.flush = before
    })
  }

  /** Hears of every socket that is dialled from now on. */
  #hearSockets(): void {
    const core = this.#core as { options: ClientOptions }
    const before = core.options
    const hear = (socket: SocketLike) => {
      this.#hear(socket)
    }
    const WebSocket = function (url: string, protocol?: string): SocketLike {
      const socket = new (before.WebSocket ?? (globalThis as unknown as { WebSocket: Dial }).WebSocket)(url, protocol)
      // By then the session listens to it.
      queueMicrotask(() => {
        hear(socket)
      })
      return socket
    } as unknown as Dial
    const heard = (core.options = { ...before, WebSocket })
    this.#ends.push(() => {
      if (core.options === heard) core.options = before
    })
  }

  #hear(socket: SocketLike): void {
    const { onmessage } = socket
    if (this.#stopped || !onmessage) return
    const send = socket.send.bind(socket)
    socket.send = (text) => {
      this.#note('out', text)
      send(text)
    }
    socket.onmessage = (event) => {
      this.#note('in', String(event.data))
      onmessage(event)
    }
  }

  /** Keeps what one frame brings. */
  #note(direction: FrameView['direction'], text: string): void {
    if (this.#stopped) return
    const at = Date.now()
    const noted = messages(text).map(([stream, type, text]) => ({ at, direction, stream, type, text: text.slice(0, cut), length: text.length }))
    this.#frames = [...this.#frames, ...noted].slice(-this.#most)
    this.#changed()
  }

  #look(): Inspection {
    const core = this.#core
    const entries = [...((core.outbox as Outbox | undefined)?.entries ?? [])]
    return {
      connection: core.connection.get(),
      user: core.user,
      system: core.system.get(),
      streams: [...core.streams.values()].map((stream) => lookAtStream(stream, entries)),
      frames: this.#frames,
      writes: entries.map(lookAtEntry),
    }
  }
}

type Entry = Outbox['entries'] extends Set<infer E> ? E : never

/** The messages of a frame, each with its stream, its type and its text. */
function messages(text: string): readonly (readonly [stream: string, type: string, text: string])[] {
  try {
    const parsed = [JSON.parse(text)].flat() as readonly { readonly stream?: string; readonly payload?: { readonly type?: string } }[]
    return parsed.map((message) => [
      message.stream ?? '',
      message.payload?.type ?? 'state',
      parsed.length === 1 ? text : JSON.stringify(message),
    ])
  } catch {
    return [['', 'unreadable', text]]
  }
}

function lookAtStream(stream: Stream, entries: readonly Entry[]): StreamView {
  const { name, channel, users, store } = stream
  const { status, stale, error } = stream.get()
  return {
    name,
    channel: channel.spec.name,
    route: channel.route,
    users,
    status,
    stale,
    version: Math.max(0, ...(store.resume?.versions ?? [])),
    instances: Object.fromEntries([...store.tables].map(([type, { rows }]) => [type, rows.size])),
    pending: entries.filter((entry) => entry.stream === stream).length,
    error,
  }
}

function lookAtEntry(entry: Entry): RequestView {
  const { key, job, stream, session, result } = entry
  const request = requestOf(entry)
  const [first, rest = ''] = job.name.split(' ')
  const common = { key, stream: stream.name, state: result ? 'confirmed' : session ? 'sent' : request ? 'queued' : 'held' } as const
  if (request?.type === 'message') return { ...common, kind: 'message', type: rest, id: undefined, data: request.data }
  if (request?.type === 'action') return { ...common, kind: 'action', type: request.name, id: undefined, data: request.args }
  const kind = request?.type ?? (first as RequestView['kind'])
  const type = request?.of ?? rest
  return { ...common, kind, type, id: request && 'id' in request ? request.id : undefined, data: request && 'data' in request ? request.data : undefined }
}

/** What is sent, if that can be told yet. */
function requestOf({ job }: Entry): ReturnType<Entry['job']['request']> {
  try {
    return job.request()
  } catch {
    return undefined // the one that it waits for has failed; this one is about to
  }
}
