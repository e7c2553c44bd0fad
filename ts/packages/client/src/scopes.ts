import type { Opened, StateFrame } from './frames.js'
import type { Session } from './session.js'
import type { Store } from './store.js'
import type { Stream } from './stream.js'

/** A scope of the present connection. */
interface Entry {
  readonly store: Store
  /** Which of the store's scopes it is. */
  readonly part: number
  readonly streams: Set<Stream>
}

/** The scopes of the present connection by id, each with the streams that show it. */
export class Scopes {
  readonly #entries = new Map<string, Entry>()

  /**
   * Takes a stream in after its open was answered, and gives the store that it
   * shows: the one that another stream of the same first scope brought, since
   * frames come once, else the stream's own.
   *
   * @throws PandoError `schema` when the server lacks what the stream shows.
   */
  join(stream: Stream, session: Session, { epoch, scopes }: Opened): Store {
    const known = this.#entries.get(scopes[0].id)
    if (known !== undefined) {
      known.streams.add(stream)
      return known.store
    }
    const { store } = stream
    const streams = new Set([stream])
    store.attach(session.hello?.types ?? [], epoch, scopes.map(({ resumed }) => resumed))
    scopes.forEach(({ id }, part) => this.#entries.set(id, { store, part, streams }))
    return store
  }

  /** Takes a stream out, and forgets scopes that no stream shows any more. */
  leave(stream: Stream): void {
    for (const [id, { streams }] of this.#entries) {
      streams.delete(stream)
      if (streams.size === 0) this.#entries.delete(id)
    }
  }

  /** Forgets all: the connection is over. */
  clear(): void {
    this.#entries.clear()
  }

  /** Applies a frame; one of a scope that is not shown is ignored. */
  receive(id: string, frame: StateFrame): void {
    const entry = this.#entries.get(id)
    if (entry?.store.receive(entry.part, frame)) for (const stream of entry.streams) stream.touch()
  }
}
