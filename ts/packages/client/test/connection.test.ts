import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient, type Client, type ClientOptions } from '../src/index.js'
import { BoardChannel } from './board.js'
import { FakeServer, boardHello, boardSnapshot } from './fake-server.js'

const board = BoardChannel.with({ boardId: 1 })
let server: FakeServer
let client: Client

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  server = new FakeServer()
  vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('no network'))))
})

afterEach(() => {
  client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function start(options: Partial<ClientOptions> = {}) {
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, ...options })
  const handle = client.get(board)
  handle.subscribe(() => undefined)
  return handle
}

function live(options: Partial<ClientOptions> = {}) {
  const handle = start(options)
  server.welcome()
  server.open('#4', boardSnapshot)
  return handle
}

const status = () => client.connection.get()

describe('reconnecting', () => {
  it('goes on from the version that was applied, all streams in one frame, under new scope ids', () => {
    const handle = live()
    client.get(BoardChannel.with({ boardId: 2 })).subscribe(() => undefined)
    server.open('#5', { ...boardSnapshot, v: 12, set: [[0, ['2', 'Other']]] })
    server.socket.say('#4', { v: 14, upd: [[0, '1', 1, 'Weekly']] })
    const before = handle.get().state
    server.socket.say('@', { type: 'begin', v: 15 })
    server.socket.say('#4', { v: 15, upd: [[0, '1', 1, 'half of a commit']] })
    server.socket.drop(1006)
    expect(status()).toBe('reconnecting')
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    expect(handle.get().state).toBe(before)
    vi.advanceTimersByTime(500)
    const socket = server.welcome({ ...boardHello, types: boardHello.types.toReversed() })
    expect(status()).toBe('online')
    expect(socket.frames).toBe(1)
    const opens = socket.of('open')
    expect(opens.map((r) => r.payload)).toEqual([
      { type: 'open', route: 'boards/1', resume: { epoch: 'e1', versions: [14] } },
      { type: 'open', route: 'boards/2', resume: { epoch: 'e1', versions: [12] } },
    ])
    socket.reply(opens[0], { type: 'opened', epoch: 'e1', scopes: [{ id: '#40', resumed: true }] })
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    expect(handle.get().state).toBe(before)
    socket.say('#40', { v: 15, upd: [[1, '1', 1, 'Monthly']] })
    expect(handle.get().state?.name).toBe('Monthly')
    expect(handle.get().state?.cards).toBe(before?.cards)
  })

  it('keeps what is held until a new snapshot is whole, and every row that is equal', () => {
    const handle = live()
    const before = handle.get().state
    server.socket.drop(1001)
    vi.advanceTimersByTime(500)
    server.welcome()
    const [board1, ...cards] = boardSnapshot.set
    const socket = server.open('#9', { v: 2, snapshot: 'first', set: [board1] }, 'e2')
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    expect(handle.get().state).toBe(before)
    socket.say('#9', { v: 2, snapshot: 'last', set: [cards[0], [1, ['9', 'Bread', false, '1', 3]]] })
    expect(handle.get()).toMatchObject({ stale: false, state: { cards: [{ id: '7' }, { id: '9' }] } })
    expect(handle.get().state?.cards[0]).toBe(before?.cards[0])
    socket.drop(1006)
    vi.advanceTimersByTime(1_000)
    const [open] = server.welcome().of('open')
    expect(open.payload.resume).toEqual({ epoch: 'e2', versions: [2] })
  })

  it('waits a random time below a bound that doubles, and starts anew after a stable minute', () => {
    live()
    for (const bound of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const dialled = server.sockets.length
      server.socket.drop(1006)
      vi.advanceTimersByTime(bound * 0.99)
      expect(server.sockets).toHaveLength(dialled)
      vi.advanceTimersByTime(bound * 0.01)
      expect(server.sockets).toHaveLength(dialled + 1)
    }
    server.welcome({ ...boardHello, heartbeat: 60_000 })
    vi.advanceTimersByTime(60_000)
    server.socket.drop(1006)
    vi.advanceTimersByTime(500)
    expect(server.sockets).toHaveLength(10)
  })

  it.each([
    [1000, 'closed', 'error'],
    [4400, 'closed', 'error'],
    [4403, 'closed', 'denied'],
    [4401, 'needs-auth', 'live'],
    [1001, 'reconnecting', 'live'],
    [1009, 'reconnecting', 'live'],
    [1011, 'reconnecting', 'live'],
    [4408, 'reconnecting', 'live'],
    [1005, 'reconnecting', 'live'],
  ])('treats close code %i as %s', (code, connection, stream) => {
    const handle = live()
    server.socket.drop(code, 'reason')
    expect(status()).toBe(connection)
    expect(handle.get().status).toBe(stream)
    vi.advanceTimersByTime(60_000)
    expect(server.sockets.length > 1).toBe(connection === 'reconnecting')
  })

  it('packs many opens into frames below the limit', () => {
    start()
    for (let id = 2; id <= 1_000; id++) client.get(BoardChannel.with({ boardId: id })).subscribe(() => undefined)
    const socket = server.welcome()
    expect(socket.of('open')).toHaveLength(1_000)
    expect(socket.frames).toBeGreaterThan(1)
    expect(socket.frames).toBeLessThan(5)
  })
})

