import type { AnyChannel } from './channel.js'
import type { Core } from './client.js'
import type { Act, Reply, Request, Result, Told, WriteRequest } from './frames.js'
import type { Session } from './session.js'
import type { Stream } from './stream.js'
import { PandoError } from '@pando-sync/client'

/** What may be asked of a stream. */
export type Asked = Act | WriteRequest | Told

/** A request. */
export interface Job {
  /** What messages call it by. */
  readonly name: string
  /** Whether it is applied once, so that it may be sent again. */
  readonly once: boolean
  /** Whether it is sent without an id: nobody answers. */
  readonly posts?: boolean
  /**
   * What to send, or undefined while it waits for another request.
   *
   * @throws PandoError when that one has failed.
   */
  readonly request: () => Asked | undefined
  /** Hears that it was sent, perhaps again. */
  readonly sent?: () => void
  /** Hears that it has to be sent again. */
  readonly lost?: () => void
  /** Hears of the result, which the state may not show yet. */
  readonly replied?: (value: unknown) => void
  /** Hears that it is over, before the promise does. */
  readonly over?: (error?: PandoError) => void
}

/** How long a request is sent again after its first sending. */
const patience = 600_000

/** How many may wait for their answers; one more is refused. */
const most = 1_000

type Timer = ReturnType<typeof setTimeout>

/** A job from its submission to its end. */
export class Entry {
  readonly job: Job
  readonly stream: Stream
  /** By which the server knows it again, if it is applied once. */
  readonly key = randomKey()
  readonly promise: Promise<unknown>
  /** The connection on which it was sent and not answered to the end. */
  session: Session | undefined
  /** What it came to, once that is known. */
  result: Result | undefined
  /** Whether it was ever sent. */
  tried = false
  /** Whether it was made before there was a connection, and goes out with the first. */
  dials = false
  /** Whose it is. */
  readonly user: string | undefined
  /** Runs while it waits for its answer on one connection. */
  answer: Timer | undefined
  /** Runs from the first sending, which was at `first`. */
  deadline: Timer | undefined
  first = 0
  settle: (error: PandoError | undefined) => void = () => undefined

  constructor(job: Job, stream: Stream, user: string | undefined) {
    this.job = job
    this.stream = stream
    this.user = user
    this.promise = new Promise((resolve, reject) => {
      this.settle = (error) => {
        if (error && !this.result) reject(error)
        else resolve(this.result?.value)
      }
    })
  }
}

/** The outbox of a client. */
export function outboxOf(core: Core): Outbox {
  const outbox = (core.outbox as Outbox | undefined) ?? new Outbox(core)
  core.outbox = outbox
  return outbox
}

/**
 * The requests of a client, from their submission until the state shows what
 * they did. One that is applied once has a random key, by which the server
 * knows it again when it is sent after the connection was lost; any other is
 * over then.
 *
 * ```
 * waiting ─► sent ─► answered ─► over
 *    ▲         └── lost ──┘
 *    └─────────────┘
 * ```
 *
 * The requests of one stream are sent in the order in which they were made;
 * one that has to wait for another holds back those behind it. The first
 * connection is waited for while it is made; once one is lost, as many wait for
 * the next as `ClientOptions.queue` says.
 */
