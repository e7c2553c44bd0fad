import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PandoError, createClient, type Client, type Id } from '../src/index.js'
import { instanceOf } from '../src/instance.js'
import { BoardChannel } from './board.js'
import { FakeServer, boardHello, boardSnapshot } from './fake-server.js'

const board = BoardChannel.with({ boardId: 1 })
const card = (id: string) => id as Id<'Card'>
let server: FakeServer
let client: Client

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
})

afterEach(() => {
  client.close()
  vi.useRealTimers()
})

/** A handle whose state is there, and the listener that will hear of changes. */
function live() {
  const handle = client.get(board)
  const listener = vi.fn()
  const off = handle.subscribe(listener)
  const socket = server.welcome()
  server.open('#4', boardSnapshot)
  listener.mockClear()
  return { handle, listener, off, socket }
}

function rename(v: number, name: string) {
  return { v, upd: [[0, '1', 1, name]] }
}

/** Of a server whose cards are never done. */
const otherHello = { ...boardHello, types: [boardHello.types[0], { name: 'Card', fields: ['id', 'title', '@board_id', '@position'] }] }

describe('opening', () => {
  it('sends connect and open in one frame and is live with the snapshot', () => {
    const handle = client.get(board)
    const listener = vi.fn()
    expect(handle.get().status).toBe('pending')
    expect(server.sockets).toHaveLength(0)
    handle.subscribe(listener)
    server.socket.say('@', boardHello)
    server.socket.accept()
    expect(server.socket.frames).toBe(1)
    expect(server.socket.requests).toEqual([
      { stream: '@', id: 1, payload: { type: 'connect', protocol: 1 } },
      { stream: 's1', id: 2, payload: { type: 'open', route: 'boards/1' } },
    ])
    server.socket.reply(server.socket.requests[0], { type: 'connected', user: '' })
    server.socket.say('s1', { type: 'runtime', set: { viewers: 2 } })
    server.open('#4', boardSnapshot)
    expect(handle.get()).toMatchObject({
      status: 'live',
      stale: false,
      runtimeState: { viewers: 2 },
      state: { id: '1', name: 'Groceries', cards: [{ id: '7', title: 'Milk', done: false }, { id: '8' }] },
    })
    expect(handle.get()).toBe(handle.get())
  })

  it('is shared by everyone who uses the same channel and arguments', () => {
    const { handle } = live()
    const other = client.get(BoardChannel.with({ boardId: '1' }))
    other.subscribe(() => undefined)
    expect(other.get()).toBe(handle.get())
    expect(server.socket.of('open')).toHaveLength(1)
  })

  it('shares the scope that another stream brought, whose frames come once', () => {
    const { handle, socket } = live()
    const other = client.get(BoardChannel.with({ boardId: '01' }))
    other.subscribe(() => undefined)
    const [, open] = socket.of('open')
    socket.reply(open, { type: 'opened', epoch: 'e1', scopes: [{ id: '#4', resumed: false }] })
    expect(other.get().state).toBe(handle.get().state)
    socket.say('#4', rename(11, 'Weekly'))
    expect(other.get().state?.name).toBe('Weekly')
    expect(handle.get().state).toBe(other.get().state)
  })

  it('closes a second after the last listener is gone, unless one comes back', () => {
    const { handle, off, socket } = live()
    off()
    off()
    vi.advanceTimersByTime(900)
    const again = handle.subscribe(() => undefined)
    vi.advanceTimersByTime(5_000)
    expect(socket.of('close')).toHaveLength(0)
    again()
    vi.advanceTimersByTime(1_000)
    expect(socket.of('close')).toMatchObject([{ stream: 's1' }])
    expect(handle.get().status).toBe('pending')
  })

  it('says what is denied, drops what was held, and opens again when asked to', () => {
    const { handle, socket, listener } = live()
    socket.say('s1', { type: 'closed', code: 'denied', message: 'no longer a member' })
    expect(listener).toHaveBeenCalledOnce()
    expect(handle.get()).toMatchObject({ status: 'denied', state: undefined, error: { code: 'denied' } })
    handle.get().retry()
    expect(handle.get().status).toBe('pending')
    expect(socket.of('open').at(-1)?.payload).toEqual({ type: 'open', route: 'boards/1' })
    server.open('#4', boardSnapshot)
    expect(handle.get().status).toBe('live')
  })

  it('tries again by itself when the server says that it may', () => {
    const handle = client.get(board)
    handle.subscribe(() => undefined)
    const socket = server.welcome()
    const failure = { type: 'error', code: 'unavailable', message: 'database is down', retry: true }
    socket.reply(socket.of('open')[0], failure)
    expect(handle.get()).toMatchObject({ status: 'error', error: { code: 'unavailable' } })
    vi.advanceTimersByTime(500)
    server.open('#4', boardSnapshot)
    expect(handle.get().status).toBe('live')
  })

  it('asks for a reload when the server lacks a field that the page was built with, and asks that server no more', () => {
    const handle = client.get(board)
    handle.subscribe(() => undefined)
    const socket = server.welcome(otherHello)
    server.open('#4', boardSnapshot)
    expect(handle.get()).toMatchObject({ status: 'error', state: undefined, error: { code: 'schema' } })
    expect(String(handle.get().error)).toContain('the server lacks Card.done: reload the page')
    handle.subscribe(() => undefined)
    expect(socket.of('open')).toHaveLength(1)
    expect(socket.of('close')).toHaveLength(1)
    handle.get().retry()
    expect(socket.of('open')).toHaveLength(2)
  })

  it('goes on by itself with the first server that has all that the page was built with', () => {
    const { handle, socket } = live()
    const { state } = handle.get()
    let last = socket
    for (let round = 0; round < 2; round++) {
      last.drop(1001)
      vi.advanceTimersByTime(1_000)
      last = server.welcome(otherHello)
      expect(last.of('open')).toHaveLength(1)
      server.open('#4', boardSnapshot)
      expect(handle.get()).toMatchObject({ status: 'error', stale: true, error: { code: 'schema' } })
      expect(handle.get().state).toBe(state)
    }
    last.drop(1001)
    vi.advanceTimersByTime(2_000)
    server.welcome()
    expect(server.socket.of('open')[0]?.payload).toMatchObject({ resume: { epoch: 'e1', versions: [10] } })
    expect(handle.get().status).toBe('error')
    server.open('#4').say('#4', rename(11, 'Weekly'))
    expect(handle.get()).toMatchObject({ status: 'live', stale: false, error: undefined, state: { name: 'Weekly' } })
  })

  it('does not ask again for what another server refused for another reason', () => {
    const { handle, socket } = live()
    socket.drop(1001)
    vi.advanceTimersByTime(1_000)
    server.welcome(otherHello)
    server.open('#4', boardSnapshot).drop(1001)
    vi.advanceTimersByTime(1_000)
    const next = server.welcome()
    next.reply(next.of('open')[0], { type: 'error', code: 'denied', message: 'not a member' })
    expect(handle.get()).toMatchObject({ status: 'denied', error: { code: 'denied' } })
    next.drop(1001)
    vi.advanceTimersByTime(2_000)
    expect(server.welcome().of('open')).toEqual([])
  })
})

