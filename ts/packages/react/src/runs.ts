import { PandoError } from '@pando-sync/client'

/** How one run ended. */
export type RunResult<Value> =
  | { readonly ok: true; readonly value: Value; readonly error?: undefined }
  | { readonly ok: false; readonly error: PandoError; readonly value?: undefined }

/** What is known of a component's runs. */
export interface Progress {
  /** Whether a run has not ended yet, of however many. */
  readonly pending: boolean
  /** What the last failed run was refused with; undefined again when another one begins, and after `reset`. */
  readonly error: PandoError | undefined
}

/** Follows runs that may overlap. It outlives its component, whose listener is then gone. */
export class Runs {
  #progress: Progress = idle
  #count = 0
  /** Counts resets: what began before the last one reports no error. */
  #turn = 0
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  readonly get = (): Progress => this.#progress

  /** Forgets the error; runs that have not ended go on. */
  readonly reset = (): void => {
    this.#turn++
    this.#show(undefined)
  }

  /**
   * Follows one call to its end. A refusal is a result; anything else that is
   * thrown is a mistake in the program, and passed on.
   */
  async follow<Value>(call: () => Promise<Value>): Promise<RunResult<Value>> {
    const turn = this.#turn
    this.#count++
    this.#show(undefined)
    let error: PandoError | undefined
    try {
      return { ok: true, value: await call() }
    } catch (thrown) {
      if (!(thrown instanceof PandoError)) throw thrown
      error = thrown
      return { ok: false, error }
    } finally {
      this.#count--
      this.#show(turn === this.#turn && error !== undefined ? error : this.#progress.error)
    }
  }

  #show(error: PandoError | undefined): void {
    const pending = this.#count > 0
    if (pending === this.#progress.pending && error === this.#progress.error) return
    this.#progress = { pending, error }
    for (const listener of [...this.#listeners]) listener()
  }
}

/** Nothing runs, as on a server. */
export const idle: Progress = { pending: false, error: undefined }
