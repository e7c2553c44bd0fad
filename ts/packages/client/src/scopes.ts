import type { Opened, StateFrame } from './frames.js'
import type { Scope } from './scope.js'
import type { Session } from './session.js'
import type { Stream } from './stream.js'

/** The scopes of the present connection by id, each with the streams that show it. */
export class Scopes {
  readonly #entries = new Map<string, { readonly scope: Scope; readonly streams: Set<Stream> }>()

  /**
   * Takes a stream in after its open was answered, and gives the scope that it
   * shows: the one that another stream brought, since its frames come once,
   * else the stream's own.
   *
   * @throws PandoError `schema` when the server lacks what the stream shows.
   */
  join(stream: Stream, session: Session, { epoch, scopes: [{ id, resumed }] }: Opened): Scope {
    const known = this.#entries.get(id)
    if (known !== undefined) {
      known.streams.add(stream)
      return known.scope
    }
    const { scope } = stream
    scope.attach(session.hello?.types ?? [], epoch, resumed)
    this.#entries.set(id, { scope, streams: new Set([stream]) })
    return scope
  }

  /** Takes a stream out, and forgets a scope that no stream shows any more. */
  leave(stream: Stream): void {
    for (const [id, { streams }] of this.#entries) {
      if (streams.delete(stream) && streams.size === 0) this.#entries.delete(id)
    }
  }

  /** Forgets all: the connection is over. */
  clear(): void {
    this.#entries.clear()
  }

  /** Applies a frame; one of a scope that is not shown is ignored. */
  receive(id: string, frame: StateFrame): void {
    const entry = this.#entries.get(id)
    if (entry?.scope.receive(frame)) for (const stream of entry.streams) stream.touch()
  }
}
