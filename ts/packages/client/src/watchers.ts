import { Listeners } from './listeners.js'

/** Callbacks for single instances, called only when theirs may have changed. */
export class Watchers {
  readonly #types = new Map<string, Map<string, Listeners>>()
  #touched = new Set<Listeners>()
  #all = false

  /** Adds a callback for one instance and returns what removes it, once. */
  add(type: string, key: string, call: () => void): () => void {
    const keys = this.#types.get(type) ?? new Map<string, Listeners>()
    const listeners = keys.get(key) ?? new Listeners()
    this.#types.set(type, keys.set(key, listeners))
    const remove = listeners.add(call)
    return () => {
      remove()
      if (listeners.entries.size === 0) keys.delete(key)
    }
  }

  /** Notes that an instance may have changed. */
  touch(type: string, key: string): void {
    const listeners = this.#types.get(type)?.get(key)
    if (listeners) this.#touched.add(listeners)
  }

  /** Notes that any instance may have changed. */
  touchAll(): void {
    this.#all = true
  }

  /** Calls those whose instance was touched since the last call. */
  notify(): void {
    const touched = this.#all ? [...this.#types.values()].flatMap((keys) => [...keys.values()]) : this.#touched
    this.#touched = new Set()
    this.#all = false
    for (const listeners of touched) listeners.notify()
  }
}
