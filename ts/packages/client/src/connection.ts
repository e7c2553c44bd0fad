import { Backoff } from './backoff.js'
import { PandoError } from './errors.js'
import { followPage } from './page.js'
import { Session, type SessionEvents, type SessionOwner, type SocketLike } from './session.js'
import { afterClose, transitions, type ConnectionEvent, type ConnectionStatus } from './states.js'
import { fetchToken, type GetToken } from './token.js'
import { Value } from './value.js'

/** What the connection needs of the client, and what sessions tell it. */
export interface ConnectionEvents extends SessionEvents {
  dial(): SocketLike
  /** Asks the same address by HTTP, if that can be. */
  ask(): Promise<Response>
  /** The session is over; what was asked on it has been told so. */
  down(): void
  /** The server accepted the identity, and says whose it is. */
  ready(user: string): void
  /** The server refused for good. */
  refused(error: PandoError): void
}

/**
 * Keeps one session standing: asks for the token, dials, waits and dials
 * again. `states.ts` says what follows on what.
 */
export class Connection implements SessionOwner {
  readonly status = new Value<ConnectionStatus>('idle')
  /** The session from its opening to its end; identified while `online`. */
  session: Session | undefined
  readonly #getToken: GetToken | undefined
  readonly #events: ConnectionEvents
  readonly #backoff = new Backoff()
  readonly #unfollow: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Counts attempts, so that a token that comes late finds its attempt gone. */
  #attempt = 0
  #token = ''
  /** The session that the next one goes on from. */
  #previous: string | undefined
  /** When to dial at the earliest. */
  #notBefore = 0
  #rejected = false
  #disposed = false

  constructor(getToken: GetToken | undefined, events: ConnectionEvents) {
    this.#getToken = getToken
    this.#events = events
    this.#unfollow = followPage({
      wake: () => {
        if (this.session) this.session.probe()
        else if (this.#reconnecting) this.#schedule(0)
      },
      // A socket that is open keeps the page out of the back/forward cache.
      hide: () => {
        this.session?.end(1006)
        if (this.#reconnecting) this.#abandon()
      },
    })
  }

  get #reconnecting(): boolean {
    return this.status.get() === 'reconnecting'
  }

  /** Connects if nothing has been tried yet. */
  start(): void {
    if (this.status.get() === 'idle') this.authenticate()
  }

  /** Starts over with a token asked for anew, whatever went before. */
  authenticate(): void {
    if (this.#disposed) return
    this.#rejected = false
    this.session?.end(1006)
    this.#move('dial')
    this.#dial()
  }

  /** Does not dial by itself for so many milliseconds, and a random part of as many again. */
  pause(ms: number): void {
    this.#notBefore = performance.now() + ms * (1 + Math.random())
  }

  /** Ends the connection for good. */
  close(): void {
    this.#disposed = true
    this.#unfollow()
    this.#move('close')
    this.#abandon()
    this.session?.end(1006)
  }

  #move(event: ConnectionEvent): void {
    const status = this.status.get()
    this.status.set(transitions[status][event] ?? status)
  }

  #abandon(): void {
    clearTimeout(this.#timer)
    this.#attempt++
  }

  #dial(): void {
    this.#abandon()
    if (!this.#getToken) {
      this.#open('')
      return
    }
    const attempt = this.#attempt
    void fetchToken(this.#getToken, { rejected: this.#rejected })
      .catch((error: unknown) => {
        console.error('pando: getToken failed', error)
        // The network may be what is missing: a token that was good is tried once more.
        return this.#token === '' ? undefined : this.#token
      })
      .then((token) => {
        if (attempt !== this.#attempt) return
        if (token === undefined || (this.#rejected && (token === '' || token === this.#token))) {
          this.#move('reject')
          // What waits for the connection is told that there will be none.
          this.#events.flush()
        } else this.#open(token)
      })
  }

  #open(token: string): void {
    this.#token = token
    const credentials = { token: token || undefined, previous: this.#previous }
    this.session = new Session(this.#events.dial(), credentials, this.#events, this)
  }

  ready(user: string): void {
    this.#backoff.connected()
    this.#rejected = false
    this.#previous = this.session?.hello?.session
    this.#events.ready(user)
    this.#move('ready')
  }

  lost(code: number, reason: string): void {
    const refused = this.session?.sends === false
    this.session = undefined
    this.#events.down()
    let next = afterClose(code)
    // A token may have run out: ask once for another before asking the user.
    if (next === 'reject' && this.#getToken && !this.#rejected) {
      this.#rejected = true
      next = 'drop'
    }
    this.#move(next)
    if (this.#reconnecting) this.#schedule()
    else if (next === 'refuse') this.#events.refused(refusalOf(code, reason))
    this.#events.flush()
    if (refused && this.#reconnecting) void this.#explain()
  }

  /** Finds out why there was no upgrade, which a browser does not tell. */
  async #explain(): Promise<void> {
    const attempt = this.#attempt
    const { status, headers } = await this.#events.ask().catch((): Partial<Response> => ({}))
    if (attempt !== this.#attempt) return
    const seconds = Number(headers?.get('retry-after'))
    if (status === 401 || status === 403) {
      this.#abandon()
      this.lost(4000 + status, '')
    } else if (seconds > 0) {
      this.pause(seconds * 1_000)
      this.#schedule(0)
    }
  }

  #schedule(wait = this.#backoff.next(this.#rejected)): void {
    this.#abandon()
    const rest = Math.max(wait, this.#notBefore - performance.now())
    if (rest === 0) this.#dial()
    else {
      this.#timer = setTimeout(() => {
        this.#dial()
      }, rest)
    }
  }
}

function refusalOf(code: number, reason: string): PandoError {
  if (code === 4400) return new PandoError('protocol', 'another protocol version: reload the page')
  return new PandoError(code === 4403 ? 'denied' : 'closed', reason || `closed by the server: ${code}`)
}
