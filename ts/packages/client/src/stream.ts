import { Backoff } from './backoff.js'
import type { AnyChannel } from './channel.js'
import { deepEqual } from './equal.js'
import { denials, PandoError } from './errors.js'
import type { Failure, Opened, Reply, StreamFrame } from './frames.js'
import { Listeners } from './listeners.js'
import { Store } from './store.js'
import type { Scopes } from './scopes.js'
import type { Session } from './session.js'
import { pending, type Denied, type Failed, type Snapshot } from './snapshot.js'
import type { Watchers } from './watchers.js'

/** What a stream shows, if not the scopes of a channel: see `make-streams.ts`. */
export interface Shown {
  /** A consumer's name, where the route is a demultiplexer's path. */
  readonly consumer?: string
  /** Makes what the stream keeps, in the place of a store of rows. */
  readonly keep?: (stream: Stream) => Store
}

/** What a stream needs of its client. */
export interface StreamHost {
  /** The scopes of the present connection. */
  readonly scopes: Scopes
  /** The session, while it is open. */
  session(): Session | undefined
  /** Opens the channel's stream as soon as that can be, or shows why it never can. */
  opened(channel: AnyChannel): unknown
  /** Asks for `notify` once everything that came together has been applied. */
  changed(stream: Stream): void
}

type Runtime = Readonly<Record<string, unknown>>

const noRuntime: Runtime = {}

/**
 * One subscription: a channel with its arguments, shared by everyone who
 * listens. It keeps its store over connections, to go on from where it was.
 */
export class Stream {
  name: string
  readonly channel: AnyChannel & Shown
  /** How many callers keep the stream open. */
  users = 0
  store: Store
  /** Who hears of every change. */
  readonly listeners = new Listeners()
  /** Who hears of single instances, if anyone does: see `instance.ts`. */
  watchers: Watchers | undefined
  /** Who hears of notices, and of all else that is no state. */
  readonly notices = new Listeners<StreamFrame>()
  readonly #host: StreamHost
  readonly #backoff = new Backoff()
  /** Counts opens and their ends, so that the reply to an older one is told apart. */
  #turn = 0
  /** Whether the server was asked to open it on the present connection. */
  asked = false
  #opened = false
  #runtime: Runtime | undefined
  /** The next runtime frame is the whole of it. */
  #runtimeAnew = true
  error: PandoError | undefined
  /** Whose server does not fit the page; the next one may be of another release. */
  #misfit: Session | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #current: Snapshot<unknown, Runtime> | undefined

  constructor(name: string, channel: AnyChannel & Shown, host: StreamHost) {
    this.name = name
    this.channel = channel
    this.#host = host
    this.store = newStore(this)
  }

