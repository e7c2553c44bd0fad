import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { once } from '../src/actions.js'
import { inspect } from '../src/devtools.js'
import { Channel, createClient, type Client } from '../src/index.js'
import { BoardChannel, type BoardChannelActions } from './board.js'
import { FakeServer, boardSnapshot } from './fake-server.js'

let server: FakeServer
let client: Client
const board = BoardChannel.with({ boardId: 1 })

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
})
afterEach(() => {
  client.close()
  vi.useRealTimers()
})

/** Lets the socket be heard of, which happens once the session listens to it. */
const dialled = () => vi.advanceTimersByTimeAsync(0)

describe('inspect', () => {
  it('shows the connection, the streams and the frames of a socket that is dialled after it', async () => {
    const tool = inspect(client)
    expect(tool.get()).toEqual({ connection: 'idle', user: undefined, system: undefined, streams: [], frames: [], writes: [] })
    client.get(board).subscribe(() => undefined)
    await dialled()
    server.welcome()
    server.open('#4', boardSnapshot)
    const { connection, user, streams, frames } = tool.get()
    expect([connection, user]).toEqual(['online', '1'])
    expect(streams).toEqual([
      { name: 's1', channel: 'BoardChannel', route: 'boards/1', users: 1, status: 'live', stale: false, version: 10, instances: { Board: 1, Card: 2 }, pending: 0, error: undefined },
    ])
    expect(frames.map(({ direction, stream, type }) => `${direction} ${stream} ${type}`)).toEqual([
      'in @ hello',
      'out @ connect',
      'out s1 open',
      'in @ connected',
      'in s1 opened',
      'in #4 state',
    ])
    expect(JSON.parse(frames[5].text)).toEqual({ stream: '#4', payload: boardSnapshot })
  })

  it('hears of a socket that was open before, and tells listeners of what changes', async () => {
    client.get(board).subscribe(() => undefined)
    server.welcome()
    const tool = inspect(client)
    const heard = vi.fn()
    tool.subscribe(heard)
    const before = tool.get()
    expect(tool.get()).toBe(before)
    server.open('#4', boardSnapshot)
    expect(heard).toHaveBeenCalled()
    expect(tool.get()).not.toBe(before)
    expect(before.streams[0].status).toBe('pending')
    expect(tool.get().streams[0].status).toBe('live')
    server.socket.drop(1006)
    expect(tool.get().connection).toBe('reconnecting')
    expect(tool.get().streams[0].stale).toBe(true)
    await vi.advanceTimersByTimeAsync(500)
    server.welcome()
    expect(tool.get().frames.filter(({ type }) => type === 'hello')).toHaveLength(1)
  })

  it('keeps as many frames as it is told to, and cuts long ones', () => {
    client.get(board).subscribe(() => undefined)
    server.welcome()
    const tool = inspect(client, { frames: 3 })
    server.open('#4', boardSnapshot)
    for (let v = 11; v < 20; v++) server.socket.say('#4', { v, upd: [[1, '7', 1, 'x'.repeat(20_000)]] })
    const { frames } = tool.get()
    expect(frames.map(({ text, length }) => [text.length, length > 20_000])).toEqual(Array(3).fill([10_000, true]))
    expect(tool.get().streams[0].version).toBe(19)
  })

  it('hears nothing after it was stopped, and another one does', async () => {
    const first = inspect(client)
    first.stop()
    const second = inspect(client)
    const third = inspect(client)
    second.stop()
    const heard = vi.fn()
    first.subscribe(heard)
    second.subscribe(heard)
    client.get(board).subscribe(() => undefined)
    await dialled()
    server.welcome()
    server.open('#4', boardSnapshot)
    expect(heard).not.toHaveBeenCalled()
    expect(first.get().frames).toEqual([])
    expect(second.get().frames).toEqual([])
    expect(third.get().frames).toHaveLength(6)
    expect(client.get(board).get().status).toBe('live')
  })

  it('shows requests from their submission until the state shows what they did', async () => {
    const channel = new Channel<unknown, unknown, BoardChannelActions, unknown>({ ...BoardChannel.spec, once: ['rename'], requests: once }, { boardId: 1 })
    client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, queue: 1 })
    const tool = inspect(client)
    const states = () => tool.get().writes.map(({ state, kind, type, data }) => [state, kind, type, data])
    const done = client.get(channel).actions.rename('Weekly')
    await dialled()
    expect(states()).toEqual([['queued', 'action', 'rename', ['Weekly']]])
    expect(tool.get().streams[0].pending).toBe(1)
    const socket = server.welcome()
    server.open('#4', boardSnapshot)
    expect(states()).toEqual([['sent', 'action', 'rename', ['Weekly']]])
    socket.reply(socket.of('action')[0], { type: 'result', value: null, version: 11 })
    expect(states()[0][0]).toBe('confirmed')
    socket.say('@', { type: 'mark', v: 11 })
    await done
    expect(states()).toEqual([])
  })
})
