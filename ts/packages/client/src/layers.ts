import type { Overlay, Store } from './store.js'
import type { Stream } from './stream.js'

/** How a write changes rows. */
export interface Effect {
  /** Changes them, and pushes on `undo` what takes it back. */
  lay(store: Store, undo: (() => void)[]): void
  /** Takes away what stays between one laying and the next. */
  end?(store: Store): void
}

/** A write that is shown before it is confirmed. */
export interface Layer {
  readonly stream: Stream
  readonly effect: Effect
}

/**
 * The writes of a client that are shown above the confirmed rows, in the order
 * in which they were made.
 */
export class Layers {
  readonly #layers = new Set<Layer>()

  /** Shows a write above all that are shown already. */
  add(layer: Layer): void {
    this.#layers.add(layer)
    this.refresh(layer.stream)
  }

  /** Shows a write no longer. */
  remove(layer: Layer): void {
    if (this.#layers.delete(layer)) this.refresh(layer.stream, (store) => layer.effect.end?.(store))
  }

  /** Shows anew what there is above a stream's rows. */
  refresh(stream: Stream, change: (store: Store) => void = () => undefined): void {
    const { store } = stream
    store.overlay ??= new StoreLayers(store, this.#layers)
    store.alter(() => {
      change(store)
    })
    if (![...this.#layers].some((layer) => layer.stream.store === store)) store.overlay = undefined
    // While there is no connection, the store does not know who shows it.
    for (const viewer of new Set([stream, ...store.streams])) {
      viewer.watchers?.touchAll()
      viewer.touch()
    }
  }
}

/** The writes that one store shows. */
class StoreLayers implements Overlay {
  readonly #store: Store
  readonly #layers: ReadonlySet<Layer>
  readonly #undo: (() => void)[] = []

  constructor(store: Store, layers: ReadonlySet<Layer>) {
    this.#store = store
    this.#layers = layers
  }

  lift(): void {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) undo()
  }

  lay(): void {
    if (!this.#store.complete) return
    for (const { stream, effect } of this.#layers) if (stream.store === this.#store) effect.lay(this.#store, this.#undo)
  }
}
