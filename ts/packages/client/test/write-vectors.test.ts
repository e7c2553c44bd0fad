import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Channel, PandoError, createClient, type ChannelSpec, type Client, type Handle } from '../src/index.js'
import { ref, writes } from '../src/writes.js'
import { FakeServer, type Received } from './fake-server.js'
import { deepFreeze } from './freeze.js'

type Values = Readonly<Record<string, unknown>>

interface Step {
  readonly write?: string
  readonly save?: readonly [type: string, key: string]
  readonly create?: readonly [type: string, key: string, relation: string]
  readonly delete?: readonly [type: string, key: string]
  readonly action?: string
  readonly args?: readonly unknown[]
  readonly data?: Values
  readonly seen?: Values
  readonly reply?: string
  readonly payload?: Values
  readonly frames?: readonly Values[]
  readonly mark?: number
  readonly lost?: boolean
  readonly sent?: readonly Values[]
  readonly settled?: Readonly<Record<string, Values>>
  readonly state: unknown
  readonly shown?: unknown
}

interface Vector extends Pick<ChannelSpec, 'model' | 'once' | 'writable'> {
  readonly name: string
  readonly anchor: string
  readonly hello: { readonly types: readonly unknown[] }
  readonly steps: readonly Step[]
}

type Methods = Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>

/** Plays a vector to a client. */
class Player {
  readonly client: Client
  readonly handle: Handle<unknown, unknown, Methods, unknown>
  readonly settled: Record<string, unknown> = {}
  readonly #server = new FakeServer()
  readonly #hello: object
  /** The key of each request by its name. */
  readonly #keys = new Map<string, unknown>()
  #scope = '#1'
  #seen = 0

  constructor({ model, anchor, once, writable, hello }: Vector) {
    const spec: ChannelSpec = {
      name: 'VectorChannel',
      hash: '',
      route: 'vectors/{id}',
      params: { id: 'id' },
      actions: ['addCard', 'ring'],
      model,
      requests: writes,
      ...(once && { once }),
      ...(writable && { writable }),
    }
    this.#hello = { type: 'hello', protocol: 1, session: 's', epoch: 'e', heartbeat: 60_000, ...hello }
    this.client = createClient({ url: 'ws://test/ws', WebSocket: this.#server.WebSocket })
    this.handle = this.client.get(new Channel<unknown, unknown, Methods, unknown>(spec, { id: anchor }))
    this.handle.subscribe(() => undefined)
    this.#server.welcome(this.#hello)
    this.#server.scopes([this.#scope])
    this.#seen = this.#server.socket.requests.length
  }

  take(step: Step): void {
    const { socket } = this.#server
    if (step.write !== undefined) this.#write(step.write, step)
    else if (step.reply !== undefined && step.payload) socket.reply(this.#requestOf(step.reply), step.payload)
    else if (step.mark !== undefined) socket.say('@', { type: 'mark', v: step.mark })
    else if (step.lost === true) this.#lose()
    else for (const frame of step.frames ?? []) socket.say(this.#scope, frame)
  }

  /** The payloads of the requests since the last call, without their keys. */
  sent(again: boolean): unknown[] {
    const { requests } = this.#server.socket
    const payloads = requests.slice(this.#seen).map(({ payload: { key, ...payload } }) => {
      const name = [...this.#keys].find(([, known]) => known === key)
      const keyed = payload.type !== 'action' || payload.name === 'addCard'
      expect(key === undefined).toBe(!keyed)
      // What is sent again has the key that it had.
      if (again && keyed) expect(name).toBeDefined()
      return payload
    })
    this.#seen = requests.length
    return payloads
  }

  #write(name: string, { save, create, delete: gone, action, args = [], data, seen }: Step): void {
    const methods = this.handle as unknown as Methods
    const before = this.#server.socket.requests.length
    const promise = save
      ? methods.save(ref(...save), data, { seen })
      : create
        ? methods.create(create[2], ref(create[0], create[1]), data)
        : gone
          ? methods.delete(ref(...gone))
          : this.handle.actions[action ?? ''](...args)
    promise.then(
      (value) => {
        this.settled[name] = { value: value ?? null }
      },
      (error: unknown) => {
        const { code, outcome, fields } = error as PandoError
        this.settled[name] = { code, outcome, ...(fields && { fields }) }
      },
    )
    this.#waiting.push(name)
    this.#name(before)
  }

  #waiting: string[] = []

  /** Requests are sent in the order of their making, but for those that were over before. */
  #name(from: number): void {
    this.#waiting = this.#waiting.filter((name) => !(name in this.settled))
    for (const { payload } of this.#server.socket.requests.slice(from)) {
      const name = this.#waiting.shift()
      if (name !== undefined) this.#keys.set(name, payload.key ?? payload.name)
    }
  }

  #requestOf(name: string): Received {
    this.#name(this.#named())
    const key = this.#keys.get(name)
    const request = this.#server.socket.requests.findLast(({ payload }) => (payload.key ?? payload.name) === key)
    if (!request) throw new Error(`${name} was not sent`)
    return request
  }

  /** How many requests have names. */
  #named(): number {
    const known = [...this.#keys.values()]
    const { requests } = this.#server.socket
    return requests.findLastIndex(({ payload }) => known.includes(payload.key ?? payload.name)) + 1 || 2
  }

  #lose(): void {
    this.#server.socket.drop(1006)
    vi.advanceTimersByTime(0)
    this.#scope = '#2'
    this.#server.welcome(this.#hello)
    this.#seen = this.#server.socket.requests.findIndex(({ payload }) => payload.type === 'open') + 1
    this.#server.scopes([this.#scope], true)
  }
}

const folder = join(import.meta.dirname, '../../../../spec/vectors/writes')

describe('spec/vectors/writes', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    vi.spyOn(Math, 'random').mockReturnValue(0)
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
  })

  it.each(readdirSync(folder))('%s', async (file) => {
    const vector = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector
    const player = new Player(vector)
    const settled: Record<string, unknown> = {}
    for (const [i, step] of vector.steps.entries()) {
      player.take(step)
      await vi.advanceTimersByTimeAsync(0)
      const at = `${file}, step ${i}`
      expect(player.sent(step.lost === true), at).toEqual(step.sent ?? [])
      expect(player.settled, at).toEqual(Object.assign(settled, step.settled))
      expect(deepFreeze(player.handle.get().state), at).toEqual(step.shown ?? step.state)
    }
    player.client.close()
  })
})