describe('frames', () => {
  it('notifies once per frame, after the state has changed', () => {
    const { handle, listener, socket } = live()
    listener.mockImplementation(() => {
      expect(handle.get().state?.name).toBe('Weekly')
    })
    socket.say('#4', rename(11, 'Weekly'))
    expect(listener).toHaveBeenCalledOnce()
  })

  it('applies what stands between begin and end together', () => {
    const { handle, listener, socket } = live()
    const before = handle.get()
    socket.say('@', { type: 'begin', v: 11 })
    socket.say('#4', rename(11, 'Weekly'))
    socket.say('#4', { v: 11, del: [[1, '7']] })
    expect(handle.get()).toBe(before)
    socket.say('@', { type: 'end', v: 11 })
    expect(listener).toHaveBeenCalledOnce()
    expect(handle.get().state).toMatchObject({ name: 'Weekly', cards: [{ id: '8' }] })
  })

  it('keeps the other listeners and the connection when one throws', () => {
    const { handle, listener, socket } = live()
    const uncaught = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => undefined)
    listener.mockImplementation(() => {
      throw new Error('a bug of the page')
    })
    const other = vi.fn()
    handle.subscribe(other)
    socket.say('#4', rename(11, 'Weekly'))
    expect(other).toHaveBeenCalledOnce()
    expect(uncaught).toHaveBeenCalledOnce()
    expect(socket.closedWith).toBeUndefined()
  })

  it('merges runtime state, and starts it anew with every open', () => {
    const { handle, socket } = live()
    socket.say('s1', { type: 'runtime', set: { viewers: 2, topic: 'milk' } })
    socket.say('s1', { type: 'runtime', set: { viewers: 3 } })
    const { runtimeState } = handle.get()
    expect(runtimeState).toEqual({ viewers: 3, topic: 'milk' })
    socket.say('s1', { type: 'runtime', set: { viewers: 3 } })
    expect(handle.get().runtimeState).toBe(runtimeState)
    socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.welcome().say('s1', { type: 'runtime', set: { viewers: 1 } })
    server.open('#9')
    expect(handle.get().runtimeState).toEqual({ viewers: 1 })
  })

  it('tells of notices by their names, once each, and ignores what it does not know', () => {
    const { handle, off, socket } = live()
    const mention = vi.fn()
    const other = vi.fn()
    const quiet = handle.notices.subscribe('mention', mention)
    handle.notices.subscribe('other', other)
    off()
    vi.advanceTimersByTime(5_000)
    expect(socket.of('close')).toHaveLength(0)
    socket.say('s1', { type: 'notice', name: 'mention', value: { by: 'Ada' } })
    socket.say('s1', { type: 'something new' })
    quiet()
    socket.say('s1', { type: 'notice', name: 'mention', value: { by: 'Bob' } })
    expect(mention.mock.calls).toEqual([[{ by: 'Ada' }]])
    expect(other).not.toHaveBeenCalled()
    expect(handle.get().status).toBe('live')
  })

  it('starts a new connection from what was applied when a frame cannot be read', () => {
    const { handle, socket } = live()
    const logged = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    socket.onmessage?.({ data: '{' })
    expect(logged).toHaveBeenCalledOnce()
    expect(client.connection.get()).toBe('reconnecting')
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
  })
})

