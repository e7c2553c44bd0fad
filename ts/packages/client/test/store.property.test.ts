import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StateFrame } from '../src/frames.js'
import type { Kind } from '../src/model.js'
import { places } from '../src/places.js'
import { instanceIn } from '../src/show.js'
import { Store } from '../src/store.js'
import { comparing } from './comparing.js'
import { deepFreeze } from './freeze.js'
import { compareValues, Oracle } from './oracle.js'
import { keyNames, models, patches, sets, types } from './random-model.js'

type Part = readonly [scope: number, frame: Omit<StateFrame, 'v'>]

const scope = fc.nat(1)
const rows = fc.array(sets, { maxLength: 40 })
const snapshots = fc.tuple(scope, rows).map(([s, set]): Part => [s, { snapshot: 'only', set }])
const changes = fc.tuple(scope, patches).map(([s, patch]): Part => [s, patch])
const batches = fc.array(fc.oneof({ weight: 9, arbitrary: changes }, { weight: 1, arbitrary: snapshots }), {
  minLength: 1,
  maxLength: 3,
})
/** The rows of the first snapshots of both scopes, and the frames that come together after them. */
const histories = fc.tuple(rows, rows, fc.array(batches, { maxLength: 12 }))

/** Every object and array that is equal in two states, at the same path below the same row, is the same one. */
function expectShared(before: unknown, after: unknown): void {
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return
  if (JSON.stringify(before) === JSON.stringify(after)) {
    expect(after).toBe(before)
    return
  }
  expect(after).not.toBe(before)
  if (keyNames.some((name) => Reflect.get(before, name) !== Reflect.get(after, name))) return
  for (const [name, value] of Object.entries(after)) expectShared(Reflect.get(before, name), value)
}

/** Whether no row can have gone and come back within the batch, which makes it another one. */
function keepsRows(batch: readonly Part[]): boolean {
  return batch.every(([, { del = [], snapshot }]) => del.length === 0 && (snapshot === undefined || batch.length === 1))
}

/** Plays frames to a store and to the oracle. */
function play(store: Store, oracle: Oracle) {
  return ([scope, frame]: Part, v: number) => {
    const whole = JSON.stringify({ v, ...frame })
    store.receive(scope, JSON.parse(whole) as StateFrame)
    oracle.receive(scope, JSON.parse(whole) as StateFrame)
  }
}

