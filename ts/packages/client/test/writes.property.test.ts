import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient, type Client, type Handle } from '../src/index.js'
import { ref } from '../src/writes.js'
import { FakeServer, type Received } from './fake-server.js'
import { deepFreeze } from './freeze.js'
import {
  KanbanChannel,
  kanbanHello,
  type Kanban,
  type KanbanChannelActions,
  type KanbanChannelTypes,
  type KanbanChannelWrites,
} from './kanban.js'
import { Oracle } from './oracle.js'

type Values = Record<string, unknown>
/** Rows by type and key. */
type Rows = Record<string, Record<string, Values>>

const { spec } = KanbanChannel
const { model } = spec
const { types } = kanbanHello
const typeNames = types.map(({ name }) => name)

/** A channel whose writes stay visible as long as it takes. */
const writable = Object.fromEntries(
  Object.entries(spec.writable ?? {}).map(([type, one]) => [type, { ...one, optimistic: 1e9 }]),
)

interface Write {
  readonly kind: 'save' | 'create' | 'delete'
  readonly type: string
  readonly key: string
  readonly data: Values
  readonly parent?: string
  readonly relation?: string
  failed: boolean
  settled: boolean
}

interface Message {
  readonly stream: string
  readonly payload: Values
  readonly id?: number
  /** What the model learns when it is delivered. */
  readonly learn: () => void
}

const first: Rows = {
  Kanban: { 1: { id: '1', name: 'Work' } },
  List: { 3: { id: '3', name: 'Todo', '@kanban_id': '1', '@position': 1 }, 4: { id: '4', name: 'Done', '@kanban_id': '1', '@position': 2 } },
  Card: {
    7: { id: '7', title: 'Milk', done: false, '@list_id': '3', '@position': 1, '@assignee_id': null },
    8: { id: '8', title: 'Eggs', done: false, '@list_id': '3', '@position': 2, '@assignee_id': '2' },
    10: { id: '10', title: 'Tea', done: true, '@list_id': '4', '@position': 1, '@assignee_id': '2' },
  },
  User: { 2: { id: '2', name: 'Ada' }, 5: { id: '5', name: 'Bob' } },
  '@starred': { 8: { '@sid': '8', '@card_id': '8', '@list_id': '3', '@position': 1 } },
}

/**
 * A server with a table of rows, whose messages arrive when the test says, and
 * the plainest reading of what a client shows meanwhile: what has arrived, and
 * the writes that are under way, one after the other.
 */
class World {
  readonly server = new FakeServer()
  readonly client: Client
  readonly handle: Handle<Kanban | null, KanbanChannelTypes, KanbanChannelActions, object, KanbanChannelWrites>
  #database: Rows = structuredClone(first)
  #arrived: Rows = structuredClone(first)
  #version = 10
  #seenVersion = 10
  /** The last mark of the connection. */
  #reached = 0
  readonly #history = new Map<number, Rows>([[10, structuredClone(first)]])
  readonly #replies = new Map<unknown, { readonly payload: Values }>()
  #queue: Message[] = []
  #answered = 0
  #nextId = 100
  /** Whether the last message replaced everything. */
  anew = false
  /** In the order of their making. */
  readonly writes: Write[] = []
  readonly #real = new Map<string, string>()