describe('signs of life', () => {
  it('ends a connection that has been silent for two heartbeats', () => {
    live()
    vi.advanceTimersByTime(30_000)
    server.socket.say('@', { type: 'beat' })
    vi.advanceTimersByTime(39_000)
    expect(status()).toBe('online')
    vi.advanceTimersByTime(1_000)
    expect(status()).toBe('reconnecting')
    expect(server.sockets[0].closedWith).toBe(1000)
  })

  it('ends an attempt that does not get through', () => {
    start()
    server.socket.say('@', boardHello)
    vi.advanceTimersByTime(10_000)
    expect(status()).toBe('reconnecting')
    vi.advanceTimersByTime(500)
    expect(server.sockets).toHaveLength(2)
  })

  it('probes when the page wakes, and dials at once when nothing answers', () => {
    live()
    window.dispatchEvent(new Event('online'))
    server.socket.reply(server.socket.of('ping')[0], { type: 'pong' })
    vi.advanceTimersByTime(5_000)
    expect(status()).toBe('online')
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
    vi.advanceTimersByTime(3_000)
    expect(status()).toBe('reconnecting')
    window.dispatchEvent(new Event('online'))
    expect(server.sockets).toHaveLength(2)
  })

  it('closes when the page hides and comes back with it', () => {
    live()
    window.dispatchEvent(new Event('pagehide'))
    expect(server.socket.closedWith).toBe(1000)
    vi.advanceTimersByTime(60_000)
    expect(server.sockets).toHaveLength(1)
    window.dispatchEvent(new Event('pageshow'))
    expect(server.welcome().of('open')[0].payload.resume).toBeDefined()
  })
})

describe('the token', () => {
  it('is sent in connect, once it is there', async () => {
    start({ getToken: () => Promise.resolve('secret') })
    expect(server.sockets).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(0)
    expect(server.welcome().of('connect')[0].payload).toEqual({ type: 'connect', protocol: 1, token: 'secret' })
    expect(server.socket.url).not.toContain('secret')
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('no network'))],
    ['throws', () => { throw new Error('no storage') }],
    ['hangs', () => new Promise<string>(() => undefined)],
  ])('needs authentication when getToken %s, until authenticate', async (_, failing) => {
    const getToken = vi.fn<() => Promise<string>>(failing)
    start({ getToken })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(status()).toBe('needs-auth')
    getToken.mockResolvedValue('good')
    client.authenticate()
    expect(status()).toBe('connecting')
    await vi.advanceTimersByTimeAsync(0)
    server.welcome()
    expect(status()).toBe('online')
  })

  it('is asked for anew once when the server refuses it', async () => {
    const getToken = vi.fn().mockResolvedValueOnce('old').mockResolvedValue('new')
    start({ getToken })
    await vi.advanceTimersByTimeAsync(0)
    server.socket.accept()
    server.socket.drop(4401)
    await vi.advanceTimersByTimeAsync(0)
    expect(getToken.mock.calls).toEqual([[{ rejected: false }], [{ rejected: true }]])
    expect(server.welcome().of('connect')[0].payload.token).toBe('new')
    expect(status()).toBe('online')
  })

  it.each(['old', '', undefined])('needs authentication when the second one is %j', async (second) => {
    start({ getToken: vi.fn().mockResolvedValueOnce('old').mockResolvedValue(second) })
    await vi.advanceTimersByTimeAsync(0)
    server.socket.accept()
    const [connect] = server.socket.of('connect')
    server.socket.reply(connect, { type: 'error', code: 'unauthenticated', message: 'unknown token' })
    await vi.advanceTimersByTimeAsync(0)
    expect(status()).toBe('needs-auth')
    expect(server.sockets).toHaveLength(1)
  })

  it('needs authentication when the second one is refused, too', async () => {
    let n = 0
    start({ getToken: () => `token ${n++}` })
    for (const refused of [1, 2]) {
      await vi.advanceTimersByTimeAsync(0)
      expect(server.sockets).toHaveLength(refused)
      server.socket.accept()
      server.socket.drop(4401)
    }
    await vi.advanceTimersByTimeAsync(60_000)
    expect(status()).toBe('needs-auth')
    expect(n).toBe(2)
  })

  it('that was good is tried again when no new one can be had', async () => {
    const getToken = vi.fn().mockResolvedValueOnce('good').mockRejectedValue(new Error('no network'))
    start({ getToken })
    await vi.advanceTimersByTimeAsync(0)
    server.welcome().drop(1006)
    await vi.advanceTimersByTimeAsync(500)
    expect(server.welcome().of('connect')[0].payload.token).toBe('good')
  })

  it('of another user opens what was denied', () => {
    const handle = live()
    server.socket.say('s1', { type: 'closed', code: 'denied', message: 'no' })
    client.authenticate()
    expect(handle.get().status).toBe('pending')
    server.welcome()
    server.open('#4', boardSnapshot)
    expect(handle.get().status).toBe('live')
  })
})

