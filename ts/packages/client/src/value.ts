import type { Readable } from './handle.js'
import { Listeners } from './listeners.js'

/** A value that can be read and listened to. */
export class Value<T> implements Readable<T> {
  #value: T
  readonly #listeners = new Listeners()

  constructor(value: T) {
    this.#value = value
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener)

  readonly get = (): T => this.#value

  /** Tells listeners unless the value is the same. */
  set(value: T): void {
    if (value === this.#value) return
    this.#value = value
    this.#listeners.notify()
  }
}