  constructor() {
    this.client = createClient({ url: 'ws://test/ws', WebSocket: this.server.WebSocket, actionTimeout: 1e9 })
    const channel = new KanbanChannel({ ...spec, writable }, { kanbanId: 1 })
    this.handle = this.client.get(channel)
    this.handle.subscribe(() => undefined)
    this.server.welcome(kanbanHello)
    this.server.open('#4', { v: 10, snapshot: 'only', set: this.#setsOf(this.#database) })
    this.#answered = this.server.socket.requests.length
  }

  /** What the client should show. */
  expected(): unknown {
    const rows = structuredClone(this.#arrived)
    for (const write of this.writes) if (!write.settled) this.#apply(rows, write)
    const oracle = new Oracle(model, '1', types)
    oracle.receive(0, { v: 0, snapshot: 'only', set: this.#setsOf(rows) })
    return oracle.state()
  }

  /** The keys of a type that the client might name: rows that it has, and those that it created. */
  keys(type: string): string[] {
    const created = this.writes.filter((write) => write.kind === 'create' && write.type === type)
    return [...Object.keys(this.#arrived[type]), ...created.map(({ key }) => key)]
  }

  write(kind: Write['kind'], type: string, key: string, data: Values, parent?: string, relation?: string): void {
    const methods = this.handle as unknown as Record<string, (...args: unknown[]) => Promise<unknown> & { key: string }>
    const parentType = type === 'Card' ? 'List' : 'Kanban'
    const promise =
      kind === 'create'
        ? methods.create(relation, ref(parentType, parent ?? ''), data)
        : methods[kind](ref(type, key), ...(kind === 'save' ? [data] : []))
    promise.catch(() => undefined)
    const write = { kind, type, key: kind === 'create' ? promise.key : key, data, failed: false, settled: false }
    this.writes.push({ ...write, ...(parent !== undefined && { parent, relation }) } as Write)
    this.#failDependents()
  }

  /** Handles the next request. */
  serve(refuse: boolean, late: boolean): void {
    const request = this.server.socket.requests.at(this.#answered)
    if (!request) return
    this.#answered++
    const write = this.#writeOf(request)
    const { key } = request.payload
    const stored = this.#replies.get(key)
    const before = structuredClone(this.#database)
    const payload = stored?.payload ?? (refuse ? undefined : this.#carryOut(request.payload))
    if (!payload) {
      this.#say(request, { type: 'error', code: 'denied', message: 'no' }, () => {
        write.failed = write.settled = true
        this.#failDependents()
      })
      return
    }
    this.#replies.set(key, { payload })
    const frame = () => {
      if (!stored) this.#commit(before)
    }
    if (!late) frame()
    const version = late && !stored ? this.#version + 1 : this.#version
    this.#say(request, { ...payload, version }, () => {
      if (write.kind === 'create') this.#real.set(write.key, payload.value as string)
      // The stream may have passed the version by then.
      if (version <= this.#reached) write.settled = true
    })
    if (late) frame()
    const marked = this.#version
    this.#queue.push({
      stream: '@',
      payload: { type: 'mark', v: this.#version },
      learn: () => {
        this.#reached = marked
        write.settled = true
      },
    })
  }

  /** Another user's commit. */
  change(type: string, key: string, field: string, value: unknown): void {
    const before = structuredClone(this.#database)
    const row = this.#database[type][key] as Values | undefined
    if (value === undefined) Reflect.deleteProperty(this.#database[type], key)
    else if (row) row[field] = value
    this.#commit(before)
  }

  /** The next message arrives. */
  deliver(): void {
    const message = this.#queue.shift()
    if (!message) return
    this.anew = message.payload.snapshot !== undefined
    message.learn()
    this.server.socket.say(message.stream, message.payload, message.id)
  }

  /** Loses the connection and all that was under way on it, and comes back. */
  drop(resume: boolean): void {
    this.server.socket.drop(1006)
    this.#queue = []
    this.#reached = 0
    vi.advanceTimersByTime(0)
    this.server.welcome(kanbanHello)
    this.server.scopes(['#9'], resume)
    const old = this.#history.get(this.#seenVersion) ?? {}
    const payload = resume
      ? this.#patch(old, this.#database, this.#version)
      : { v: this.#version, snapshot: 'only', set: this.#setsOf(this.#database) }
    const now = structuredClone(this.#database)
    this.#answered = 2
    this.#queue.push({
      stream: '#9',
      payload,
      learn: () => {
        this.#learn(now, payload.v as number)
      },
    })
  }

  get busy(): boolean {
    return this.#queue.length > 0 || this.#answered < this.server.socket.requests.length
  }

  get present(): Rows {
    return this.#database
  }

  get arrived(): Rows {
    return this.#arrived
  }

  #say(request: Received, payload: Values, learn: () => void): void {
    this.#queue.push({ stream: request.stream, id: request.id, payload, learn })
  }

  #learn(rows: Rows, version: number): void {
    this.#arrived = rows
    this.#seenVersion = version
  }

  #commit(before: Rows): void {
    this.#version++
    const now = structuredClone(this.#database)
    this.#history.set(this.#version, now)
    const payload = this.#patch(before, now, this.#version)
    const version = this.#version
    const stream = this.server.sockets.length > 1 ? '#9' : '#4'
    this.#queue.push({
      stream,
      payload,
      learn: () => {
        this.#learn(structuredClone(now), version)
      },
    })
  }

  #patch(before: Rows, after: Rows, v: number): Values {
    const set = this.#setsOf(after).filter(([type, values]) => {
      const name = typeNames[type]
      const old = before[name][values[0] as string] as Values | undefined
      return JSON.stringify(old && Object.values(old)) !== JSON.stringify(values)
    })
    const del = Object.entries(before).flatMap(([name, rows]) =>
      Object.keys(rows)
        .filter((key) => !(key in after[name]))
        .map((key) => [typeNames.indexOf(name), key]),
    )
    return { v, set, del }
  }

  #setsOf(rows: Rows): (readonly [number, unknown[]])[] {
    return types.flatMap(({ name, fields }, type) =>
      Object.values(rows[name]).map((row) => [type, fields.map((field) => row[field] ?? null)] as const),
    )
  }

