// What a page may do with the streams of generated types; compiled only.
import { createClient, type BoundRow, type Consumer, type Pk } from '@pando-sync/client'
import { createTestClient } from '@pando-sync/client/testing'
import { streams } from './streams.channels.js'
import type { MessageStreamData, UsersData } from './streams.interfaces.js'

declare module '@pando-sync/client' {
  interface Streams {
    chat: Consumer<{ say: string }, { said: string }, number>
  }
}

export async function messages() {
  const client = createClient({ url: '/live/ws', streams })
  const handle = client.stream('message-stream', { at: '/rooms/1/' })
  const { rows, status, stale } = handle.get()
  const all: readonly BoundRow<MessageStreamData>[] = rows
  const { action, pk, data } = await handle.create({ text: 'hello', room: 1, mood: 'calm' })
  await handle.update(pk, { edited: null })
  await handle.delete(pk)
  const text: string | undefined = data?.text

  // @ts-expect-error: a mood is one of the constants
  await handle.create({ mood: 'glad' })
  // @ts-expect-error: it is only read
  await handle.update(pk, { size: 2 })
  // @ts-expect-error: it is only written
  void rows[0].data.secret
  return { all, status, stale, action, text }
}

export async function others() {
  const client = createClient({ url: '/live/ws', streams })
  const users: readonly BoundRow<UsersData, string>[] = client.stream('users').get().rows
  // @ts-expect-error: nothing may be written of a user
  await client.stream('users').create({ name: 'Ada' })
  await client.stream('rooms').create({ name: 'Hall' })
  const room: unknown = client.stream('rooms').get().rows[0].data

  const halls = client.stream('halls')
  const keys: readonly Pk[] = halls.get().rows[0].data.rooms
  const logins: readonly string[] = halls.get().rows[0].data.guests
  await halls.create({ rooms: [1, '9007199254740993'] })
  // @ts-expect-error: a relation is of keys
  await halls.create({ rooms: ['x', { id: 1 }] })
  await halls.create({ guests: logins })

  const chat = client.stream('chat')
  const answer: number = await chat.request({ say: 'hello' })
  chat.onMessage(({ said }) => said.length)
  // @ts-expect-error: it takes no such payload
  await chat.send({ shout: 'hello' })
  // @ts-expect-error: it has no rows
  chat.get()

  const unknown: Pk = client.stream('unknown').get().rows[0].pk
  return { users, room, answer, unknown, keys }
}

export function inTests() {
  const client = createTestClient({ streams })
  client.pushRows('users', [{ pk: 'ada', data: { name: 'Ada' } }], { at: '/rooms/1/' })
  // @ts-expect-error: a user has a name
  client.pushRows('users', [{ pk: 'ada', data: {} }])
  // @ts-expect-error: a client without streams has none
  createClient({ url: '/live/ws' }).stream('users')
}
