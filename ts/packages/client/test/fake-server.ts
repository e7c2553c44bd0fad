import type { SocketLike } from '../src/index.js'

/** A request as the fake server reads it. */
export interface Received {
  readonly stream: string
  readonly id: number
  readonly payload: Readonly<Record<string, unknown>> & { readonly type: string }
}

/** The server's end of one socket, played by the test. */
export class FakeSocket implements SocketLike {
  onopen: SocketLike['onopen'] = null
  onmessage: SocketLike['onmessage'] = null
  onclose: SocketLike['onclose'] = null
  onerror: SocketLike['onerror'] = null
  /** Every request, in order. */
  readonly requests: Received[] = []
  /** How many text frames they came in. */
  frames = 0
  closedWith: number | undefined
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  send(data: string): void {
    this.frames++
    const parsed = JSON.parse(data) as Received | Received[]
    this.requests.push(...(Array.isArray(parsed) ? parsed : [parsed]))
  }

  close(code?: number): void {
    this.closedWith = code ?? 1005
  }

  /** The requests of one type. */
  of(type: string): Received[] {
    return this.requests.filter((r) => r.payload.type === type)
  }

  accept(): void {
    this.onopen?.({} as never)
  }

  say(stream: string, payload: object, id?: number): void {
    this.onmessage?.({ data: JSON.stringify({ stream, ...(id !== undefined && { id }), payload }) })
  }

  reply(to: Received, payload: object): void {
    this.say(to.stream, payload, to.id)
  }

  drop(code: number, reason = ''): void {
    this.onclose?.({ code, reason })
  }
}

/** A server whose every word the test says. */
export class FakeServer {
  readonly sockets: FakeSocket[] = []
  readonly WebSocket: new (url: string) => SocketLike

  constructor() {
    const { sockets } = this
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url)
        sockets.push(this)
      }
    }
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('no client has dialled')
    return socket
  }

  /** Opens the newest socket, says hello, and accepts the identity. */
  welcome(hello: object = boardHello): FakeSocket {
    const { socket } = this
    socket.say('@', hello)
    socket.accept()
    const [connect] = socket.of('connect')
    socket.reply(connect, { type: 'connected', user: '1' })
    return socket
  }

  /** Answers the newest open: it has these scopes, none of which is resumed unless it says so. */
  scopes(ids: readonly string[], resumed = false, epoch = 'e1'): FakeSocket {
    const { socket } = this
    const request = socket.of('open').at(-1)
    if (request === undefined) throw new Error('no client has asked to open')
    const scopes = ids.map((id) => ({ id, resumed }))
    socket.reply(request, { type: 'opened', channel: 'BoardChannel', epoch, scopes })
    return socket
  }

  /** Answers the newest open, and sends a snapshot unless it is resumed. */
  open(scope: string, snapshot?: object, epoch = 'e1'): FakeSocket {
    const socket = this.scopes([scope], snapshot === undefined, epoch)
    if (snapshot !== undefined) socket.say(scope, snapshot)
    return socket
  }
}

export const boardHello = {
  type: 'hello',
  protocol: 1,
  session: 'test',
  epoch: 'e1',
  heartbeat: 20_000,
  types: [
    { name: 'Board', fields: ['id', 'name'] },
    { name: 'Card', fields: ['id', 'title', 'done', '@board_id', '@position'] },
  ],
  channels: {},
}

export const boardSnapshot = {
  v: 10,
  snapshot: 'only',
  set: [
    [0, ['1', 'Groceries']],
    [1, ['7', 'Milk', false, '1', 1]],
    [1, ['8', 'Eggs', false, '1', 2]],
  ],
}