  #writeOf({ payload }: Received): Write {
    const known = this.#requests.get(payload.key)
    if (known) return known
    // Requests are sent in the order of the writes.
    const write = this.writes.find((one) => !one.settled && ![...this.#requests.values()].includes(one))
    if (!write) throw new Error('a request of no write')
    this.#requests.set(payload.key, write)
    return write
  }

  readonly #requests = new Map<unknown, Write>()

  /** Does what a request asks for; undefined when it cannot be done. */
  #carryOut(payload: Values): Values | undefined {
    const { type: kind, of, id, data = {}, in: place } = payload as { type: string; of: string; id: string; data?: Values; in?: string[] }
    if (place) {
      if (!(place[1] in this.#database[place[0]])) return undefined
      const key = String(this.#nextId++)
      this.#insert(this.#database, { type: of, key, parent: place[1], relation: place[2], data })
      return { type: 'result', value: key }
    }
    if (!(id in this.#database[of])) return undefined
    if (kind === 'delete') Reflect.deleteProperty(this.#database[of], id)
    else Object.assign(this.#database[of][id], this.#columns(of, data))
    return { type: 'result', value: null }
  }

  #insert(rows: Rows, { type, key, parent, relation, data }: Pick<Write, 'type' | 'key' | 'parent' | 'relation' | 'data'>): void {
    const blank = Object.fromEntries(types[typeNames.indexOf(type)].fields.map((field) => [field, null]))
    const row: Values = { ...blank, ...spec.writable?.[type].initial, ...this.#columns(type, data), id: key }
    if (relation === 'starred') rows['@starred'][key] = { '@sid': key, '@card_id': key, '@list_id': parent, '@position': row['@position'] }
    else row[type === 'Card' ? '@list_id' : '@kanban_id'] = parent
    rows[type][key] = row
  }

  #columns(type: string, data: Values): Values {
    const { fields } = spec.writable?.[type] ?? { fields: {} }
    return Object.fromEntries(Object.entries(data).flatMap(([name, value]) => (fields[name] ? [[fields[name], value]] : [])))
  }

  /** Applies a write that is under way to what has arrived. */
  #apply(rows: Rows, write: Write): void {
    const named = (type: string, key: string) => {
      const real = this.#real.get(key)
      return real !== undefined && real in rows[type] ? real : key
    }
    const data: Values = { ...write.data }
    if ('list' in data) data.list = named('List', data.list as string)
    if (write.kind === 'create') {
      // A row that went again before the creation was over is shown until it is.
      if ((this.#real.get(write.key) ?? '') in rows[write.type]) return
      const parent = named(write.type === 'Card' ? 'List' : 'Kanban', write.parent ?? '')
      this.#insert(rows, { ...write, data, parent })
      return
    }
    const key = named(write.type, write.key)
    const row = rows[write.type][key] as Values | undefined
    if (!row) return
    if (write.kind === 'delete') Reflect.deleteProperty(rows[write.type], key)
    else Object.assign(row, this.#columns(write.type, data))
  }

  /** Fails what refers to a row that will not be. */
  #failDependents(): void {
    const failed = new Set(this.writes.filter(({ kind, failed }) => kind === 'create' && failed).map(({ key }) => key))
    const refers = ({ kind, key, parent, data }: Write) =>
      [kind === 'create' ? undefined : key, parent, data.list].some((one) => failed.has(one as string))
    const next = this.writes.find((write) => !write.settled && refers(write))
    if (!next) return
    next.failed = next.settled = true
    this.#failDependents()
  }
}

const cardData = fc.record(
  { title: fc.constantFrom('a', 'b'), done: fc.boolean(), assignee: fc.constantFrom('2', '5', null), position: fc.integer({ min: 0, max: 4 }) },
  { requiredKeys: [] },
)
const listData = fc.record({ name: fc.constantFrom('x', 'y'), position: fc.integer({ min: 0, max: 4 }) }, { requiredKeys: [] })
const which = fc.nat(30)

type Step = (world: World) => void

/** One of the keys, the newest the likelier. */
const pick = (keys: readonly string[], n: number) => keys.toReversed()[n % Math.max(1, keys.length)] as string | undefined

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(which, cardData, fc.option(which)).map(([n, data, to]): Step => (world) => {
    const list = to === null ? undefined : pick(world.keys('List'), to)
    const key = pick(world.keys('Card'), n)
    if (key !== undefined) world.write('save', 'Card', key, { ...data, ...(list !== undefined && { list }) })
  }),
  fc.tuple(which, listData).map(([n, data]): Step => (world) => {
    const key = pick(world.keys('List'), n)
    if (key !== undefined) world.write('save', 'List', key, data)
  }),
  fc.tuple(which, cardData, fc.constantFrom('cards', 'starred')).map(([n, data, relation]): Step => (world) => {
    const parent = pick(world.keys('List'), n)
    if (parent !== undefined) world.write('create', 'Card', '', data, parent, relation)
  }),
  listData.map((data): Step => (world) => {
    world.write('create', 'List', '', data, '1', 'lists')
  }),
  fc.tuple(which, fc.constantFrom('Card', 'List')).map(([n, type]): Step => (world) => {
    const key = pick(world.keys(type), n)
    if (key !== undefined) world.write('delete', type, key, {})
  }),
  { weight: 4, arbitrary: fc.tuple(fc.nat(5), fc.boolean()).map(([n, late]): Step => (world) => {
    world.serve(n === 0, late)
  }) },
  { weight: 8, arbitrary: fc.constant<Step>((world) => {
    world.deliver()
  }) },
  fc.tuple(which, fc.constantFrom<readonly [string, string, unknown]>(
    ['Card', 'title', 'theirs'], ['Card', '@position', 3], ['Card', '@list_id', '4'], ['Card', 'title', undefined], ['List', 'name', 'theirs'],
    ['Card', '@assignee_id', null], ['User', 'name', 'Eve'], ['@starred', '@list_id', '4'], ['@starred', '@sid', undefined],
  )).map(([n, [type, field, value]]): Step => (world) => {
    const key = pick(Object.keys(world.present[type]), n)
    if (key !== undefined) world.change(type, key, field, value)
  }),
  { weight: 1, arbitrary: fc.boolean().map((resume): Step => (world) => {
    world.drop(resume)
  }) },
)

/** Everything that is equal in two states, at the same path below the same row, is the same object. */
function expectShared(before: unknown, after: unknown): void {
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return
  if (JSON.stringify(before) === JSON.stringify(after)) {
    expect(after).toBe(before)
    return
  }
  if (Reflect.get(before, 'id') !== Reflect.get(after, 'id')) return
  const byId = (items: unknown) => new Map((Array.isArray(items) ? items : []).map((item: { id: string }) => [item.id, item]))
  const known = byId(before)
  if (Array.isArray(after)) for (const [id, item] of byId(after)) expectShared(known.get(id), item)
  else for (const [name, value] of Object.entries(after)) expectShared(Reflect.get(before, name), value)
}

describe('writes among frames, refusals and lost connections', () => {
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

  it('show what has arrived with what is under way upon it, and nothing else when all is over', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 5, maxLength: 60 }), (some) => {
        const world = new World()
        let shown: unknown = deepFreeze(world.handle.get().state)
        const step = (take: Step) => {
          take(world)
          const next = deepFreeze(world.handle.get().state)
          expect(next).toEqual(world.expected())
          // A list that only writes fill is made anew with all others.
          if (!world.anew) expectShared(shown, next)
          world.anew = false
          shown = next
        }
        for (const take of some) step(take)
        for (let n = 0; world.busy && n < 1_000; n++) {
          step((world) => {
            world.deliver()
          })
          step((world) => {
            world.serve(false, n % 2 === 0)
          })
        }
        expect(world.busy).toBe(false)
        expect(world.writes.filter(({ settled }) => !settled)).toEqual([])
        expect(world.arrived).toEqual(world.present)
        expect(world.handle.get().state).toEqual(world.expected())
        world.client.close()
      }),
      { numRuns: 120 },
    )
  })
})
