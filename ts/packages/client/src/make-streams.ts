import type { AnyChannel } from './channel.js'
import type { Core } from './client.js'
import { Line } from './line.js'
import { outboxOf, plain } from './outbox.js'
import { rowOrder } from './row-order.js'
import { pending } from './snapshot.js'
import type { Store } from './store.js'
import type { Shown, Stream } from './stream.js'
import type { BindingHandle, BindingSpec, BindingState, Pk, Streaming, StreamOptions } from '@pando-sync/client'

/** The bindings of an app by the names of their streams. */
export type StreamSpecs = Readonly<Record<string, BindingSpec>>

/** Gives a client its streams. Those of several apps go together as `streamsOf({ ...a.specs, ...b.specs })`. */
export function streamsOf<const Specs extends StreamSpecs>(specs: Specs = {} as Specs): Streaming & { readonly specs: Specs } {
  const open = (core: Core) => {
    const states = new WeakMap<object, BindingState>()
    return (name: string, options: StreamOptions = {}): BindingHandle =>
      handleOf(core, referTo(core, name, { ...(Object.hasOwn(specs, name) && specs[name]), ...options }), states)
  }
  return Object.assign(open, { specs })
}

/** What to open, in the form of a channel: the same for the same name, path and order. */
function referTo(core: Core, name: string, options: StreamOptions & BindingSpec): AnyChannel & Shown {
  const { at, orderBy = [] } = options
  const order = rowOrder(options)
  const ref = {
    spec: { name, hash: '', route: at ?? '', params: {}, actions: [], model: { root: 0, types: {}, layers: [] } },
    // At a demultiplexer's own address the path is known.
    route: at,
    key: JSON.stringify([name, at, orderBy]),
    anchor: '',
    consumer: name,
    // The stream asks for another one when what it holds is to be forgotten.
    keep: (stream: Stream) => ((lineOf(stream) as Line | undefined)?.clear() ?? new Line(core, stream, order)) as unknown as Store,
  }
  return ref as object as AnyChannel & Shown
}

function lineOf(stream: Stream): Line {
  return stream.store as unknown as Line
}

const none: BindingState['rows'] = []

function handleOf(core: Core, ref: AnyChannel & Shown, states: WeakMap<object, BindingState>): BindingHandle {
  const { name } = ref.spec
  const hold = (attach: (stream: Stream) => () => void) => core.hold(ref, attach)
  const get = () => {
    const snapshot = core.find(ref)?.get() ?? pending
    const { status, stale, error, state } = snapshot
    const shown = states.get(snapshot) ?? ({ status, stale, error, rows: state ?? none, retry } as BindingState)
    states.set(snapshot, shown)
    return shown
  }
  const retry = () => core.find(ref)?.retry()
  const submit = async (what: string, data: unknown, posts = false) => {
    // What the page does with the payload afterwards is no part of it.
    const request = plain({ type: 'message', data })
    return outboxOf(core).submit(ref, { name: `${what} ${name}`, once: false, posts, request: () => request })
  }
  const write = (action: 'create' | 'update' | 'delete', row: object) =>
    submit(action, { action, ...row }) as ReturnType<BindingHandle['create']>
  return {
    status: { subscribe: (listener) => hold((stream) => stream.listeners.add(listener)), get },
    subscribe: (listener) =>
      hold((stream) => {
        lineOf(stream).want()
        return stream.listeners.add(listener)
      }),
    get,
    onMessage: (listener) =>
      hold((stream) =>
        stream.notices.add((frame) => {
          if (frame.type === 'message') listener(frame.data)
        }),
      ),
    onGap: (listener) => hold((stream) => lineOf(stream).gaps.add(listener)),
    send: (payload) => submit('send', payload, true) as Promise<void>,
    request: (payload) => submit('request', payload),
    create: (data) => write('create', { data }),
    update: (pk: Pk, data) => write('update', { pk, data }),
    delete: (pk: Pk) => write('delete', { pk }),
    retry,
  }
}
