const first = 500
const longest = 30_000
const stable = 60_000

/**
 * Full-jitter backoff: every attempt waits a random time below a bound that
 * doubles from half a second to half a minute, so that clients who lost one
 * server do not return as one. Only a stable minute starts it anew.
 */
export class Backoff {
  #attempts = 0
  /** NaN while it does not stand. */
  #since = NaN

  /** Notes that the connection stands. */
  connected(): void {
    this.#since = performance.now()
  }

  /** Milliseconds to wait before the next attempt; an eager one need not wait if none has failed. */
  next(eager = false): number {
    if (performance.now() - this.#since >= stable) this.#attempts = 0
    this.#since = NaN
    const bound = Math.min(longest, first * 2 ** this.#attempts)
    return this.#attempts++ === 0 && eager ? 0 : Math.random() * bound
  }
}
