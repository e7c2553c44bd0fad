import type { Readable, Snapshot } from '@pando-sync/client'

/** How long a stream is kept for a render that does not come back. */
const patience = 10_000

/** Streams that are kept open for suspended renders, by `Channel.key`. */
export type Holds = Map<string, Hold>

/**
 * Keeps a stream open for renders that wait for it: they cannot subscribe, as
 * React may throw them away. It ends when a component that subscribes has been
 * mounted, when the stream failed, or some time after the last render.
 */
export class Hold {
  /** Resolves when a render would find something else than before, and when the hold ends. */
  readonly settled: Promise<void>
  #settle: () => void = () => undefined
  #off: () => void = () => undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #holds: Holds
  readonly #key: string

  constructor(holds: Holds, key: string, source: Readable<Snapshot<unknown, unknown>>) {
    this.#holds = holds
    this.#key = key
    this.settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    holds.set(key, this)
    const look = () => {
      const { status } = source.get()
      if (status === 'live') this.#settle()
      // Its error is shown now; whoever tries again shall find a stream that does so, too.
      else if (status !== 'pending') this.release()
    }
    this.#off = source.subscribe(look)
    this.renew()
    look()
  }

  /** Takes note of another render that waits, or uses what it waited for. */
  renew(): void {
    clearTimeout(this.#timer)
    // Whoever still waits then is woken, and comes back with a hold of its own.
    this.#timer = setTimeout(() => {
      this.release()
    }, patience)
  }

  /** Ends it, for instance because a mounted component keeps the stream open from now on. */
  release(): void {
    clearTimeout(this.#timer)
    this.#off()
    if (this.#holds.get(this.#key) === this) this.#holds.delete(this.#key)
    this.#settle()
  }
}