describe('a first snapshot in parts', () => {
  const [board1, ...cards] = boardSnapshot.set

  it('is shown as it arrives, the anchor first, and live when it is whole', () => {
    const handle = client.get(board)
    const listener = vi.fn()
    handle.subscribe(listener)
    const socket = server.welcome()
    expect(handle.get()).toMatchObject({ status: 'pending', state: undefined, loading: undefined })
    server.open('#4', { v: 10, snapshot: 'first', set: [board1] })
    expect(handle.get()).toMatchObject({ status: 'pending', state: undefined, loading: { name: 'Groceries', cards: [] } })
    listener.mockClear()
    socket.say('#4', { v: 10, snapshot: 'more', set: cards })
    expect(listener).toHaveBeenCalledOnce()
    const { loading } = handle.get()
    expect(loading?.cards).toHaveLength(2)
    socket.say('#4', { v: 10, snapshot: 'last' })
    expect(handle.get()).toMatchObject({ status: 'live', loading: undefined })
    expect(handle.get().state).toBe(loading)
  })

  it('keeps the old tree, which is stale, when it comes to a stream that is live', () => {
    const { handle, listener, socket } = live()
    const before = handle.get().state
    socket.say('#4', { v: 20, snapshot: 'first', set: [board1] })
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    expect(handle.get().state).toBe(before)
    socket.say('#4', { v: 20, snapshot: 'last', set: cards })
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    expect(handle.get().state).toBe(before)
    socket.say('#4', rename(21, 'Weekly'))
    expect(handle.get().state?.name).toBe('Weekly')
    expect(listener).toHaveBeenCalledTimes(3)
  })
})