describe('a store under random models and patches of two scopes', () => {
  it('shows what building it anew shows, shares what did not change, and never mutates what it showed', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(models, histories, fc.boolean(), (model, [first, second, later], lazy) => {
        const store = new Store(model, '1', { places })
        const oracle = new Oracle(model, '1', types)
        store.attach(types, 'e', [false, false])
        const receive = play(store, oracle)
        receive([0, { snapshot: 'only', set: first }], 0)
        receive([1, { snapshot: 'only', set: second }], 0)
        let shown: unknown = deepFreeze(store.state())
        expect(shown).toEqual(oracle.state())
        later.forEach((batch, i) => {
          for (const part of batch) receive(part, i + 1)
          if (lazy && i % 3 !== 2) return
          const next = deepFreeze(store.state())
          expect(next).toEqual(oracle.state())
          if (!lazy && keepsRows(batch)) expectShared(shown, next)
          shown = next
        })
        expect(structuredClone(shown)).toEqual(shown)
      }),
      { numRuns: 500 },
    )
  })

  it('tells of every instance that is another one than before', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(models, histories, (model, [first, second, later]) => {
        const store = new Store(model, '1', { places })
        store.attach(types, 'e', [false, false])
        store.receive(0, { v: 0, snapshot: 'only', set: first })
        store.receive(1, { v: 0, snapshot: 'only', set: second })
        // Nobody asks for places, which have no objects of their own.
        const named = [...first, ...second].map(([type, [key]]) => `${types[type].name} ${key}`)
        const keys = [...new Set(named)].filter((name) => !name.startsWith('@'))
        const instances = () => keys.map((key) => instanceIn(store, ...(key.split(' ') as [string, string])))
        let before = instances()
        let touched = new Set<string>()
        let all = false
        const watchers = {
          touch: (type: string, key: string) => touched.add(`${type} ${key}`),
          touchAll: () => {
            all = true
          },
        }
        store.streams.add({ touch: () => undefined, watchers })
        later.flat().forEach(([scope, frame], i) => {
          touched = new Set()
          all = false
          store.receive(scope, { v: i + 1, ...frame })
          const after = instances()
          const untold = keys.filter((key, at) => after[at] !== before[at] && !all && !touched.has(key))
          expect(untold).toEqual([])
          before = after
        })
      }),
      { numRuns: 300 },
    )
  })

  it('shows a first snapshot as it arrives, with stubs, and a later one only when it is whole', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(models, rows, rows, rows, fc.nat(3), (model, anew, first, second, restart) => {
        const store = new Store(model, '1', { places })
        const oracle = new Oracle(model, '1', types)
        store.attach(types, 'e', [false, false])
        const receive = play(store, oracle)
        oracle.partial = true
        const step = (part: Part, complete = false) => {
          receive(part, 1)
          oracle.partial = !complete
          expect(store.complete).toBe(complete)
          expect(deepFreeze(store.state())).toEqual(oracle.state())
        }
        // What comes of a snapshot that begins again is void.
        if (restart === 0) step([0, { snapshot: 'first', set: second }])
        step([0, { snapshot: 'first', set: first.slice(0, 9) }])
        step([0, { snapshot: 'more', set: first.slice(9, 20) }])
        step([1, { snapshot: 'only', set: second }])
        step([0, { snapshot: 'last', set: first.slice(20) }], true)

        const before = store.state()
        receive([0, { snapshot: 'first', set: anew.slice(0, 9) }], 2)
        expect(store.awaiting).toBe(true)
        expect(store.state()).toBe(before)
        receive([0, { snapshot: 'last', set: anew.slice(9) }], 2)
        const after = deepFreeze(store.state())
        expect(after).toEqual(oracle.state())
        expectShared(before, after)
        expect(store).toMatchObject({ awaiting: false, complete: true, resume: { epoch: 'e', versions: [2, 1] } })
      }),
      { numRuns: 300 },
    )
  })
})

describe('the order of values', () => {
  const texts = fc.string({ unit: 'binary', maxLength: 4 })
  const bigs = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
  const escaped = texts.map((text) => text.replaceAll('%', '%25').replaceAll(',', '%2C'))
  const kinds: readonly (readonly [Kind, fc.Arbitrary<unknown>])[] = [
    ['int', fc.oneof(bigs, fc.integer())],
    ['float', fc.double({ noNaN: true })],
    ['bool', fc.boolean()],
    ['text', texts],
    ['bytes', fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('base64'))],
    ['tuple(int,text)', fc.tuple(fc.oneof(bigs, fc.integer({ min: -9, max: 9 }).map(String)), escaped).map(String)],
    ['tuple(bool,float)', fc.tuple(fc.boolean(), fc.integer({ min: -20, max: 20 })).map(String)],
  ]

  it.each(kinds)('is the server’s for %s', (kind, values) => {
    const compare = comparing(kind)
    fc.assert(
      fc.property(fc.option(values), fc.option(values), (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(Math.sign(plainly(kind, a, b)))
      }),
    )
  })

  function plainly(kind: Kind, a: unknown, b: unknown): number {
    // The parts' texts of booleans: false before true.
    if (kind === 'tuple(bool,float)' && a !== null && b !== null) {
      const [[x, m], [y, n]] = [a, b].map((tuple) => (tuple as string).split(','))
      return Number(x === 'true') - Number(y === 'true') || Number(m) - Number(n)
    }
    return compareValues(kind, a, b)
  }
})
