import type { Core } from './client.js'
import type { StreamFrame } from './frames.js'
import { Listeners } from './listeners.js'
import { RowStore, type SnapshotPart } from './rows.js'
import type { Store } from './store.js'
import type { Stream } from './stream.js'
import type { BoundRow, RowTold } from './stream-types.js'
import type { Compare } from './compare.js'

/**
 * What a stream of a demultiplexer keeps, in the place of a channel's store: the
 * rows of a binding, once anyone asks for them.
 *
 * ```
 *            want              the last part             gap, a new connection
 * no rows ─────────► pending ────────────────► live ─────────────────────────► stale
 *                                               ▲        the last part           │
 *                                               └────────────────────────────────┘
 * ```
 *
 * The connection's loss makes it stale too, as it does channels. On the next one
 * it subscribes again; after a gap the server sends a snapshot by itself.
 */
export class Line implements Pick<Store, 'complete' | 'awaiting' | 'resume' | 'streams' | 'state' | 'lacks' | 'attach'> {
  /** The stream, while it is open. */
  readonly streams: Store['streams'] = new Set()
  /** Who hears that something may have been missed. */
  readonly gaps = new Listeners()
  /** As inspectors look at a store. */
  readonly tables: Store['tables']
  /** Nothing goes on from where it was: rows come anew. */
  readonly resume = undefined
  readonly #core: Core
  readonly #stream: Stream
  readonly #order: Compare<BoundRow>
  #rows: RowStore
  /** Whether anyone asks for the rows. */
  #wanted = false
  #awaits = false
  /** Whether it was open since it was cleared. */
  #opened = false
  /** Whether it was ever open. */
  #known = false
  /** Counts subscriptions, so that the reply to an older one is told apart. */
  #turn = 0

  constructor(core: Core, stream: Stream, order: Compare<BoundRow>) {
    this.#core = core
    this.#stream = stream
    this.#order = order
    this.#rows = new RowStore(order)
    const counted = { get: () => this.#rows.size }
    this.tables = new Map([[stream.channel.spec.name, { rows: Object.defineProperty({}, 'size', counted) }]]) as unknown as Store['tables']
    stream.notices.add((frame) => {
      this.#hear(frame)
    })
  }

  /** Whether there is all that was asked for. */
  get complete(): boolean {
    return this.#wanted ? this.#rows.complete : this.#opened
  }

  get awaiting(): boolean {
    return this.#awaits
  }

  state(): readonly BoundRow[] {
    return this.#rows.read()
  }

  lacks(): undefined {
    return undefined
  }

  /** Goes on with another connection. */
  attach(): void {
    const again = this.#known
    this.#opened = this.#known = true
    if (this.#wanted) this.#subscribe()
    if (again) this.gaps.notify()
  }

  /** Asks for the rows, from now on. */
  want(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#stream.touch()
    if (this.streams.size > 0) this.#subscribe()
  }

  /** Forgets what it holds. */
  clear(): this {
    this.#rows = new RowStore(this.#order)
    this.#opened = this.#awaits = false
    this.#turn++
    return this
  }

  #subscribe(): void {
    this.#rows.breakOff()
    this.#awaits = true
    const turn = ++this.#turn
    const stream = this.#stream
    const session = this.#core.session()
    session?.request(stream.name, { type: 'message', data: { action: 'subscribe' } }, (reply) => {
      if (reply?.type !== 'error' || turn !== this.#turn) return
      // Opened again it may be only once the server has closed it.
      session.request(stream.name, { type: 'close' }, () => {
        if (turn === this.#turn) stream.refused(reply)
      })
    })
  }

  #hear(frame: StreamFrame): void {
    if (frame.type === 'gap') this.#gap()
    else if (frame.type === 'message' && this.#wanted && frame.data) this.#take(frame.data)
    else if (frame.type === 'error') console.error(`pando: ${this.#stream.channel.spec.name}: ${frame.code}: ${frame.message}`)
  }

  #gap(): void {
    this.#rows.breakOff()
    this.#awaits = this.#wanted
    this.#stream.touch()
    this.gaps.notify()
  }

  #take(told: SnapshotPart | RowTold | { readonly action?: undefined }): void {
    if (told.action === 'snapshot') {
      if (!this.#rows.part(told)) return
      this.#awaits = false
    } else if (!this.#rows.complete || !isChange(told) || !this.#rows.apply(told)) return // a snapshot to come has it
    this.#stream.touch()
  }
}

function isChange(told: RowTold | { readonly action?: undefined }): told is RowTold {
  return told.action === 'create' || told.action === 'update' || told.action === 'delete'
}
