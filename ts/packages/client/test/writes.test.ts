import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PandoError, createClient, type Client, type ClientOptions } from '../src/index.js'
import { ref } from '../src/writes.js'
import { FakeServer, type FakeSocket } from './fake-server.js'
import { deepFreeze } from './freeze.js'
import { KanbanChannel, kanbanHello, kanbanSnapshot } from './kanban.js'

const kanban = KanbanChannel.with({ kanbanId: 1 })
let server: FakeServer
let client: Client

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
  server = new FakeServer()
  vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('no network'))))
})

afterEach(() => {
  client.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function live(options: Partial<ClientOptions> = {}) {
  client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, ...options })
  const handle = client.get(kanban)
  const listener = vi.fn(() => {
    deepFreeze(handle.get().state)
  })
  handle.subscribe(listener)
  const socket = server.welcome(kanbanHello)
  server.open('#4', kanbanSnapshot)
  listener.mockClear()
  return { handle, listener, socket }
}

type Live = ReturnType<typeof live>

const stateOf = ({ handle }: Live) => {
  const { state } = handle.get()
  if (!state) throw new Error('no state')
  return state
}
const todo = (test: Live) => stateOf(test).lists[0]
const titles = (test: Live) => todo(test).cards.map(({ title }) => title)
const last = (socket: FakeSocket, type: string) => {
  const request = socket.of(type).at(-1)
  if (!request) throw new Error(`no ${type} was sent`)
  return request
}

/** Makes a write that is still under way when the test ends. */
function aside(promise: Promise<unknown>): void {
  promise.catch(() => undefined)
}

const pendingStill = async (promise: Promise<unknown>) => {
  const settled = vi.fn()
  promise.then(settled, settled)
  await vi.advanceTimersByTimeAsync(0)
  expect(settled).not.toHaveBeenCalled()
}

function result(socket: FakeSocket, type: string, value: unknown, version?: number) {
  socket.reply(last(socket, type), { type: 'result', value, ...(version !== undefined && { version }) })
}