describe('an upgrade that is refused', () => {
  const refuse = async (response: Response) => {
    vi.mocked(fetch).mockResolvedValue(response)
    server.socket.drop(1006)
    expect(status()).toBe('reconnecting')
    await vi.advanceTimersByTimeAsync(0)
  }

  it.each([
    [401, 'needs-auth', 'pending'],
    [403, 'closed', 'denied'],
    [426, 'reconnecting', 'pending'],
    [503, 'reconnecting', 'pending'],
  ])('with %i makes the connection %s', async (code, connection, stream) => {
    const handle = start({ url: 'wss://test/ws' })
    await refuse(new Response(null, { status: code }))
    expect(fetch).toHaveBeenCalledExactlyOnceWith('https://test/ws', { method: 'HEAD', mode: 'same-origin' })
    expect(status()).toBe(connection)
    expect(handle.get().status).toBe(stream)
    vi.mocked(fetch).mockRejectedValue(new TypeError('no network'))
    await vi.advanceTimersByTimeAsync(500)
    expect(server.sockets.length > 1).toBe(connection === 'reconnecting')
  })

  it('with 401 asks for another token first', async () => {
    const getToken = vi.fn().mockResolvedValueOnce('old').mockResolvedValue('new')
    start({ getToken })
    await vi.advanceTimersByTimeAsync(0)
    await refuse(new Response(null, { status: 401 }))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(getToken.mock.calls).toEqual([[{ rejected: false }], [{ rejected: true }]])
    expect(server.welcome().of('connect')[0].payload.token).toBe('new')
  })

  it('is tried again after the time that the server said, and a random part of as much again', async () => {
    start()
    await refuse(new Response(null, { status: 503, headers: { 'Retry-After': '7' } }))
    await vi.advanceTimersByTimeAsync(6_900)
    window.dispatchEvent(new Event('online'))
    await vi.advanceTimersByTimeAsync(7_000)
    expect(server.sockets).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(100)
    expect(server.sockets).toHaveLength(2)
  })

  it('is not asked about once it was open, nor when the answer comes late', async () => {
    live()
    server.socket.drop(1006)
    expect(fetch).not.toHaveBeenCalled()
    vi.advanceTimersByTime(500)
    vi.mocked(fetch).mockResolvedValue(new Response(null, { status: 401 }))
    server.socket.drop(1006)
    client.authenticate()
    await vi.advanceTimersByTimeAsync(0)
    expect(status()).toBe('reconnecting')
    server.welcome()
    expect(status()).toBe('online')
  })
})

