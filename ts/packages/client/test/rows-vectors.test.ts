import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient, type BoundRow } from '../src/index.js'
import { streamsOf } from '../src/streams.js'
import { FakeServer } from './fake-server.js'
import { deepFreeze } from './freeze.js'

interface RowsVector {
  readonly name: string
  readonly orderBy?: readonly string[]
  readonly steps: readonly {
    readonly note?: string
    readonly frames: readonly object[]
    readonly rows?: readonly BoundRow[]
    readonly stale?: boolean
  }[]
}

const folder = join(import.meta.dirname, '../../../../spec/vectors/rows')

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('spec/vectors/rows', () => {
  for (const file of readdirSync(folder)) {
    const { name, orderBy = [], steps } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as RowsVector
    it(`${file}: ${name}`, () => {
      const server = new FakeServer()
      const client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket, streams: streamsOf({ rows: { orderBy } }) })
      const handle = client.stream('rows', { at: '/vectors/' })
      handle.subscribe(() => undefined)
      const socket = server.welcome({ type: 'hello', protocol: 1, session: 'test', epoch: 'e1', heartbeat: 20_000, types: [], channels: {} })
      socket.reply(socket.of('open')[0], { type: 'opened', consumer: 'rows', scopes: [] })
      expect(socket.of('message')[0].payload).toEqual({ type: 'message', data: { action: 'subscribe' } })
      for (const { note, frames, rows, stale = false } of steps) {
        for (const frame of frames) socket.say('s1', frame)
        const state = handle.get()
        expect(state.status, note).toBe(rows ? 'live' : 'pending')
        expect(deepFreeze(state.rows), note).toEqual(rows ?? [])
        expect(state.stale, note).toBe(stale)
      }
      client.close()
    })
  }
})
