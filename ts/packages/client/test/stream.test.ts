import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient, type Client } from '../src/index.js'
import { BoardChannel } from './board.js'
import { FakeServer, boardHello, boardSnapshot } from './fake-server.js'

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

function live() {
  const handle = client.get(board)
  const listener = vi.fn()
  const off = handle.subscribe(listener)
  server.welcome()
  server.open('#4', boardSnapshot)
  listener.mockClear()
  return { handle, listener, off, socket: server.socket }
}

describe('a stream', () => {
  it('opens with connect in one frame and becomes live with the snapshot', () => {
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
  })
})
