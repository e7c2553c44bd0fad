/**
 * State that goes from a server's rendering to the page: `preload` and
 * `dehydrate` there, `hydrate` here. The page shows it at once, and its
 * streams go on from the version that it has.
 *
 * @packageDocumentation
 */
import type { AnyChannel } from './channel.js'
import type { Core } from './client.js'
import type { StateFrame } from './frames.js'
import { pending } from './snapshot.js'
import type { Stream } from './stream.js'
import { PandoError } from '@pando-sync/client'
import type { Channel, Client, Snapshot } from '@pando-sync/client'

/** What `hydrate` takes: plain JSON, to be put into the page. */
export interface Dehydrated {
  /** Whose state it is; `''` is nobody in particular. */
  readonly user: string
  readonly streams: readonly DehydratedStream[]
}

/** The rows of one stream, as frames have them. */
export interface DehydratedStream {
  /** The channel and its arguments. */
  readonly key: string
  /** The schema hash of the channel. */
  readonly hash: string
  readonly epoch: string
  readonly types: readonly { readonly name: string; readonly fields: readonly string[] }[]
  /** The version and the rows of each scope. */
  readonly scopes: readonly { readonly v: number; readonly set: NonNullable<StateFrame['set']> }[]
  readonly runtime: Readonly<Record<string, unknown>> | undefined
}

/**
 * Opens a channel and waits until it is live, denied or failed. For a server,
 * where the stream stays open until the client is closed.
 */
export function preload<State, Types, Actions, Runtime, Writes>(
  client: Client,
  channel: Channel<State, Types, Actions, Runtime, Writes>,
): Promise<Snapshot<State, Runtime>> {
  const handle = client.get(channel)
  return new Promise((resolve) => {
    const look = () => {
      const snapshot = handle.get()
      if (snapshot.status !== 'pending') resolve(snapshot)
    }
    handle.subscribe(look)
    look()
  })
}

/** All streams of a client that hold a whole state, without writes that are not confirmed. */
export function dehydrate(client: Client): Dehydrated {
  const { user = '', streams } = client as unknown as Core
  return { user, streams: [...streams.values()].flatMap(drain) }
}

/**
 * Gives a client what was dehydrated, before anything of it is used. What is
 * of another user than the client's is ignored, as are streams of channels
 * that were declared in another way.
 */
export function hydrate(client: Client, data: Dehydrated): void {
  const core = client as unknown as Core
  if (core.user !== undefined && core.user !== data.user) return
  core.user = data.user
  core.seeded = once(data, (channel) => core.add(channel))
  core.hydrated = still(core, data)
}

/**
 * Reads a channel's nested state by HTTP, without a stream: `url` is the
 * address of the app, under which there is `/state`.
 *
 * It rejects with a PandoError, of code `not_found` where there is no anchor.
 */
export async function fetchState<State, Types, Actions, Runtime, Writes>(
  url: string | URL,
  channel: Channel<State, Types, Actions, Runtime, Writes>,
  init?: RequestInit,
): Promise<NonNullable<State>> {
  const response = await fetch(`${String(url).replace(/\/$/, '')}/state/${channel.route}`, init)
  if (response.ok) return (await response.json()) as NonNullable<State>
  const { error } = (await response.json().catch(() => ({}))) as { readonly error?: { readonly code: string; readonly message: string } }
  const { code, message } = error ?? { code: 'unavailable', message: `status ${response.status}` }
  throw new PandoError(code, `fetchState: ${message}`, { retry: response.status === 503 })
}

/** What the server rendered: nothing of it ever changes. */
function still(core: Core, data: Dehydrated): Pick<Client, 'get'> {
  const find = once(data, (channel) => core.make(channel))
  const streams = new Map<string, Stream | undefined>()
  const fresh = new Map<string, Snapshot<never, never>>()
  return {
    get: (channel) => {
      const stream = streams.get(channel.key) ?? find(channel)
      const handle = core.get(channel)
      streams.set(channel.key, stream)
      // What the page was rendered without was pending there, whatever has come since.
      const rendered = () => (stream ? ({ ...stream.get(), stale: false } as Snapshot<never, never>) : pending)
      const snapshot = fresh.get(channel.key) ?? rendered()
      fresh.set(channel.key, snapshot)
      const subscribe = () => () => undefined
      return {
        ...handle,
        subscribe,
        get: () => snapshot,
        find: () => stream,
        hold: subscribe,
      }
    },
  }
}

/** Makes streams of what was dehydrated, each when it is first asked for. */
function once({ streams }: Dehydrated, make: (channel: AnyChannel) => Stream): NonNullable<Core['seeded']> {
  const seeds = new Map(streams.map((stream) => [stream.key, stream]))
  return (channel) => {
    const seed = seeds.get(channel.key)
    seeds.delete(channel.key)
    return seed?.hash === channel.spec.hash ? fill(make(channel), seed) : undefined
  }
}

function fill(stream: Stream, { epoch, types, scopes, runtime }: DehydratedStream): Stream {
  const { store } = stream
  store.attach(types, epoch, scopes.map(() => false))
  for (const [scope, { v, set }] of scopes.entries()) store.receive(scope, { v, set, snapshot: 'only' })
  if (runtime) stream.receive({ type: 'runtime', set: runtime })
  return stream
}

function drain(stream: Stream): DehydratedStream[] {
  const { channel, store } = stream
  const { resume } = store
  if (!resume) return []
  const tables = [...store.tables.values()]
  const rowsOf = (scope: number) =>
    tables.flatMap(({ rows }, type) =>
      [...rows.values()].filter(({ held }) => (held & (1 << scope)) !== 0).map(({ values }) => [type, values] as const),
    )
  return [
    {
      key: channel.key,
      hash: channel.spec.hash,
      epoch: resume.epoch,
      types: tables.map(({ name, fields }) => ({ name, fields })),
      scopes: store.alter(() => resume.versions.map((v, scope) => ({ v, set: rowsOf(scope) }))),
      runtime: stream.get().runtimeState,
    },
  ]
}