describe('a save', () => {
  it('shows at once, shares what did not change, and ends when the stream has passed its version', async () => {
    const test = live()
    const { handle, listener, socket } = test
    const before = todo(test)
    const saved = handle.save(before.cards[0], { title: 'Oat milk', secret: 'x' })
    expect(listener).toHaveBeenCalledOnce()
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    expect(before.cards[0].title).toBe('Milk')
    expect(todo(test).cards[1]).toBe(before.cards[1])
    const { payload } = last(socket, 'save')
    expect(payload).toEqual({ type: 'save', of: 'Card', id: '7', data: { title: 'Oat milk', secret: 'x' }, key: payload.key })
    expect(payload.key).toMatch(/^[A-Za-z0-9_]{24}$/)
    result(socket, 'save', null, 12)
    await pendingStill(saved)
    const shown = handle.get().state
    socket.say('#4', { v: 12, upd: [[2, '7', 1, 'Oat milk']] })
    expect(handle.get().state).toBe(shown)
    socket.say('@', { type: 'mark', v: 12 })
    await saved
    expect(handle.get().state).toBe(shown)
  })

  it('is dropped when the version has passed and nothing visible changed', async () => {
    const test = live()
    const saved = test.handle.save(todo(test).cards[0], { title: 'Oat milk' })
    result(test.socket, 'save', null, 12)
    test.socket.say('@', { type: 'mark', v: 12 })
    await saved
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
  })

  it('is withdrawn at once on an error, which says what is wrong', async () => {
    const test = live()
    const before = structuredClone(test.handle.get().state)
    const saved = test.handle.save(todo(test).cards[1], { position: 0.5, title: '' })
    expect(titles(test)).toEqual(['', 'Milk'])
    const failure = { type: 'error', code: 'invalid', message: 'title: is empty', fields: { title: 'is empty' }, retry_after: 7 }
    test.socket.reply(last(test.socket, 'save'), failure)
    expect(test.handle.get().state).toEqual(before)
    await expect(saved).rejects.toMatchObject({ code: 'invalid', outcome: 'failed', fields: { title: 'is empty' }, retryAfter: 7 })
  })

  it('merges with others of the row, and lets another user’s field through', async () => {
    const test = live()
    const [milk] = todo(test).cards
    aside(test.handle.save(milk, { title: 'A' }))
    aside(test.handle.save(milk, { title: 'B', assignee: ref('User', '2').id as never }))
    expect(todo(test).cards[0]).toMatchObject({ title: 'B', done: false, assignee: { name: 'Ada' } })
    test.socket.say('#4', { v: 11, upd: [[2, '7', 1, 'Theirs', 2, true]] })
    expect(todo(test).cards[0]).toMatchObject({ title: 'B', done: true, assignee: { name: 'Ada' } })
    const [first, second] = test.socket.of('save')
    test.socket.reply(second, { type: 'error', code: 'denied', message: 'no' })
    expect(todo(test).cards[0]).toMatchObject({ title: 'A', done: true, assignee: null })
    test.socket.reply(first, { type: 'error', code: 'denied', message: 'no' })
    expect(todo(test).cards[0]).toMatchObject({ title: 'Theirs', done: true })
    await vi.advanceTimersByTimeAsync(0)
  })

  it('tells what was seen of the fields that it sets', () => {
    const test = live()
    const [milk, eggs] = todo(test).cards
    aside(test.handle.save(eggs, { title: 'Ten eggs', assignee: null }, { seen: true }))
    expect(last(test.socket, 'save').payload.seen).toEqual({ title: 'Eggs', assignee: '2' })
    aside(test.handle.save(milk, { title: 'Oat milk' }, { seen: { title: 'Mlik' } }))
    expect(last(test.socket, 'save').payload.seen).toEqual({ title: 'Mlik' })
  })

  it('of a row of an older state is of that row, of anything else is refused', async () => {
    const test = live()
    const [milk] = todo(test).cards
    test.socket.say('#4', { v: 11, upd: [[2, '7', 1, 'Oat milk']] })
    aside(test.handle.save(milk, { done: true }))
    expect(last(test.socket, 'save').payload.id).toBe('7')
    aside(test.handle.save(ref('Card', '8'), { done: true }))
    expect(todo(test).cards).toMatchObject([{ done: true, title: 'Oat milk' }, { done: true }])
    await expect(test.handle.save({ ...milk }, { done: true })).rejects.toThrow('no row of KanbanChannel')
  })

  it('that the channel does not show before is shown once it is confirmed', async () => {
    const test = live()
    const saved = test.handle.save(stateOf(test), { name: 'Home' })
    expect(test.handle.get().state?.name).toBe('Work')
    test.socket.say('#4', { v: 11, upd: [[0, '1', 1, 'Home']] })
    result(test.socket, 'save', null)
    await saved
    expect(test.handle.get().state?.name).toBe('Home')
  })

  it('is withdrawn after the time that the channel declares, and goes on', async () => {
    const test = live({ actionTimeout: 100_000 })
    const saved = test.handle.save(todo(test).cards[0], { title: 'Oat milk' })
    test.listener.mockClear()
    vi.advanceTimersByTime(30_000)
    expect(test.listener).toHaveBeenCalledOnce()
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    await pendingStill(saved)
    result(test.socket, 'save', null)
    await saved
  })
})

