import type { BoundRow, Pk } from '@pando-sync/client'
import { PandoError } from '@pando-sync/client'

/** What a page sent to a stream of a demultiplexer. */
export interface TestMessage {
  readonly kind: 'message'
  /** The name of the stream, and its path if it was given one. */
  readonly stream: string
  readonly at: string | undefined
  readonly payload: Readonly<Record<string, unknown>>
}

/** Which stream a test means. */
export interface TestStream {
  readonly at?: string
}

/** What a test said of one stream. */
interface Source {
  readonly name: string
  readonly at: string | undefined
  /** Undefined before a test pushed some. */
  rows: Map<string, BoundRow> | undefined
  failure: { readonly code: string; readonly message: string } | undefined
  /** The streams of the present connection, and whether each has subscribed. */
  readonly streams: Map<string, boolean>
}

type Say = (stream: string, payload: object) => void

const model = 'test'

/** The streams of a test's demultiplexers. */
export class TestStreams {
  /** Answers a message, in another way than a binding would. */
  answer: (message: TestMessage) => unknown = () => undefined
  readonly #say: Say
  readonly #sources = new Map<string, Source>()
  #nextKey = 1_000_001

  constructor(say: Say) {
    this.#say = say
  }

  push(name: string, rows: readonly BoundRow[], { at }: TestStream = {}): void {
    const source = this.#source(name, at)
    source.failure = undefined
    source.rows = new Map(rows.map((row) => [String(row.pk), row]))
    for (const [stream, subscribed] of source.streams) if (subscribed) this.#snapshot(stream, source)
  }

  tell(name: string, payload: object, { at }: TestStream = {}): void {
    for (const stream of this.#source(name, at).streams.keys()) this.#say(stream, { type: 'message', data: payload })
  }

  gap(name: string, { at }: TestStream = {}): void {
    const source = this.#source(name, at)
    for (const [stream, subscribed] of source.streams) {
      this.#say(stream, { type: 'gap' })
      if (subscribed) this.#snapshot(stream, source)
    }
  }

  deny(name: string, failure: { readonly code: string; readonly message: string }, { at }: TestStream = {}): void {
    const source = this.#source(name, at)
    source.failure = failure
    for (const stream of source.streams.keys()) this.#say(stream, { type: 'closed', ...failure })
    source.streams.clear()
  }

  /** Opens a stream, or says why not. */
  open(stream: string, name: string, at: string | undefined): object {
    const source = this.#source(name, at)
    if (source.failure) return { type: 'error', ...source.failure }
    source.streams.set(stream, false)
    return { type: 'opened', consumer: name, scopes: [] }
  }

  close(stream: string): void {
    for (const { streams } of this.#sources.values()) streams.delete(stream)
  }

  /** Forgets the connection. */
  drop(): void {
    for (const { streams } of this.#sources.values()) streams.clear()
  }

  /** What a message says, undefined where it only subscribes. */
  read(stream: string, data: unknown): TestMessage | undefined {
    const { name, at } = this.#of(stream)
    const payload = data as TestMessage['payload']
    return payload.action === 'subscribe' ? undefined : { kind: 'message', stream: name, at, payload }
  }

  subscribe(stream: string): void {
    const source = this.#of(stream)
    source.streams.set(stream, true)
    this.#snapshot(stream, source)
  }

  /** Carries a message out as a binding would, unless the test answers otherwise. */
  async carryOut(message: TestMessage): Promise<unknown> {
    const answer = await this.answer(message)
    const source = this.#source(message.stream, message.at)
    const { action, pk, data } = message.payload
    if (answer !== undefined || !source.rows || !['create', 'update', 'delete'].includes(String(action))) return answer
    const key = action === 'create' ? this.#nextKey++ : (pk as Pk)
    const before = source.rows.get(String(key))
    if (action !== 'create' && !before) throw new PandoError('not_found', `${message.stream}: there is no row ${key}`)
    const told = action === 'delete' ? { action, pk: key, model } : { action, pk: key, data: { ...(before?.data as object), ...(data as object) }, model }
    if (told.data) source.rows.set(String(key), { pk: key, data: told.data })
    else source.rows.delete(String(key))
    this.tell(message.stream, told, { ...(message.at !== undefined && { at: message.at }) })
    return told
  }

  #of(stream: string): Source {
    for (const source of this.#sources.values()) if (source.streams.has(stream)) return source
    throw new PandoError('unknown_stream', 'the stream is not open')
  }

  #source(name: string, at: string | undefined): Source {
    const key = JSON.stringify([name, at])
    const source = this.#sources.get(key) ?? { name, at, rows: undefined, failure: undefined, streams: new Map() }
    this.#sources.set(key, source)
    return source
  }

  #snapshot(stream: string, { rows }: Source): void {
    if (rows) this.#say(stream, { type: 'message', data: { action: 'snapshot', model, rows: [...rows.values()] } })
  }
}