describe('a message to everyone', () => {
  const announce = (payload: object) => {
    server.socket.say('@', { type: 'system', ...payload })
  }

  it('is readable until the next one', () => {
    live()
    const listener = vi.fn()
    client.system.subscribe(listener)
    expect(client.system.get()).toBeUndefined()
    announce({ kind: 'message', text: 'Backup at noon.' })
    expect(client.system.get()).toEqual({ kind: 'message', text: 'Backup at noon.', retryAfter: undefined })
    server.socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.welcome()
    expect(client.system.get()?.text).toBe('Backup at noon.')
    expect(listener).toHaveBeenCalledOnce()
  })

  it('of a maintenance keeps the client away so long and a random part of it, and is over with it', () => {
    const handle = live()
    announce({ kind: 'maintenance', text: 'Back in five minutes.', retry_after: 300_000 })
    expect(client.system.get()).toEqual({ kind: 'maintenance', text: 'Back in five minutes.', retryAfter: 300_000 })
    expect(status()).toBe('online')
    server.socket.drop(1001)
    expect(status()).toBe('reconnecting')
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    vi.advanceTimersByTime(599_000)
    window.dispatchEvent(new Event('online'))
    window.dispatchEvent(new Event('pagehide'))
    window.dispatchEvent(new Event('pageshow'))
    expect(server.sockets).toHaveLength(1)
    vi.advanceTimersByTime(1_000)
    expect(server.sockets).toHaveLength(2)
    server.welcome()
    expect(client.system.get()).toBeUndefined()
  })

  it('does not keep the user from trying', () => {
    live()
    announce({ kind: 'maintenance', text: 'Back in five minutes.', retry_after: 300_000 })
    server.socket.drop(1001)
    client.authenticate()
    expect(server.sockets).toHaveLength(2)
  })
})

describe('a new connection', () => {
  it('names the session that it goes on from, the last that was identified', () => {
    live()
    const previous = () => server.socket.of('connect')[0].payload.previous
    expect(previous()).toBeUndefined()
    server.socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.socket.say('@', { ...boardHello, session: 'refused' })
    server.socket.accept()
    expect(previous()).toBe('test')
    server.socket.drop(1006)
    vi.advanceTimersByTime(1_000)
    server.welcome({ ...boardHello, session: 'third' })
    expect(previous()).toBe('test')
    server.socket.drop(1006)
    vi.advanceTimersByTime(2_000)
    server.socket.accept()
    expect(previous()).toBe('third')
  })

  it('to a server of the next version goes on, whatever fields that has besides', () => {
    const handle = live()
    const before = handle.get().state
    server.socket.drop(1001)
    vi.advanceTimersByTime(500)
    const [board1, card] = boardHello.types
    const types = [
      { name: 'Label', fields: ['id', 'color'] },
      { name: 'Card', fields: ['color', ...card.fields] },
      { name: 'Board', fields: [board1.fields[0], 'owner', board1.fields[1]] },
    ]
    server.welcome({ ...boardHello, types, channels: { BoardChannel: 'another' } })
    const socket = server.open('#9')
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    expect(handle.get().state).toBe(before)
    socket.say('#9', {
      v: 11,
      set: [[0, ['1', 'red']], [1, ['red', '9', 'Tea', false, '1', 3]]],
      upd: [[2, '1', 1, 'Ada', 2, 'Weekly']],
    })
    expect(handle.get().state).toEqual({
      id: '1',
      name: 'Weekly',
      cards: [
        { id: '7', title: 'Milk', done: false },
        { id: '8', title: 'Eggs', done: false },
        { id: '9', title: 'Tea', done: false },
      ],
    })
  })

  it('to a server that lacks a field says so once, and keeps what is held', () => {
    const handle = live()
    const seen: unknown[] = []
    handle.subscribe(() => seen.push(handle.get().status))
    server.socket.drop(1001)
    vi.advanceTimersByTime(500)
    server.welcome({ ...boardHello, types: [boardHello.types[0], { name: 'Card', fields: ['id', 'title'] }] })
    const socket = server.open('#9')
    const { status: shown, state, stale, error } = handle.get()
    expect([shown, stale, error?.code]).toEqual(['error', true, 'schema'])
    expect(state?.name).toBe('Groceries')
    socket.say('#9', { v: 11, upd: [[0, '1', 1, 'Weekly']] })
    expect(handle.get().state).toBe(state)
    vi.advanceTimersByTime(15_000)
    expect(seen).toEqual(['live', 'error'])
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(1)
  })
})

describe('closing', () => {
  it('ends everything for good', () => {
    const handle = live()
    client.close()
    expect(status()).toBe('closed')
    expect(handle.get()).toMatchObject({ status: 'error', error: { code: 'closed' } })
    client.authenticate()
    window.dispatchEvent(new Event('online'))
    vi.advanceTimersByTime(60_000)
    expect(server.sockets).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