describe('a creation', () => {
  it('has a temporary key, stands where the order says, and keeps one stable key', async () => {
    const test = live()
    const { handle, socket } = test
    const created = handle.create('cards', todo(test), { title: 'Bread', position: 1.5 })
    expect(titles(test)).toEqual(['Milk', 'Bread', 'Eggs'])
    const bread = todo(test).cards[1]
    expect(bread).toEqual({ id: created.key, title: 'Bread', done: false, assignee: null })
    expect(bread.id).toMatch(/^tmp:/)
    expect(handle.keyOf(bread)).toBe(bread.id)
    expect(handle.keyOf(todo(test).cards[0])).toBe('7')
    expect(last(socket, 'create').payload).toMatchObject({ of: 'Card', in: ['List', '3', 'cards'], data: { title: 'Bread', position: 1.5 } })
    const row = [2, ['9', 'Bread', false, '3', 1.5, null]]
    result(socket, 'create', '9', 11)
    expect(todo(test).cards[1]).toBe(bread)
    socket.say('#4', { v: 11, set: [row] })
    expect(titles(test)).toEqual(['Milk', 'Bread', 'Eggs'])
    expect(todo(test).cards[1].id).toBe('9')
    socket.say('@', { type: 'mark', v: 11 })
    await expect(created).resolves.toBe('9')
    expect(titles(test)).toEqual(['Milk', 'Bread', 'Eggs'])
    expect(handle.keyOf(todo(test).cards[1])).toBe(created.key)
    // What was made of the temporary row still names it.
    aside(handle.save(bread, { done: true }))
    expect(last(socket, 'save').payload.id).toBe('9')
    expect(todo(test).cards[1].done).toBe(true)
  })

  it('gives way to the row even when that comes before the reply', async () => {
    const test = live()
    const created = test.handle.create('cards', todo(test), { title: 'Bread', position: 3 })
    test.socket.say('#4', { v: 11, set: [[2, ['9', 'Bread', false, '3', 3, null]]] })
    result(test.socket, 'create', '9', 11)
    expect(titles(test)).toEqual(['Milk', 'Eggs', 'Bread'])
    test.socket.say('@', { type: 'mark', v: 11 })
    await created
    expect(titles(test)).toEqual(['Milk', 'Eggs', 'Bread'])
  })

  it('in a relation of places shows there, and where its links lead', () => {
    const test = live()
    aside(test.handle.create('starred', todo(test), { title: 'Bread', position: 1 }))
    aside(test.handle.create('starred', todo(test), { title: 'Jam', position: 2, list: todo(test).id }))
    expect(todo(test).starred.map(({ title }) => title)).toEqual(['Jam', 'Bread'])
    expect(titles(test)).toEqual(['Milk', 'Eggs', 'Jam'])
    expect(todo(test).starred[0]).toBe(todo(test).cards[2])
  })

  it('is referred to before it is confirmed: what depends on it waits, in order', async () => {
    const test = live()
    const { handle, socket } = test
    const list = handle.create('lists', stateOf(test), { name: 'New', position: 0 })
    const [created] = stateOf(test).lists
    const card = handle.create('cards', created, { title: 'Inside' })
    const moved = handle.save(ref('Card', '7'), { list: list.key })
    const renamed = handle.save(ref('Card', card.key), { title: 'Renamed' })
    const deleted = handle.delete(ref('Card', '8'))
    expect(todo(test)).toMatchObject({ name: 'New', cards: [{ title: 'Renamed' }, { id: '7' }] })
    expect(stateOf(test).lists[1].cards).toEqual([])
    expect(socket.requests.slice(2).map(({ payload }) => payload.type)).toEqual(['create'])
    result(socket, 'create', '20', 11)
    expect(socket.requests.slice(3).map(({ payload }) => payload)).toMatchObject([
      { type: 'create', of: 'Card', in: ['List', '20', 'cards'] },
      { type: 'save', id: '7', data: { list: '20' } },
    ])
    result(socket, 'create', '21', 12)
    expect(socket.requests.slice(5).map(({ payload }) => payload)).toMatchObject([
      { type: 'save', id: '21', data: { title: 'Renamed' } },
      { type: 'delete', id: '8' },
    ])
    socket.say('#4', {
      v: 15,
      set: [[1, ['20', 'New', '1', 0]], [2, ['21', 'Renamed', false, '20', null, null]]],
      upd: [[2, '7', 3, '20']],
      del: [[2, '8']],
    })
    const shown = handle.get().state
    for (const request of socket.requests.slice(4)) socket.reply(request, { type: 'result', value: null, version: 15 })
    socket.say('@', { type: 'mark', v: 15 })
    await Promise.all([list, card, moved, renamed, deleted])
    expect(handle.get().state).toBe(shown)
  })

  it('that fails takes with it what depends on it', async () => {
    const test = live()
    const { handle, socket } = test
    const before = handle.get().state
    const list = handle.create('lists', stateOf(test), { name: 'New' })
    const card = handle.create('cards', ref('List', list.key), { title: 'Inside' })
    const deleted = handle.delete(ref('List', list.key))
    socket.reply(last(socket, 'create'), { type: 'error', code: 'denied', message: 'no' })
    await expect(list).rejects.toMatchObject({ code: 'denied' })
    await expect(card).rejects.toMatchObject({ code: 'depends', outcome: 'failed' })
    await expect(deleted).rejects.toMatchObject({ code: 'depends' })
    expect(socket.of('create')).toHaveLength(1)
    expect(handle.get().state).toEqual(before)
    await expect(handle.save(ref('List', list.key), { name: 'Late' })).rejects.toMatchObject({ code: 'depends' })
  })

  it('that fails takes with it at once what waits for something else, too', async () => {
    const test = live()
    const { handle, socket } = test
    const list = handle.create('lists', stateOf(test), { name: 'New', position: 9 })
    const card = handle.create('cards', todo(test), { title: 'Bread', position: 9 })
    const held = handle.save(ref('Card', card.key), { title: 'Rye' })
    const moved = handle.save(ref('Card', card.key), { list: list.key, assignee: null })
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    const [first, second] = socket.of('create')
    socket.reply(first, { type: 'error', code: 'denied', message: 'no' })
    await expect(list).rejects.toMatchObject({ code: 'denied' })
    await expect(moved).rejects.toMatchObject({ code: 'depends' })
    expect(titles(test)).toEqual(['Milk', 'Eggs', 'Rye'])
    await pendingStill(held)
    socket.reply(second, { type: 'result', value: '9' })
    expect(last(socket, 'save').payload).toMatchObject({ id: '9', data: { title: 'Rye' } })
    result(socket, 'save', null)
    await Promise.all([card, held])
  })

  it('can be deleted before it is confirmed', async () => {
    const test = live()
    const { handle, socket } = test
    const created = handle.create('cards', todo(test), { title: 'Bread', position: 3 })
    const deleted = handle.delete(todo(test).cards[2])
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    result(socket, 'create', '9', 11)
    socket.say('#4', { v: 11, set: [[2, ['9', 'Bread', false, '3', 3, null]]] })
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    expect(last(socket, 'delete').payload.id).toBe('9')
    socket.say('#4', { v: 12, del: [[2, '9']] })
    result(socket, 'delete', null)
    socket.say('@', { type: 'mark', v: 12 })
    await Promise.all([created, deleted])
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
  })

  it('does not take a text for a temporary key', () => {
    const test = live()
    const created = test.handle.create('cards', todo(test), { title: 'Bread' })
    aside(created)
    aside(test.handle.save(ref('Card', '7'), { title: created.key }))
    expect(last(test.socket, 'save').payload.data).toEqual({ title: created.key })
    expect(todo(test).cards.find(({ id }) => id === '7')?.title).toBe(created.key)
  })
})

