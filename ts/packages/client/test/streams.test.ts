import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PandoError, createClient, type StreamClient } from '../src/index.js'
import { streamsOf } from '../src/streams.js'
import { BoardChannel } from './board.js'
import { FakeServer, boardHello, boardSnapshot, type FakeSocket } from './fake-server.js'

const hello = { ...boardHello, types: [] }
const room = { at: '/demultiplex/room/' }
const one = { pk: 1, data: { message: 'one' } }
const two = { pk: 2, data: { message: 'two' } }
let server: FakeServer
let client: StreamClient

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, streams: streamsOf() })
})

afterEach(() => {
  client.close()
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const snapshot = (...rows: readonly object[]) => ({ type: 'message', data: { action: 'snapshot', model: 'app.message', rows } })
const told = (action: string, row: object) => ({ type: 'message', data: { action, ...row, model: 'app.message' } })

/** Answers the newest open of a demultiplexer's stream. */
function opened(socket: FakeSocket): void {
  const open = socket.of('open').at(-1)
  if (!open) throw new Error('no client has asked to open')
  socket.reply(open, { type: 'opened', consumer: open.payload.consumer, scopes: [] })
}

/** A binding's stream with two rows, and the listener that will hear of changes. */
function live() {
  const messages = client.stream('message-stream', room)
  const listener = vi.fn()
  const off = messages.subscribe(listener)
  const socket = server.welcome(hello)
  opened(socket)
  socket.say('s1', snapshot(one, two))
  listener.mockClear()
  return { messages, listener, off, socket }
}

/** Loses the connection and comes back, up to the answer to open. */
function reconnect(): FakeSocket {
  server.socket.drop(1006)
  vi.advanceTimersByTime(500)
  const socket = server.welcome(hello)
  opened(socket)
  return socket
}

describe('a stream of a demultiplexer', () => {
  it('is opened by path and consumer, and subscribed to, once for all who ask', () => {
    const { messages, socket } = live()
    const other = client.stream('message-stream', room)
    other.subscribe(() => undefined)
    expect(socket.requests.slice(1)).toEqual([
      { stream: 's1', id: 2, payload: { type: 'open', route: '/demultiplex/room/', consumer: 'message-stream' } },
      { stream: 's1', id: 3, payload: { type: 'message', data: { action: 'subscribe' } } },
    ])
    expect(messages.get()).toMatchObject({ status: 'live', stale: false, error: undefined, rows: [one, two] })
    expect(other.get()).toBe(messages.get())
  })

  it("leaves the path out at a demultiplexer's own address, and asks for the subprotocol", () => {
    const dial = vi.fn()
    const WebSocket = class extends server.WebSocket {
      constructor(url: string, protocol?: string) {
        super(url)
        dial(url, protocol)
      }
    }
    client = createClient({ url: 'ws://test/demultiplex/room/', WebSocket, streams: streamsOf() })
    client.stream('chat').onMessage(() => undefined)
    expect(dial).toHaveBeenCalledWith('ws://test/demultiplex/room/', 'pando.v1')
    server.welcome(hello)
    expect(server.socket.of('open')[0].payload).toEqual({ type: 'open', consumer: 'chat' })
  })

  it('shares the connection with channels', () => {
    const board = client.get(BoardChannel.with({ boardId: 1 }))
    board.subscribe(() => undefined)
    const messages = client.stream('message-stream', room)
    messages.subscribe(() => undefined)
    const socket = server.welcome(boardHello)
    opened(socket)
    socket.reply(socket.of('open')[0], { type: 'opened', epoch: 'e1', scopes: [{ id: '#4', resumed: false }] })
    socket.say('#4', boardSnapshot)
    socket.say('s2', snapshot(one))
    expect(board.get().state).toMatchObject({ name: 'Groceries' })
    expect(messages.get().rows).toEqual([one])
    expect(server.sockets).toHaveLength(1)
  })

  it('stays open for a second after the last listener', () => {
    const { messages, off, socket } = live()
    off()
    vi.advanceTimersByTime(999)
    const again = messages.subscribe(() => undefined)
    vi.advanceTimersByTime(5_000)
    expect(messages.get().rows).toEqual([one, two])
    again()
    vi.advanceTimersByTime(1_000)
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(1)
    expect(messages.get()).toMatchObject({ status: 'pending', rows: [] })
  })

  it('has an own subscription for each path and order', () => {
    live()
    client.stream('message-stream', { at: '/demultiplex/hall/' }).subscribe(() => undefined)
    client.stream('message-stream', { ...room, orderBy: ['-pk'] }).subscribe(() => undefined)
    expect(server.socket.of('open').map(({ payload }) => payload.route)).toEqual(['/demultiplex/room/', '/demultiplex/hall/', '/demultiplex/room/'])
  })
})

describe('rows', () => {
  it('follow what is told, notify once each, and keep the objects of what is equal', () => {
    const { messages, listener, socket } = live()
    const before = messages.get()
    socket.say('s1', told('update', { pk: 2, data: { message: 'TWO' } }))
    const after = messages.get()
    expect(listener).toHaveBeenCalledTimes(1)
    expect(after.rows).toEqual([one, { pk: 2, data: { message: 'TWO' } }])
    expect(after.rows[0]).toBe(before.rows[0])
    expect(before.rows[1]).toEqual(two)
    socket.say('s1', told('update', { pk: 2, data: { message: 'TWO' } }))
    socket.say('s1', told('delete', { pk: 5 }))
    expect(listener).toHaveBeenCalledTimes(1)
    expect(messages.get()).toBe(after)
  })

  it('are in the declared order, or in that of the page', () => {
    client = createClient({
      url: 'ws://test/ws',
      WebSocket: server.WebSocket,
      streams: streamsOf({ 'message-stream': { orderBy: ['-message'] } }),
    })
    const messages = client.stream('message-stream', room)
    const byKey = client.stream('message-stream', { ...room, orderBy: ['pk'] })
    messages.subscribe(() => undefined)
    byKey.subscribe(() => undefined)
    const socket = server.welcome(hello)
    for (const [i, open] of socket.of('open').entries()) {
      socket.reply(open, { type: 'opened', consumer: 'message-stream', scopes: [] })
      socket.say(`s${i + 1}`, snapshot(one, two))
    }
    expect(messages.get().rows.map(({ pk }) => pk)).toEqual([2, 1])
    expect(byKey.get().rows.map(({ pk }) => pk)).toEqual([1, 2])
  })

  it('keep their places where some keys are too large for a number', () => {
    const { messages, socket } = live()
    const keys = [10, 99, '10000000000000000', 100, '9007199254740993', 7]
    socket.say('s1', { type: 'gap' })
    socket.say('s1', snapshot(...keys.map((pk) => ({ pk, data: {} }))))
    for (const pk of keys) socket.say('s1', told('update', { pk, data: { of: pk } }))
    for (const pk of [99, '9007199254740993']) socket.say('s1', told('delete', { pk }))
    expect(messages.get().rows).toEqual([7, 10, 100, '10000000000000000'].map((pk) => ({ pk, data: { of: pk } })))
  })

  it('take members that objects have by nature for what was told of them', () => {
    const { messages, socket } = live()
    const tell = (data: string) => socket.onmessage?.({ data: `{"stream":"s1","payload":{"type":"message","data":{"action":"update","pk":1,"data":${data}}}}` })
    for (const data of ['{"x":{},"a":1}', '{"__proto__":{},"a":1}', '{"__proto__":{},"a":2}', '{"constructor":{},"a":2}']) {
      tell(data)
      expect(JSON.stringify(messages.get().rows[0].data)).toBe(data)
    }
    tell('{"__proto__":{"polluted":true}}')
    expect(({} as { readonly polluted?: boolean }).polluted).toBeUndefined()
  })

  it('are none of payloads of other forms', () => {
    const { messages, listener, socket } = live()
    const heard = vi.fn()
    messages.onMessage(heard)
    const payloads = [null, 0, '', 'text', [], { action: 'other' }]
    for (const data of payloads) socket.say('s1', { type: 'message', data })
    expect(heard.mock.calls).toEqual(payloads.map((data) => [data]))
    expect(messages.get()).toMatchObject({ status: 'live', rows: [one, two] })
    expect(listener).not.toHaveBeenCalled()
  })

  it('are stale after a gap, until the snapshot that comes by itself', () => {
    const { messages, listener, socket } = live()
    const [first] = messages.get().rows
    socket.say('s1', { type: 'gap' })
    expect(messages.get()).toMatchObject({ status: 'live', stale: true, rows: [one, two] })
    socket.say('s1', snapshot(one))
    expect(messages.get()).toMatchObject({ status: 'live', stale: false, rows: [one] })
    expect(messages.get().rows[0]).toBe(first)
    expect(listener).toHaveBeenCalledTimes(2)
    expect(socket.of('message')).toHaveLength(1)
  })

  it('are kept over a lost connection, and subscribed to anew', () => {
    const { messages, socket } = live()
    const [first] = messages.get().rows
    socket.drop(1006)
    expect(messages.get()).toMatchObject({ status: 'live', stale: true, rows: [one, two] })
    vi.advanceTimersByTime(500)
    const next = server.welcome(hello)
    opened(next)
    expect(next.of('message').map(({ payload }) => payload.data)).toEqual([{ action: 'subscribe' }])
    expect(messages.get().stale).toBe(true)
    next.say('s1', snapshot(one, { pk: 3, data: { message: 'three' } }))
    expect(messages.get()).toMatchObject({ stale: false, rows: [one, { pk: 3 }] })
    expect(messages.get().rows[0]).toBe(first)
  })

  it('are taken whole from a snapshot whose beginning another connection lost', () => {
    const messages = client.stream('message-stream', room)
    messages.subscribe(() => undefined)
    opened(server.welcome(hello))
    server.socket.say('s1', { type: 'message', data: { action: 'snapshot', model: 'm', rows: [one], more: true } })
    expect(messages.get().status).toBe('pending')
    reconnect().say('s1', snapshot(two))
    expect(messages.get().rows).toEqual([two])
  })

  it('are forgotten when another user connects', () => {
    const { messages, socket } = live()
    socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.socket.say('@', hello)
    server.socket.accept()
    server.socket.reply(server.socket.of('connect')[0], { type: 'connected', user: '2' })
    expect(messages.get()).toMatchObject({ status: 'pending', rows: [] })
    // The first name is free only once the server has closed it.
    expect(server.socket.of('open').map(({ stream }) => stream)).toEqual(['s1', 's2'])
    opened(server.socket)
    server.socket.say('s2', snapshot(two))
    expect(messages.get()).toMatchObject({ status: 'live', rows: [two], stale: false })
  })

  it('wait for nobody who does not ask for them', () => {
    const chat = client.stream('message-stream', room)
    const heard = vi.fn()
    chat.onMessage(heard)
    const socket = server.welcome(hello)
    opened(socket)
    expect(chat.status.get().status).toBe('live')
    socket.say('s1', told('create', one))
    expect(heard).toHaveBeenCalledWith({ action: 'create', ...one, model: 'app.message' })
    expect(socket.of('message')).toHaveLength(0)
    chat.subscribe(() => undefined)
    expect(chat.get()).toMatchObject({ status: 'pending', rows: [] })
    expect(socket.of('message')).toHaveLength(1)
    socket.say('s1', snapshot(one))
    expect(chat.get()).toMatchObject({ status: 'live', rows: [one] })
  })
})

describe('refusals', () => {
  it('to open are shown, and tried again on demand', () => {
    const messages = client.stream('message-stream', room)
    messages.subscribe(() => undefined)
    const socket = server.welcome(hello)
    socket.reply(socket.of('open')[0], { type: 'error', code: 'denied', status: 403, message: 'no', retry: false })
    expect(messages.get()).toMatchObject({ status: 'denied', rows: [], error: { code: 'denied' } })
    messages.get().retry()
    opened(socket)
    socket.say('s1', snapshot(one))
    expect(messages.get()).toMatchObject({ status: 'live', rows: [one] })
  })

  it('to subscribe close the stream, which is opened again where that may help', () => {
    const messages = client.stream('message-stream', room)
    messages.subscribe(() => undefined)
    const socket = server.welcome(hello)
    opened(socket)
    socket.reply(socket.of('message')[0], { type: 'error', code: 'unavailable', message: 'later', retry: true })
    expect(messages.get().status).toBe('pending')
    socket.reply(socket.of('close')[0], { type: 'closed' })
    expect(messages.get()).toMatchObject({ status: 'error', error: { code: 'unavailable' } })
    vi.advanceTimersByTime(500)
    opened(socket)
    socket.reply(socket.of('message')[1], { type: 'error', code: 'bad_request', message: 'no binding', retry: false })
    socket.reply(socket.of('close')[1], { type: 'closed' })
    expect(messages.get()).toMatchObject({ status: 'error', error: { code: 'bad_request' } })
    vi.advanceTimersByTime(30_000)
    expect(socket.of('open')).toHaveLength(2)
  })

  it('by the server take the rows away when they are denied', () => {
    const { messages, socket } = live()
    socket.say('s1', { type: 'closed', code: 'denied', message: 'no more' })
    expect(messages.get()).toMatchObject({ status: 'denied', rows: [] })
    socket.say('s1', told('create', { pk: 3, data: {} }))
    expect(messages.get().rows).toEqual([])
  })

  it('of the whole connection stay until the client authenticates', () => {
    const messages = client.stream('message-stream', room)
    messages.subscribe(() => undefined)
    server.socket.accept()
    server.socket.drop(4403, 'not you')
    expect(messages.get()).toMatchObject({ status: 'denied', error: { message: 'not you' } })
    messages.retry()
    expect(messages.get()).toMatchObject({ status: 'denied', error: { message: 'not you' } })
    client.authenticate()
    opened(server.welcome(hello))
    server.socket.say('s1', snapshot(one))
    expect(messages.get()).toMatchObject({ status: 'live', rows: [one] })
  })

  it('without an id are told to the console', () => {
    const { socket } = live()
    const error = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    socket.say('s1', { type: 'error', code: 'internal', message: 'oops' })
    expect(error).toHaveBeenCalledWith('pando: message-stream: internal: oops')
  })
})

describe('writes', () => {
  it('resolve with what is told of the row', async () => {
    const { messages, socket } = live()
    const writes = [messages.create({ message: 'three' }), messages.update(1, { message: 'ONE' }), messages.delete(2)]
    const asked = socket.of('message').slice(1)
    expect(asked.map(({ payload }) => payload.data)).toEqual([
      { action: 'create', data: { message: 'three' } },
      { action: 'update', pk: 1, data: { message: 'ONE' } },
      { action: 'delete', pk: 2 },
    ])
    for (const request of asked) socket.reply(request, { type: 'result', value: request.payload.data })
    expect(await Promise.all(writes)).toEqual(asked.map(({ payload }) => payload.data))
    expect(messages.get().rows).toEqual([one, two])
  })

  it('reject with the error of the server, whose fields say what is wrong', async () => {
    const { messages, socket } = live()
    const write = messages.create({ message: '' })
    const refusal = { type: 'error', code: 'invalid', status: 400, message: 'message: is empty', fields: { message: 'is empty' } }
    socket.reply(socket.of('message')[1], refusal)
    await expect(write).rejects.toMatchObject({ code: 'invalid', outcome: 'failed', fields: { message: 'is empty' } })
    await expect(write).rejects.toBeInstanceOf(PandoError)
  })

  it('are unknown after a drop and after a time-out, and fail at once without a connection', async () => {
    const { messages, socket } = live()
    const late = messages.create({ message: 'late' })
    vi.advanceTimersByTime(30_000)
    await expect(late).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' })
    const lost = messages.create({ message: 'lost' })
    socket.drop(1006)
    await expect(lost).rejects.toMatchObject({ code: 'lost', outcome: 'unknown' })
    await expect(messages.create({ message: 'off' })).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
    await expect(messages.send({})).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
    reconnect()
    expect(server.socket.of('message').map(({ payload }) => payload.data)).toEqual([{ action: 'subscribe' }])
  })

  it('wait for the first connection, and keep a stream open that nobody listens to', async () => {
    const messages = client.stream('message-stream', room)
    const write = messages.create({ message: 'first' })
    const socket = server.welcome(hello)
    opened(socket)
    expect(socket.requests.slice(1).map(({ payload }) => payload.type)).toEqual(['open', 'message'])
    vi.advanceTimersByTime(5_000)
    expect(socket.of('close')).toHaveLength(0)
    socket.reply(socket.of('message')[0], { type: 'result', value: { action: 'create', pk: 7 } })
    expect(await write).toEqual({ action: 'create', pk: 7 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(socket.of('close')).toHaveLength(1)
  })

  it('are what they were when they were asked for', async () => {
    const messages = client.stream('message-stream', room)
    const data = { message: 'first' }
    const write = messages.create(data)
    data.message = 'the next one'
    const socket = server.welcome(hello)
    opened(socket)
    expect(socket.of('message')[0].payload.data).toEqual({ action: 'create', data: { message: 'first' } })
    socket.reply(socket.of('message')[0], { type: 'result', value: {} })
    await write
  })

  it('that cannot be sent reject, and nothing else suffers', async () => {
    const { messages, listener, socket } = live()
    const circle: Record<string, unknown> = {}
    circle.self = circle
    await expect(messages.send(circle)).rejects.toThrow(TypeError)
    await expect(messages.request(circle)).rejects.toThrow(TypeError)
    socket.say('s1', told('delete', { pk: 2 }))
    expect(listener).toHaveBeenCalledOnce()
    await messages.send({ fine: true })
    expect(socket.of('message').at(-1)?.payload.data).toEqual({ fine: true })
  })

  it('reject when nobody says who it is, and when the client is closed', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const { WebSocket } = server
    const nobody = createClient({ url: 'ws://test/ws', WebSocket, streams: streamsOf(), getToken: () => Promise.reject(new Error('no')) })
    await expect(nobody.stream('chat', room).request({})).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
    expect(nobody.connection.get()).toBe('needs-auth')
    const asked = client.stream('chat', room).request({})
    client.close()
    await expect(asked).rejects.toMatchObject({ outcome: 'failed' })
    nobody.close()
  })

  it('reject when the stream is refused', async () => {
    const messages = client.stream('message-stream', room)
    const write = messages.create({ message: 'first' })
    const socket = server.welcome(hello)
    socket.reply(socket.of('open')[0], { type: 'error', code: 'unknown_stream', status: 404, message: 'no such consumer', retry: false })
    await expect(write).rejects.toMatchObject({ code: 'unknown_stream' })
  })
})

describe('a consumer of the app', () => {
  it('is sent payloads, answers some, and tells others', async () => {
    const chat = client.stream('chat', room)
    const heard = vi.fn()
    const off = chat.onMessage(heard)
    const socket = server.welcome(hello)
    opened(socket)
    await chat.send({ typing: true, at: 10n ** 17n })
    expect(socket.requests.at(-1)).toEqual({ stream: 's1', payload: { type: 'message', data: { typing: true, at: '100000000000000000' } } })
    const answer = chat.request({ say: 'hello' })
    socket.reply(socket.requests[3], { type: 'result', value: { said: 1 } })
    expect(await answer).toEqual({ said: 1 })
    socket.say('s1', { type: 'message', data: { said: 'hello' } })
    off()
    socket.say('s1', { type: 'message', data: { said: 'unheard' } })
    expect(heard.mock.calls).toEqual([[{ said: 'hello' }]])
  })

  it('keeps the order of what is sent and asked', async () => {
    const chat = client.stream('chat', room)
    chat.onMessage(() => undefined)
    const all = [chat.send({ n: 1 }), chat.request({ n: 2 }), chat.send({ n: 3 })]
    const socket = server.welcome(hello)
    opened(socket)
    expect(socket.of('message').map(({ payload }) => payload.data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    socket.reply(socket.of('message')[1], { type: 'result', value: null })
    expect(await Promise.all(all)).toEqual([undefined, null, undefined])
  })

  it('hears of what it may have missed: after gaps and reconnects, not on the first connection', () => {
    const chat = client.stream('chat', room)
    const missed = vi.fn()
    chat.onGap(missed)
    opened(server.welcome(hello))
    expect(missed).not.toHaveBeenCalled()
    server.socket.say('s1', { type: 'gap' })
    expect(missed).toHaveBeenCalledTimes(1)
    expect(chat.status.get()).toMatchObject({ status: 'live', stale: false })
    server.socket.drop(1006)
    expect(chat.status.get()).toMatchObject({ status: 'live', stale: true })
    expect(missed).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(500)
    opened(server.welcome(hello))
    expect(missed).toHaveBeenCalledTimes(2)
    expect(chat.status.get()).toMatchObject({ status: 'live', stale: false })
    server.socket.say('s1', { type: 'closed', code: 'denied', message: 'not now' })
    chat.retry()
    opened(server.socket)
    expect(missed).toHaveBeenCalledTimes(3)
  })
})
