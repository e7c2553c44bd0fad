import { afterEach, describe, expect, it, vi } from 'vitest'
import { PandoError } from '../src/index.js'
import { createTestClient, type TestClient } from '../src/testing.js'
import { ref } from '../src/writes.js'
import { KanbanChannel } from './kanban.js'
import { BoardChannel } from './board.js'

const kanban = KanbanChannel.with({ kanbanId: 1 })
const eggs = { id: '8', title: 'Eggs', assignee: { id: '2', name: 'Ada' } }
const work = {
  name: 'Work',
  lists: [
    { id: '3', name: 'Todo', cards: [{ id: '7', title: 'Milk' }, eggs], starred: [eggs] },
    { id: '4', name: 'Done' },
  ],
}
let client: TestClient

afterEach(() => {
  client.close()
})

const turn = () => new Promise((resolve) => setTimeout(resolve))

async function live() {
  client = createTestClient()
  const handle = client.get(kanban)
  handle.subscribe(() => undefined)
  client.push(kanban, work)
  await turn()
  return handle
}

describe('a test client', () => {
  it('shows what is pushed, whole and in its order', async () => {
    const handle = await live()
    expect(client.connection.get()).toBe('online')
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    expect(handle.get().state).toEqual({
      id: '1',
      name: 'Work',
      lists: [
        {
          id: '3',
          name: 'Todo',
          cards: [
            { id: '7', title: 'Milk', done: null, assignee: null },
            { id: '8', title: 'Eggs', done: null, assignee: { id: '2', name: 'Ada' } },
          ],
          starred: [{ id: '8', title: 'Eggs', done: null, assignee: { id: '2', name: 'Ada' } }],
        },
        { id: '4', name: 'Done', cards: [], starred: [] },
      ],
    })
    const before = handle.get().state
    client.push(kanban, { ...work, lists: [work.lists[0], { id: '4', name: 'Gone' }] })
    expect(handle.get().state?.lists[1].name).toBe('Gone')
    expect(handle.get().state?.lists[0]).toBe(before?.lists[0])
  })

  it('knows several channels, each pushed before or after it is subscribed to', async () => {
    const handle = await live()
    const board = BoardChannel.with({ boardId: 5 })
    client.push(board, { name: 'Other', cards: [{ id: '1', title: 'One', done: true }] }, { runtime: { viewers: 2 } })
    const other = client.get(board)
    other.subscribe(() => undefined)
    await turn()
    expect(other.get()).toMatchObject({ state: { id: '5', name: 'Other', cards: [{ title: 'One', done: true }] }, runtimeState: { viewers: 2 } })
    expect(handle.get().state?.lists).toHaveLength(2)
  })

  it('carries writes out, unless it is told otherwise', async () => {
    const handle = await live()
    await handle.save(ref('Card', '7'), { title: 'Oat milk' })
    const [todo] = handle.get().state?.lists ?? []
    const created = handle.create('cards', todo, { title: 'Bread', position: 9 })
    expect(handle.get().state?.lists[0].cards.at(-1)?.id).toBe(created.key)
    const id = await created
    expect(handle.get().state?.lists[0].cards.map(({ title }) => title)).toEqual(['Oat milk', 'Eggs', 'Bread'])
    expect(handle.get().state?.lists[0].cards.at(-1)?.id).toBe(id)
    await handle.delete(ref('Card', '8'))
    expect(handle.get().state?.lists[0].cards).toHaveLength(2)
    client.onWrite = () => {
      throw new PandoError('invalid', 'no title', { fields: { title: 'is empty' } })
    }
    await expect(handle.save(ref('Card', '7'), { title: '' })).rejects.toMatchObject({ code: 'invalid', fields: { title: 'is empty' } })
    expect(client.requests.map(({ kind }) => kind)).toEqual(['save', 'create', 'delete', 'save'])
  })

  it('answers actions as it is told', async () => {
    const handle = await live()
    client.respond(kanban, 'addCard', (title) => `new ${title}` as never)
    await expect(handle.actions.addCard('Bread')).resolves.toBe('new Bread')
    await expect(handle.actions.ring()).rejects.toMatchObject({ code: 'unknown_action' })
    expect(client.requests[0]).toEqual({ kind: 'action', route: 'kanban/1', name: 'addCard', args: ['Bread'] })
    expect(() => {
      client.respond(kanban, 'nothing' as never, undefined as never)
    }).toThrow('no action')
  })

  it('loses and finds its connection, and refuses', async () => {
    const handle = await live()
    client.drop()
    expect(client.connection.get()).toBe('reconnecting')
    expect(handle.get()).toMatchObject({ status: 'live', stale: true })
    client.reconnect()
    await turn()
    expect(handle.get()).toMatchObject({ status: 'live', stale: false })
    client.deny(kanban)
    expect(handle.get()).toMatchObject({ status: 'denied', error: { code: 'denied' } })
    client.push(kanban, null)
    handle.get().retry()
    await turn()
    expect(handle.get()).toMatchObject({ status: 'live', state: null })
  })

  it('tells of notices and of messages to everyone', async () => {
    const handle = await live()
    const heard = vi.fn()
    handle.notices.subscribe('mention', heard)
    client.notice(kanban, 'mention', { by: 'Ada' })
    client.notice(kanban, 'other', 1)
    expect(heard.mock.calls).toEqual([[{ by: 'Ada' }]])
    client.announce({ kind: 'message', text: 'Backup at noon.' })
    expect(client.system.get()).toEqual({ kind: 'message', text: 'Backup at noon.', retryAfter: undefined })
  })
})