export class Outbox {
  /** In the order of submission. */
  readonly entries = new Set<Entry>()
  /** What the writes among them share: see `writes.ts`. */
  ledger: unknown
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  /** Takes a job; `began` is called before anything is sent. The promise rejects with a PandoError, or with what JSON says of a request that it cannot hold. */
  async submit(channel: AnyChannel, job: Job, began?: (entry: Entry) => void): Promise<unknown> {
    const core = this.#core
    const dials = isDialling(core)
    if (!dials && !onlineOf(core) && (!job.once || this.#waiting >= (core.options.queue ?? 0))) throw offline(job)
    if (this.entries.size >= most) throw new PandoError('rate_limited', `${job.name}: too many wait`, { retry: true })
    const release = core.hold(channel, () => () => undefined)
    const entry = new Entry(job, core.opened(channel), core.user)
    entry.dials = dials
    this.entries.add(entry)
    began?.(entry)
    core.flush()
    try {
      return await entry.promise
    } finally {
      release()
    }
  }

  /** Sends what can be sent, and ends what cannot be sent any more. */
  pump(): void {
    const session = onlineOf(this.#core)
    const held = new Set<Stream>()
    for (const entry of [...this.entries]) {
      if (entry.session && entry.session !== session) this.#lose(entry)
      else if (entry.result && (entry.result.version ?? 0) <= (entry.session?.reached ?? 0)) this.end(entry)
      const error = this.#refusal(entry)
      if (error) this.end(entry, error)
      if (!this.entries.has(entry) || entry.session) continue
      const { stream, job } = entry
      try {
        const request = job.request()
        if (request && session && stream.asked && !held.has(stream)) this.#send(entry, session, request)
        else held.add(stream)
      } catch (error) {
        // What it waits for has failed, or it cannot be sent.
        this.end(entry, error as PandoError)
      }
    }
  }

  /** Ends an entry, with its result if that is known. */
  end(entry: Entry, error?: PandoError): void {
    if (!this.entries.delete(entry)) return
    clearTimeout(entry.answer)
    clearTimeout(entry.deadline)
    entry.job.over?.(entry.result ? undefined : error)
    entry.settle(error)
  }

  get #waiting(): number {
    return [...this.entries].filter(({ tried }) => !tried).length
  }

  /** Why an entry must not be sent any more. */
  #refusal({ stream, user, tried, job, first, dials }: Entry): PandoError | undefined {
    const outcome = tried ? 'unknown' : 'failed'
    const { error } = stream
    // Timers stand still while a machine sleeps, and a server forgets keys.
    if (tried && Math.abs(Date.now() - first) > patience) {
      return new PandoError('lost', `${job.name}: no answer for ten minutes`, { outcome })
    }
    if (error && !error.retry) return new PandoError(error.code, `${job.name}: ${error.message}`, { outcome })
    if (dials && !tried && !onlineOf(this.#core) && !isDialling(this.#core)) return offline(job)
    if (user === undefined || user === this.#core.user) return undefined
    return new PandoError('denied', `${job.name}: another user is connected`, { outcome })
  }

  #lose(entry: Entry): void {
    // A frame that the server does not take would cost the next connection, too.
    const code = entry.session?.code === 1009 ? 'too_large' : 'lost'
    clearTimeout(entry.answer)
    entry.session = undefined
    entry.job.lost?.()
    const { name, once } = entry.job
    if (!once || code !== 'lost') this.end(entry, new PandoError(code, `${name}: connection lost before the answer`, { outcome: 'unknown' }))
  }

  #send(entry: Entry, session: Session, request: Asked): void {
    const { job, key, stream } = entry
    if (job.posts) {
      session.socket.send(JSON.stringify({ stream: stream.name, payload: plain(request) }))
      this.end(entry)
      return
    }
    entry.session = session
    entry.first ||= Date.now()
    entry.deadline ??= this.#limit(entry, patience, 'lost', 'no answer for ten minutes')
    entry.answer = this.#limit(entry, this.#core.options.actionTimeout ?? 30_000, 'timeout', 'no answer in time')
    entry.tried = true
    job.sent?.()
    session.request(stream.name, plain({ ...request, ...(job.once && { key }) }), (reply) => {
      this.#answered(entry, session, reply)
    })
  }

  #limit(entry: Entry, ms: number, code: string, message: string): Timer {
    return setTimeout(() => {
      this.end(entry, new PandoError(code, `${entry.job.name}: ${message}`, { outcome: 'unknown' }))
      this.#core.flush()
    }, ms)
  }

  #answered(entry: Entry, session: Session, reply: Reply | undefined): void {
    if (entry.session !== session) return
    if (reply?.type === 'error') this.end(entry, new PandoError(reply.code, reply.message, reply))
    else if (reply?.type === 'result') {
      entry.result = reply
      entry.job.replied?.(reply.value)
    }
  }
}

/** The session, while it is identified. */
function onlineOf({ connection, link }: Core): Session | undefined {
  return connection.get() === 'online' ? link.session : undefined
}

/** Whether there was no connection yet: what is asked for then makes it. */
function isDialling({ connection }: Core): boolean {
  return ['idle', 'connecting'].includes(connection.get())
}

function offline({ name }: Job): PandoError {
  return new PandoError('offline', `${name}: not connected`, { retry: true })
}

/** The request as it is now, in JSON's values: large integers travel as strings. */
export function plain<R extends Request>(request: R): R {
  return JSON.parse(JSON.stringify(request, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) as R
}

/** 24 of `[A-Za-z0-9_]`: more than 128 random bits. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18))
  return btoa(String.fromCharCode(...bytes)).replace(/\W/g, '_')
}