  /** The stream as it is now; the same object until it changes. */
  get(): Snapshot<unknown, Runtime> {
    return (this.#current ??= this.#snapshot())
  }

  /** Opens the stream unless it is open, or has failed in a way that trying again on this connection does not mend. */
  open(session: Session): void {
    if (this.asked || (this.error?.retry === false && (this.#misfit ?? session) === session)) return
    clearTimeout(this.#timer)
    this.asked = true
    this.#runtimeAnew = true
    const turn = ++this.#turn
    const { resume } = this.store
    const { route, consumer } = this.channel
    session.request(this.name, { type: 'open', route, consumer, resume }, (reply) => {
      if (turn === this.#turn) this.#answered(session, reply)
    })
  }

  /** Opens the stream if there is a session. */
  reopen(): void {
    const session = this.#host.session()
    if (session) this.open(session)
  }

  /** Closes the stream on the server. */
  close(): void {
    if (this.asked) this.#host.session()?.request(this.name, { type: 'close' })
    this.down()
  }

  /** Takes note that the stream is not open any more. */
  down(): void {
    clearTimeout(this.#timer)
    this.asked = this.#opened = false
    this.#turn++
    this.#host.scopes.leave(this)
    this.touch()
  }

  /** Shows an error, and forgets the state if the user may not see it. */
  fail(error: PandoError): void {
    this.down()
    this.error = error
    this.#misfit = undefined
    if (error.code in denials) this.#forget()
    this.watchers?.touchAll()
  }

  /** Shows what the server refused the stream with, and opens it again if that may help. */
  refused(failure: Omit<Failure, 'type'>): void {
    this.fail(new PandoError(failure.code, failure.message, failure))
    if (!failure.retry) return
    this.#timer = setTimeout(() => {
      this.reopen()
    }, Math.max(failure.retry_after ?? 0, this.#backoff.next()))
  }

  /** Forgets an error and opens the stream again. */
  readonly retry = (): void => {
    if (!this.error) return
    this.error = undefined
    this.touch()
    this.watchers?.touchAll()
    this.#host.opened(this.channel)
    this.notify()
  }

  /** Takes a frame that came without being asked for. */
  receive(frame: StreamFrame): void {
    if (frame.type === 'runtime') this.#setRuntime(frame.set)
    else if (frame.type !== 'closed') this.notices.notify(frame)
    else if (this.asked) {
      const { code = 'closed', message = 'closed by the server' } = frame
      this.refused({ code, message, retry: code === 'unavailable' })
    }
  }

  /** Forgets all that it holds, which was another user's, and opens anew, under a name that the server need not free first. */
  restart(name: string): void {
    this.close()
    this.name = name
    this.error = undefined
    this.#forget()
    this.reopen()
  }

  /** Takes note of a change, which listeners hear of with the next `notify`. */
  touch(): void {
    this.#current = undefined
    this.#host.changed(this)
  }

  /** Tells listeners of what has changed. */
  notify(): void {
    this.listeners.notify()
    this.watchers?.notify()
  }

  #answered(session: Session, reply: Reply | undefined): void {
    if (reply?.type === 'opened') this.#accepted(session, reply)
    else if (reply?.type === 'error') {
      if (reply.code === 'unauthenticated') session.end(4401, reply.message)
      else this.refused(reply)
    }
  }

  #accepted(session: Session, opened: Opened): void {
    const types = session.hello?.types ?? []
    const lost = this.store.lacks(types)
    if (lost) {
      this.close()
      this.fail(new PandoError('schema', `the server lacks ${lost}: reload the page`))
      this.#misfit = session
      return
    }
    this.#opened = true
    this.error = undefined
    this.#backoff.connected()
    this.#show(this.#host.scopes.join(this, types, opened))
  }

  #forget(): void {
    this.#runtime = undefined
    this.#show(newStore(this))
  }

  #show(store: Store): void {
    if (store !== this.store) this.watchers?.touchAll()
    this.store = store
    this.touch()
  }

  #setRuntime(set: Runtime): void {
    const next = this.#runtimeAnew ? set : { ...this.#runtime, ...set }
    this.#runtimeAnew = false
    if (deepEqual(next, this.#runtime)) return
    this.#runtime = next
    this.touch()
  }

  #snapshot(): Snapshot<unknown, Runtime> {
    const { store, retry, error } = this
    const { complete } = store
    const runtimeState = this.#runtime
    const known = { ...pending, runtimeState, retry }
    const state = store.state()
    // An error that heals by itself is not worth a blank page.
    if (error && !(error.retry && complete)) {
      // Nothing is held of what is denied.
      const status = error.code in denials ? 'denied' : 'error'
      return { ...known, status, state: complete ? state : undefined, stale: complete, error } as Denied | Failed<unknown, Runtime>
    }
    return complete
      ? { ...known, status: 'live', state, runtimeState: runtimeState ?? noRuntime, stale: !this.#opened || store.awaiting }
      : { ...known, loading: state ?? undefined }
  }
}

function newStore(stream: Stream): Store {
  const { spec, anchor, keep } = stream.channel
  return keep?.(stream) ?? new Store(spec.model, anchor, spec)
}