describe('a stream of two scopes', () => {
  const [board1, milk, eggs] = boardSnapshot.set

  function both() {
    const handle = client.get(board)
    const listener = vi.fn()
    handle.subscribe(listener)
    server.welcome()
    const socket = server.scopes(['#4', '#5'])
    socket.say('#4', { v: 10, snapshot: 'only', set: [board1, milk] })
    expect(handle.get()).toMatchObject({ status: 'pending', loading: { cards: [{ id: '7' }] } })
    socket.say('#5', { v: 9, snapshot: 'only', set: [board1, milk, eggs] })
    expect(handle.get()).toMatchObject({ status: 'live', stale: false, state: { cards: [{ id: '7' }, { id: '8' }] } })
    listener.mockClear()
    return { handle, listener, socket }
  }

  it('shows a row while either holds it', () => {
    const { handle, socket } = both()
    const before = handle.get().state
    socket.say('#4', { v: 11, del: [[1, '7']] })
    expect(handle.get().state).toBe(before)
    socket.say('#5', { v: 12, del: [[1, '7'], [1, '8']] })
    expect(handle.get().state?.cards).toEqual([])
  })

  it('applies what comes to both together and tells of it once', () => {
    const { handle, listener, socket } = both()
    socket.say('@', { type: 'begin', v: 11 })
    socket.say('#4', { v: 11, upd: [[0, '1', 1, 'Weekly']], del: [[1, '7']] })
    socket.say('#5', { v: 11, upd: [[0, '1', 1, 'Weekly']], del: [[1, '7']] })
    expect(handle.get().state?.name).toBe('Groceries')
    socket.say('@', { type: 'end', v: 11 })
    expect(listener).toHaveBeenCalledOnce()
    expect(handle.get().state).toMatchObject({ name: 'Weekly', cards: [{ id: '8' }] })
  })

  it('resumes each from its version, and replaces only what the one held that starts anew', () => {
    const { handle, socket } = both()
    const before = handle.get().state
    socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.welcome()
    expect(server.socket.of('open')[0].payload.resume).toEqual({ epoch: 'e1', versions: [10, 9] })
    const [open] = server.socket.of('open')
    const scopes = [{ id: '#40', resumed: true }, { id: '#50', resumed: false }]
    server.socket.reply(open, { type: 'opened', epoch: 'e1', scopes })
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    server.socket.say('#50', { v: 12, snapshot: 'only' })
    expect(handle.get()).toMatchObject({ stale: false, state: { cards: [{ id: '7' }] } })
    expect(handle.get().state?.cards[0]).toBe(before?.cards[0])
  })

  it('does not resume from scopes of two histories', () => {
    const { handle, socket } = both()
    socket.drop(1006)
    vi.advanceTimersByTime(500)
    server.welcome()
    server.scopes(['#40', '#50'], false, 'e2').say('#40', { v: 1, snapshot: 'only', set: [board1, milk] })
    expect(handle.get()).toMatchObject({ status: 'live', stale: true, state: { cards: [{ id: '7' }, { id: '8' }] } })
    server.socket.drop(1006)
    vi.advanceTimersByTime(1_000)
    expect(server.welcome().of('open')[0].payload.resume).toBeUndefined()
  })

  it('is one store for all streams of the same first scope', () => {
    const { handle, socket } = both()
    const other = client.get(BoardChannel.with({ boardId: '01' }))
    const off = other.subscribe(() => undefined)
    server.scopes(['#4', '#5'])
    expect(other.get().state).toBe(handle.get().state)
    socket.say('#5', { v: 11, del: [[1, '8']] })
    expect(other.get().state).toMatchObject({ cards: [{ id: '7' }] })
    expect(handle.get().state).toBe(other.get().state)
    off()
    vi.advanceTimersByTime(1_000)
    socket.say('#4', rename(12, 'Weekly'))
    expect(handle.get().state?.name).toBe('Weekly')
  })
})

describe('one instance', () => {
  it('is called for when it changes, and not when another does', () => {
    const { handle, socket } = live()
    const milk = instanceOf(handle, 'Card', '7')
    const listener = vi.fn()
    const off = milk.subscribe(listener)
    const before = milk.get()
    expect(before).toBe(handle.get().state?.cards[0])
    socket.say('#4', { v: 11, upd: [[1, '8', 1, 'Ten eggs']] })
    expect(listener).not.toHaveBeenCalled()
    expect(milk.get()).toBe(before)
    socket.say('#4', { v: 12, upd: [[1, '7', 2, true]] })
    expect(listener).toHaveBeenCalledOnce()
    expect(milk.get()).toEqual({ id: '7', title: 'Milk', done: true })
    socket.say('#4', { v: 13, del: [[1, '7']] })
    expect(listener).toHaveBeenCalledTimes(2)
    expect(milk.get()).toBeUndefined()
    off()
    socket.say('#4', { v: 14, set: [[1, ['7', 'Milk', false, '1', 1]]] })
    expect(listener).toHaveBeenCalledTimes(2)
  })
})