describe('a deletion', () => {
  it('takes the row and what hangs on it away, and a refusal brings all back', async () => {
    const test = live()
    const before = test.handle.get().state
    const deleted = test.handle.delete(todo(test))
    expect(test.handle.get().state?.lists).toMatchObject([{ id: '4' }])
    test.socket.say('#4', { v: 11, upd: [[2, '7', 1, 'Oat milk']] })
    test.socket.reply(last(test.socket, 'delete'), { type: 'error', code: 'conflict', message: 'has cards' })
    await expect(deleted).rejects.toMatchObject({ code: 'conflict' })
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    expect(test.handle.get().state?.lists[1]).toBe(before?.lists[1])
    expect(todo(test).cards[1]).toBe(before?.lists[0].cards[1])
  })
})

describe('when the connection is lost', () => {
  const back = () => {
    vi.advanceTimersByTime(500)
    const socket = server.welcome(kanbanHello)
    server.open('#9')
    return socket
  }

  it('a write without a reply is sent again under its key, and stays visible', async () => {
    const test = live()
    const saved = test.handle.save(todo(test).cards[0], { title: 'Oat milk' })
    const { payload } = last(test.socket, 'save')
    test.socket.drop(1006)
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    const socket = back()
    expect(last(socket, 'save').payload).toEqual(payload)
    result(socket, 'save', null, 12)
    socket.drop(1006)
    // Its reply came, but not what it did: the server tells again what the reply was, and when that is past.
    vi.advanceTimersByTime(500)
    const third = back()
    expect(last(third, 'save').payload).toEqual(payload)
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    result(third, 'save', null, 12)
    third.say('#9', { v: 12, upd: [[2, '7', 1, 'Oat milk']] })
    third.say('@', { type: 'mark', v: 12 })
    await saved
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
  })

  it('is given up ten minutes after the first sending, as unknown', async () => {
    const test = live()
    const saved = test.handle.save(todo(test).cards[0], { title: 'Oat milk' })
    const outcome = expect(saved).rejects.toMatchObject({ code: 'lost', outcome: 'unknown' })
    test.socket.drop(1006)
    vi.advanceTimersByTime(599_000)
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    vi.advanceTimersByTime(1_000)
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    await outcome
  })

  it('since a frame was too large, it is not sent again, which would cost the next one, too', async () => {
    const test = live()
    const outcome = expect(test.handle.save(ref('Card', '7'), { title: 'x'.repeat(70_000) })).rejects.toMatchObject({
      code: 'too_large',
      outcome: 'unknown',
    })
    test.socket.drop(1009)
    await outcome
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    expect(back().of('save')).toEqual([])
  })

  it('is not sent again after a sleep in which the server may have forgotten its key', async () => {
    const test = live()
    const outcome = expect(test.handle.save(ref('Card', '7'), { title: 'Oat milk' })).rejects.toMatchObject({
      code: 'lost',
      outcome: 'unknown',
    })
    test.socket.drop(1006)
    vi.setSystemTime(Date.now() + 7_200_000) // timers stood still
    expect(back().of('save')).toEqual([])
    await outcome
  })

  it('refuses a write that begins then, unless there is a queue', async () => {
    const test = live()
    test.socket.drop(1006)
    await expect(test.handle.save(ref('Card', '7'), { title: 'x' })).rejects.toMatchObject({ code: 'offline', outcome: 'failed' })
    expect(titles(test)).toEqual(['Milk', 'Eggs'])
    expect(back().of('save')).toEqual([])
  })

  it('queues as many as the client allows, shown as long as it takes', async () => {
    const test = live({ queue: 2 })
    test.socket.drop(1006)
    const first = test.handle.save(ref('Card', '7'), { title: 'Oat milk' })
    const second = test.handle.actions.addCard('Bread')
    await expect(test.handle.delete(ref('Card', '7'))).rejects.toMatchObject({ code: 'offline' })
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(titles(test)).toEqual(['Oat milk', 'Eggs'])
    const socket = back()
    expect(socket.requests.slice(2).map(({ payload }) => payload.type)).toEqual(['save', 'action'])
    result(socket, 'save', null)
    result(socket, 'action', '9')
    await first
    await expect(second).resolves.toBe('9')
  })

  it('nothing is sent as another user', async () => {
    const test = live({ queue: 9 })
    const sent = test.handle.save(ref('Card', '7'), { title: 'Oat milk' })
    test.socket.drop(1006)
    const queued = test.handle.save(ref('Card', '8'), { title: 'Ten eggs' })
    vi.advanceTimersByTime(500)
    const { socket } = server
    socket.say('@', kanbanHello)
    socket.accept()
    socket.reply(socket.of('connect')[0], { type: 'connected', user: '2' })
    expect(socket.of('save')).toEqual([])
    await expect(sent).rejects.toMatchObject({ code: 'denied', outcome: 'unknown' })
    await expect(queued).rejects.toMatchObject({ code: 'denied', outcome: 'failed' })
    // What the first user was shown is gone, and not resumed from.
    expect(test.handle.get()).toMatchObject({ status: 'pending', state: undefined })
    expect(socket.requests.slice(1).map(({ payload }) => payload)).toMatchObject([
      { type: 'open', resume: { versions: [10] } },
      { type: 'close' },
      { type: 'open', route: 'kanban/1' },
    ])
    expect(socket.requests[3].payload.resume).toBeUndefined()
    server.open('#11', kanbanSnapshot)
    expect(test.handle.get().status).toBe('live')
  })

  it.each([
    ['the stream is denied', (socket: FakeSocket) => { socket.say('s1', { type: 'closed', code: 'denied', message: 'no' }) }, 'denied'],
    ['the server refuses for good', (socket: FakeSocket) => { socket.drop(4403) }, 'denied'],
    ['the client is closed', () => { client.close() }, 'closed'],
  ])('all is rejected when %s', async (_, happen, code) => {
    const test = live()
    const created = test.handle.create('lists', stateOf(test), { name: 'New' })
    const card = test.handle.create('cards', ref('List', created.key), { title: 'Inside' })
    happen(test.socket)
    await expect(created).rejects.toMatchObject({ code, outcome: 'unknown' })
    await expect(card).rejects.toMatchObject({ outcome: 'failed' })
  })
})

describe('an action that is applied once', () => {
  it('is sent again under its key, and any other is unknown', async () => {
    const { handle, socket } = live()
    const added = handle.actions.addCard('Bread')
    const rung = handle.actions.ring()
    const [add, ring] = socket.of('action')
    expect(add.payload.key).toMatch(/^[A-Za-z0-9_]{24}$/)
    expect(ring.payload.key).toBeUndefined()
    socket.drop(1006)
    await expect(rung).rejects.toMatchObject({ code: 'lost', outcome: 'unknown' })
    vi.advanceTimersByTime(500)
    const next = server.welcome(kanbanHello)
    server.open('#9')
    expect(next.of('action').map(({ payload }) => payload)).toEqual([add.payload])
    result(next, 'action', '9', 11)
    await pendingStill(added)
    next.say('@', { type: 'mark', v: 11 })
    await expect(added).resolves.toBe('9')
  })

  it('without an answer in time is unknown', async () => {
    const { handle } = live({ actionTimeout: 5_000 })
    const outcome = expect(handle.actions.addCard('Bread')).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' })
    vi.advanceTimersByTime(5_000)
    await outcome
    expect(PandoError.name).toBe('PandoError')
  })
})
