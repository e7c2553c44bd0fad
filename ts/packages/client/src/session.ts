import { denials } from './errors.js'
import type { Credentials, Hello, Reply, Request, SessionFrame, StateFrame, StreamFrame, SystemFrame } from './frames.js'

/** As much of the browser's WebSocket as is used; `ws` and Node's own fit too. */
export interface SocketLike {
  onopen: ((event: never) => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null
  onerror: ((event: never) => void) | null
  send(data: string): void
  close(code?: number, reason?: string): void
}

/** Hears what one connection brings. */
export interface SessionEvents {
  /** The socket is open: what to send besides connect, in the same frame. */
  open(session: Session): void
  state(scope: string, frame: StateFrame): void
  /** Something came for a stream that is no state. */
  told(name: string, frame: StreamFrame): void
  /** Something came for everyone. */
  toldAll(frame: SystemFrame): void
  /** Everything that came together has been applied. */
  flush(): void
}

/** Keeps one connection. */
export interface SessionOwner {
  /** The server accepted the identity, and says whose it is. */
  ready(user: string): void
  /** The connection is over: called once, last. */
  lost(code: number, reason: string): void
}

type Answer = (reply: Reply | undefined) => void

interface Envelope {
  readonly stream: string
  readonly id?: number
  readonly payload: unknown
}

/** No server needs longer from dialling to `connected`. */
const dialTimeout = 10_000
/** A server that is alive answers a ping well within this time. */
const probeTimeout = 3_000
/** Frames of a client are at most 64 KiB; many opens are sent in several. */
const frameSize = 32_768

/**
 * One WebSocket from dialling to its end: requests and their replies, frames
 * that belong together, versions that have been reached, and signs of life.
 * Everything that a connection knows ends with it.
 */
export class Session {
  hello: Hello | undefined
  readonly #events: SessionEvents
  readonly #owner: SessionOwner
  readonly socket: SocketLike
  readonly #answers = new Map<number, Answer | undefined>()
  #outbox: string[] | undefined = []
  #nextId = 1
  /** Every frame up to this version has been applied. */
  reached = 0
  /** Frames after `begin`, until `end`. */
  #held: Envelope[] | undefined
  #lastFrame = 0
  #identified = false
  #timer: ReturnType<typeof setTimeout> | undefined
  /** What it ended with. */
  code: number | undefined

  constructor(socket: SocketLike, credentials: Credentials, events: SessionEvents, owner: SessionOwner) {
    this.socket = socket
    this.#events = events
    this.#owner = owner
    this.#expect(dialTimeout)
    socket.onopen = () => {
      this.#open(credentials)
    }
    socket.onmessage = ({ data }) => {
      this.#message(data)
    }
    socket.onclose = ({ code, reason }) => {
      this.end(code, reason)
    }
    // A failed attempt is followed by close, which says all there is to say.
    socket.onerror = () => undefined
  }

  /** Whether the socket is open. */
  get sends(): boolean {
    return !this.#outbox
  }

  /** Sends a request. `answer`, if anyone asks, gets its reply, or undefined when the connection ends before. */
  request(stream: string, payload: Request, answer?: Answer): void {
    const id = this.#nextId++
    this.#answers.set(id, answer)
    const text = JSON.stringify({ stream, id, payload })
    if (this.#outbox) this.#outbox.push(text)
    else this.socket.send(text)
  }

  /** Asks for a sign of life and ends the connection when none comes soon. */
  probe(): void {
    if (!this.#identified) return
    this.request('@', { type: 'ping' })
    this.#expect(probeTimeout)
  }

  /** Closes the socket. `lost` is called with the code before this returns. */
  end(code: number, reason = ''): void {
    if (this.code) return
    this.code = code
    clearTimeout(this.#timer)
    const { socket } = this
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close(1000)
    for (const answer of this.#answers.values()) answer?.(undefined)
    this.#owner.lost(code, reason)
  }

  #open(credentials: Credentials): void {
    this.request('@', { type: 'connect', protocol: 1, ...credentials }, (reply) => {
      this.#connected(reply)
    })
    this.#events.open(this)
    const requests = this.#outbox ?? []
    this.#outbox = undefined
    // As few frames as the server's limit allows.
    let frame = ''
    for (const request of requests) {
      if (frame !== '' && frame.length + request.length > frameSize) {
        this.socket.send(`[${frame}]`)
        frame = ''
      }
      frame += (frame && ',') + request
    }
    this.socket.send(`[${frame}]`)
  }

  #connected(reply: Reply | undefined): void {
    // The code with which the server is about to close; any other refusal is its failure.
    if (reply?.type === 'error') this.end(denials[reply.code] ?? 1011, reply.message)
    else if (reply?.type === 'connected') {
      this.#identified = true
      this.#expect(this.#silence())
      this.#owner.ready(reply.user)
    }
  }

  #message(data: unknown): void {
    this.#lastFrame = performance.now()
    try {
      this.#receive(JSON.parse(String(data)) as Envelope)
      if (!this.#held) this.#events.flush()
    } catch (error) {
      // What cannot be read leaves the copy in doubt: a new connection starts from what was applied.
      console.error('pando: bad frame', error)
      this.end(1002)
    }
  }

  #receive(envelope: Envelope): void {
    const { stream, id, payload } = envelope
    // No other frame is of this type.
    if (this.#held && (payload as SessionFrame).type !== 'end') this.#held.push(envelope)
    else if (stream.startsWith('#')) this.#events.state(stream, payload as StateFrame)
    else if (id) {
      this.#answers.get(id)?.(payload as Reply)
      this.#answers.delete(id)
    } else if (stream === '@') this.#control(payload as SessionFrame)
    else this.#events.told(stream, payload as StreamFrame)
  }

  #control(frame: SessionFrame): void {
    if (frame.type === 'hello') this.hello = frame
    else if (frame.type === 'begin') this.#held = []
    else if (frame.type === 'end') {
      const held = this.#held ?? []
      this.#held = undefined
      for (const envelope of held) this.#receive(envelope)
    } else if (frame.type === 'mark') this.reached = Math.max(this.reached, frame.v)
    else if (frame.type === 'system') this.#events.toldAll(frame)
    else if (frame.type === 'error') console.error(`pando: ${frame.code}: ${frame.message}`)
  }

  #silence(): number {
    return 2 * (this.hello?.heartbeat ?? 30_000)
  }

  /** Ends the connection unless it is identified and a frame comes within the time. */
  #expect(ms: number): void {
    clearTimeout(this.#timer)
    const since = performance.now()
    this.#timer = setTimeout(() => {
      const rest = this.#lastFrame + this.#silence() - performance.now()
      if (this.#identified && this.#lastFrame >= since && rest > 0) this.#expect(rest)
      else this.end(1006)
    }, ms)
  }
}