describe('an action', () => {
  it('resolves once the state shows what it committed', async () => {
    const { handle, socket } = live()
    const done = vi.fn()
    const call = handle.actions.moveCard(card('7'), 9007199254740993n).then(done)
    const [request] = socket.of('action')
    expect(request.payload).toEqual({ type: 'action', name: 'moveCard', args: ['7', '9007199254740993'] })
    socket.reply(request, { type: 'result', value: 4, version: 11 })
    socket.say('@', { type: 'mark', v: 10 })
    await vi.advanceTimersByTimeAsync(0)
    expect(done).not.toHaveBeenCalled()
    socket.say('#4', rename(11, 'Weekly'))
    socket.say('@', { type: 'mark', v: 11 })
    await call
    expect(done).toHaveBeenCalledWith(4)
  })

  it('resolves with the result when its effects cannot be told', async () => {
    const { handle, socket } = live()
    const call = handle.actions.rename('Weekly')
    socket.reply(socket.of('action')[0], { type: 'result', value: null })
    await expect(call).resolves.toBeNull()
  })

  it('rejects with the code of the server', async () => {
    const { handle, socket } = live()
    const call = handle.actions.rename('')
    socket.reply(socket.of('action')[0], { type: 'error', code: 'invalid', message: 'a board needs a name' })
    await expect(call).rejects.toMatchObject({ code: 'invalid', outcome: 'failed', retry: false })
  })

  it('fails at once while there is no connection', async () => {
    const { handle, socket } = live()
    socket.drop(1006)
    const error: unknown = await handle.actions.rename('x').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(PandoError)
    expect(error).toMatchObject({ code: 'offline', outcome: 'failed', retry: true })
  })

  it('makes the first connection, and waits for it', async () => {
    const call = client.get(board).actions.rename('Weekly')
    const socket = server.welcome()
    server.open('#4', boardSnapshot)
    socket.reply(socket.of('action')[0], { type: 'result', value: null })
    await expect(call).resolves.toBeNull()
  })

  it('fails when the first connection fails', async () => {
    const fetch = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('no answer'))
    const call = expect(client.get(board).actions.rename('x')).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
    server.socket.drop(1006)
    await call
    fetch.mockRestore()
  })

  it('has an unknown outcome when the connection breaks or no answer comes', async () => {
    const { handle, socket } = live()
    const late = expect(handle.actions.rename('x')).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' })
    socket.say('@', { type: 'beat' })
    await vi.advanceTimersByTimeAsync(20_000)
    socket.say('@', { type: 'beat' })
    await vi.advanceTimersByTimeAsync(10_000)
    await late
    const cut = handle.actions.rename('y')
    socket.drop(1006)
    await expect(cut).rejects.toMatchObject({ code: 'lost', outcome: 'unknown' })
  })

  it('resolves with a result that came, though the connection breaks before its effects', async () => {
    const { handle, socket } = live()
    const call = handle.actions.moveCard(card('7'), 1)
    socket.reply(socket.of('action')[0], { type: 'result', value: 4, version: 11 })
    socket.drop(1006)
    await expect(call).resolves.toBe(4)
  })

  it('opens the stream for as long as it takes when nobody listens', async () => {
    const { socket } = live()
    const call = client.get(BoardChannel.with({ boardId: 2 })).actions.rename('x')
    expect(socket.requests.slice(-2).map((r) => [r.stream, r.payload.type])).toEqual([['s2', 'open'], ['s2', 'action']])
    socket.reply(socket.of('action')[0], { type: 'result', value: null })
    await call
    await vi.advanceTimersByTimeAsync(1_000)
    expect(socket.of('close')).toMatchObject([{ stream: 's2' }])
  })
})
