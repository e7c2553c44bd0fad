import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { dehydrate, fetchState, hydrate, preload, type Dehydrated } from '../src/hydrate.js'
import { createClient, type Client } from '../src/index.js'
import { instanceOf } from '../src/instance.js'
import { FakeServer } from './fake-server.js'
import { KanbanChannel, kanbanHello, kanbanSnapshot } from './kanban.js'

const kanban = KanbanChannel.with({ kanbanId: 1 })
const clients: Client[] = []

function clientOf(server: FakeServer): Client {
  const client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
  clients.push(client)
  return client
}

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  for (const client of clients.splice(0)) client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** What a server renders. */
async function rendered(): Promise<{ readonly data: Dehydrated; readonly state: unknown }> {
  const server = new FakeServer()
  const client = clientOf(server)
  const loading = preload(client, kanban)
  server.welcome(kanbanHello)
  server.open('#4', kanbanSnapshot).say('#4', { v: 12, upd: [[2, '7', 1, 'Oat milk']] })
  const { status, state } = await loading
  expect(status).toBe('live')
  void client.get(kanban).save({ ...state?.lists[0] } as never, {}).catch(() => undefined)
  return { data: JSON.parse(JSON.stringify(dehydrate(client))) as Dehydrated, state: client.get(kanban).get().state }
}

describe('hydrating', () => {
  it('shows at once what the server rendered, and goes on from its version', async () => {
    const { data, state } = await rendered()
    const server = new FakeServer()
    const client = clientOf(server)
    hydrate(client, data)
    const handle = client.get(kanban)
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    expect(handle.get().state).toEqual(state)
    const first = client.hydrated?.get(kanban)
    expect(first?.get()).toMatchObject({ status: 'live', stale: false })
    expect(first?.get().state).toEqual(state)
    expect(first?.get()).toBe(first?.get())
    expect(server.sockets).toHaveLength(0)
    handle.subscribe(() => undefined)
    server.welcome({ ...kanbanHello, types: kanbanHello.types.toReversed() })
    expect(server.socket.of('open')[0].payload.resume).toEqual({ epoch: 'e1', versions: [12] })
    server.open('#9').say('#9', { v: 13, upd: [[2, '8', 1, 'Ten eggs']] })
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    const shown = handle.get().state
    server.socket.say('#9', { v: 14, upd: [[4, '1', 1, 'Home']] })
    expect(handle.get().state).toMatchObject({ name: 'Home' })
    expect(handle.get().state?.lists).toBe(shown?.lists)
    expect(client.hydrated?.get(kanban).get().state).toEqual(state)
    if (!first) throw new Error('nothing was hydrated')
    expect(instanceOf(first, 'Card', '7').get()?.title).toBe('Oat milk')
  })

  it('ignores what is another user’s, or of another declaration', async () => {
    const { data } = await rendered()
    const server = new FakeServer()
    const client = clientOf(server)
    client.get(kanban).subscribe(() => undefined)
    server.welcome(kanbanHello)
    hydrate(client, { ...data, user: '2' })
    expect(client.hydrated).toBeUndefined()
    const other = clientOf(new FakeServer())
    hydrate(other, { ...data, streams: data.streams.map((stream) => ({ ...stream, hash: 'another' })) })
    expect(other.get(kanban).get().status).toBe('pending')
  })

  it('forgets it all when the connection turns out to be another user’s', async () => {
    const { data } = await rendered()
    const server = new FakeServer()
    const client = clientOf(server)
    hydrate(client, { ...data, user: '2' })
    const handle = client.get(kanban)
    handle.subscribe(() => undefined)
    expect(handle.get().status).toBe('live')
    server.welcome(kanbanHello)
    expect(handle.get()).toMatchObject({ status: 'pending', state: undefined })
    expect(server.socket.of('open').at(-1)?.payload).toEqual({ type: 'open', route: 'kanban/1' })
  })
})

describe('fetchState', () => {
  it('reads nested state by HTTP, or says why not', async () => {
    const fetched = vi.fn<typeof fetch>()
    vi.stubGlobal('fetch', fetched)
    fetched.mockResolvedValueOnce(new Response('{"id":"1","name":"Work","lists":[]}'))
    const headers = { Authorization: 'Token x' }
    await expect(fetchState('https://host/live/', kanban, { headers })).resolves.toEqual({ id: '1', name: 'Work', lists: [] })
    expect(fetched).toHaveBeenCalledWith('https://host/live/state/kanban/1', { headers })
    fetched.mockResolvedValueOnce(new Response('{"error":{"code":"not_found","message":"no such row"}}', { status: 404 }))
    await expect(fetchState('https://host', kanban)).rejects.toMatchObject({ code: 'not_found', retry: false })
    fetched.mockResolvedValueOnce(new Response('Bad Gateway', { status: 503 }))
    await expect(fetchState('https://host', kanban)).rejects.toMatchObject({ code: 'unavailable', retry: true })
  })
})
