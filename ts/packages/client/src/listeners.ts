/** Callbacks of one event. A callback that throws does not keep others from being called. */
export class Listeners<Value = void> {
  readonly entries = new Set<{ readonly call: (value: Value) => void }>()

  /** Adds a callback, which may be there already, and returns what removes it. */
  add(call: (value: Value) => void): () => void {
    const entry = { call }
    this.entries.add(entry)
    return () => {
      this.entries.delete(entry)
    }
  }

  /** Calls those that were added before this call. */
  notify(value: Value): void {
    for (const entry of [...this.entries]) {
      try {
        entry.call(value)
      } catch (error) {
        // Thrown where the page's error reporting sees it, not into the socket's handler.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
