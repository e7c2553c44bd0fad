import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inspect } from '../src/devtools.js'
import { PandoError } from '../src/index.js'
import { createTestClient, type TestClient } from '../src/testing.js'

const room = { at: '/rooms/1/' }
const rows = [
  { pk: 1, data: { message: 'one' } },
  { pk: 2, data: { message: 'two' } },
]
let client: TestClient

beforeEach(() => {
  client = createTestClient()
})

afterEach(() => {
  client.close()
})

/** Lets what was asked for be answered. */
const turn = () => new Promise((resolve) => setTimeout(resolve))

async function live() {
  const messages = client.stream('message-stream', room)
  client.pushRows('message-stream', rows, room)
  messages.subscribe(() => undefined)
  await turn()
  return messages
}

describe("streams of a test's client", () => {
  it('have the rows that were pushed, before or after they are subscribed to', async () => {
    const messages = await live()
    expect(messages.get()).toMatchObject({ status: 'live', rows })
    const other = client.stream('message-stream', { at: '/rooms/2/' })
    other.subscribe(() => undefined)
    await turn()
    expect(other.get().status).toBe('pending')
    client.pushRows('message-stream', rows.slice(1), { at: '/rooms/2/' })
    expect(other.get()).toMatchObject({ status: 'live', rows: rows.slice(1) })
    expect(messages.get().rows).toHaveLength(2)
  })

  it('carry writes out as a binding does, unless the test answers', async () => {
    const messages = await live()
    const { pk } = await messages.create({ message: 'three' })
    await messages.update(1, { message: 'ONE' })
    await messages.delete(2)
    expect(messages.get().rows).toEqual([{ pk: 1, data: { message: 'ONE' } }, { pk, data: { message: 'three' } }])
    await expect(messages.delete(2)).rejects.toMatchObject({ code: 'not_found' })
    client.onMessage = ({ payload }) => {
      if (payload.action === 'create') throw new PandoError('denied', 'no')
      return undefined
    }
    await expect(messages.create({})).rejects.toMatchObject({ code: 'denied' })
    await messages.delete(1)
    expect(client.requests.map((request) => request.kind === 'message' && request.payload.action)).toEqual([
      'create',
      'update',
      'delete',
      'delete',
      'create',
      'delete',
    ])
  })

  it('of consumers are answered and told as the test says', async () => {
    const chat = client.stream('chat')
    const heard = vi.fn()
    chat.onMessage(heard)
    client.onMessage = ({ payload }) => ({ heard: payload.say })
    expect(await chat.request({ say: 'hello' })).toEqual({ heard: 'hello' })
    await chat.send({ say: 'bye' })
    client.tell('chat', { said: 'hello' })
    expect(heard.mock.calls).toEqual([[{ said: 'hello' }]])
    expect(client.requests).toEqual([
      { kind: 'message', stream: 'chat', at: undefined, payload: { say: 'hello' } },
      { kind: 'message', stream: 'chat', at: undefined, payload: { say: 'bye' } },
    ])
  })

  it('have gaps, lose their connection, and are denied', async () => {
    const messages = await live()
    const missed = vi.fn()
    const stale: boolean[] = []
    messages.onGap(missed)
    messages.subscribe(() => stale.push(messages.get().stale))
    client.gap('message-stream', room)
    expect(stale).toEqual([true, false])
    client.drop()
    expect(messages.get()).toMatchObject({ status: 'live', stale: true })
    client.reconnect()
    await turn()
    expect(messages.get()).toMatchObject({ status: 'live', stale: false, rows })
    expect(missed).toHaveBeenCalledTimes(2)
    client.denyStream('message-stream', undefined, undefined, room)
    expect(messages.get()).toMatchObject({ status: 'denied', rows: [], error: { code: 'denied' } })
    messages.retry()
    await turn()
    expect(messages.get().status).toBe('denied')
    client.pushRows('message-stream', rows, room)
    messages.retry()
    await turn()
    expect(messages.get()).toMatchObject({ status: 'live', rows })
  })

  it('are seen by inspectors', async () => {
    const tool = inspect(client)
    const messages = await live()
    expect(tool.get().streams).toMatchObject([
      { channel: 'message-stream', route: '/rooms/1/', users: 1, status: 'live', version: 0, instances: { 'message-stream': 2 } },
    ])
    const write = messages.create({ message: 'three' })
    expect(tool.get().writes).toMatchObject([
      { kind: 'message', stream: 's1', type: 'message-stream', data: { action: 'create', data: { message: 'three' } }, state: 'sent' },
    ])
    await write
    expect(tool.get().writes).toEqual([])
    tool.stop()
  })
})
