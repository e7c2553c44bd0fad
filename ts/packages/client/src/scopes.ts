import type { HelloType, Opened, StateFrame } from './frames.js'
import type { Store } from './store.js'
import type { Stream } from './stream.js'

/** The scopes of the present connection by id: which scope of which store each is. */
export class Scopes {
  readonly #entries = new Map<string | undefined, { readonly store: Store; readonly scope: number }>()

  /**
   * Takes a stream in after its open was answered, and gives the store that it
   * shows: the one that another stream of the same first scope brought, since
   * frames come once, else the stream's own.
   */
  join(stream: Stream, types: readonly HelloType[], { epoch, scopes }: Opened): Store {
    let store = this.#entries.get(scopes.at(0)?.id)?.store
    if (!store) {
      const own = (store = stream.store)
      own.attach(types, epoch, scopes.map(({ resumed }) => resumed))
      scopes.forEach(({ id }, scope) => this.#entries.set(id, { store: own, scope }))
    }
    store.streams.add(stream)
    return store
  }

  /** Takes a stream out, and forgets scopes that no stream shows any more. */
  leave(stream: Stream): void {
    const { streams } = stream.store
    streams.delete(stream)
    for (const [id, { store }] of this.#entries) if (store.streams.size === 0) this.#entries.delete(id)
  }

  /** Applies a frame; one of a scope that is not shown is ignored. */
  receive(id: string, frame: StateFrame): void {
    const entry = this.#entries.get(id)
    if (entry?.store.receive(entry.scope, frame)) for (const stream of entry.store.streams) stream.touch()
  }
}
