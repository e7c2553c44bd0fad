import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HelloType, StateFrame } from '../src/frames.js'
import type { Model } from '../src/model.js'
import { Store } from '../src/store.js'
import { deepFreeze } from './freeze.js'
import { Oracle } from './oracle.js'

const kinds = { id: 'int', v: 'int', '@a': 'int', '@b': 'int', '@p': 'float' } as const
const types: readonly HelloType[] = ['A', 'B', 'C'].map((name) => ({ name, fields: Object.keys(kinds) }))
const typeModels = Object.fromEntries(types.map(({ name }) => [name, { key: 'id', fields: kinds }]))

interface Tree {
  readonly type: string
  readonly relation: 'belongsTo' | 'hasMany' | 'hasOne'
  readonly link: string
  readonly order: string[]
  readonly children: readonly Tree[]
}

/** Random trees up to four layers deep, in which types come again under other parents. */
function layer(below: fc.Arbitrary<readonly Tree[]>): fc.Arbitrary<Tree> {
  return fc.record({
    type: fc.constantFrom('A', 'B', 'C'),
    relation: fc.constantFrom('belongsTo', 'hasMany', 'hasMany', 'hasOne'),
    link: fc.constantFrom('@a', '@b'),
    order: fc.subarray(['@p', '-v']),
    children: below,
  })
}

const leaf = layer(fc.constant([]))
const twig = layer(fc.array(leaf, { maxLength: 2 }))
const tree = layer(fc.array(twig, { maxLength: 2 }))

function modelOf(children: readonly Tree[]): Model {
  const layers: Model['layers'][number][] = []
  const add = (layer: Omit<Tree, 'children'> | { readonly type: string }, below: readonly Tree[]): number => {
    const index = layers.push({ type: layer.type, members: [] }) - 1
    const members = below.map(({ children: deeper, ...child }, i) => ({ name: `r${i}`, layer: add(child, deeper) }))
    layers[index] = { ...layer, members: ['id', 'v', ...members] }
    return index
  }
  add({ type: 'A' }, children)
  return { root: 0, types: typeModels, layers }
}

const type = fc.nat(2)
const key = fc.integer({ min: 1, max: 6 }).map(String)
const link = fc.option(key, { freq: 4 })
const position = fc.option(fc.integer({ min: -2, max: 2 }).map((n) => n / 2), { freq: 6 })
const set = fc.tuple(type, fc.tuple(key, key, link, link, position))
const change = fc.oneof(
  fc.tuple(fc.constant(1), key),
  fc.tuple(fc.constantFrom(2, 3), link),
  fc.tuple(fc.constant(4), position),
)
const upd = fc.tuple(type, key, change).map(([t, k, [field, value]]) => [t, k, field, value] as const)
const del = fc.tuple(type, key)
const patch = fc.record({ set: fc.array(set, { maxLength: 3 }), upd: fc.array(upd, { maxLength: 3 }), del: fc.array(del, { maxLength: 1 }) })
const snapshot = fc.array(set, { maxLength: 30 }).map((rows) => ({ snapshot: 'only' as const, set: rows }))
const frames = fc.array(fc.oneof({ weight: 9, arbitrary: patch }, { weight: 1, arbitrary: snapshot }), { minLength: 1, maxLength: 3 })
const history = fc.tuple(snapshot, fc.array(frames, { maxLength: 12 }))

/** Every object and array that is equal in two states, at the same path below the same row, is the same one. */
function expectShared(before: unknown, after: unknown): void {
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return
  if (JSON.stringify(before) === JSON.stringify(after)) {
    expect(after).toBe(before)
    return
  }
  expect(after).not.toBe(before)
  if (Reflect.get(before, 'id') !== Reflect.get(after, 'id')) return
  for (const [name, value] of Object.entries(after)) expectShared(Reflect.get(before, name), value)
}

/** Whether no row can have gone and come back within the batch, which makes it another one. */
function keepsRows(batch: readonly Omit<StateFrame, 'v'>[]): boolean {
  return batch.every(({ del = [], snapshot }) => del.length === 0 && (snapshot === undefined || batch.length === 1))
}

describe('a scope under random models and patches', () => {
  it('shows what building it anew shows, shares what did not change, and never mutates what it showed', () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 2 }), history, fc.boolean(), (children, [first, batches], lazy) => {
        const model = modelOf(children)
        const store = new Store(model, '1')
        const oracle = new Oracle(model, '1', types)
        store.attach(types, 'e', [false])
        const receive = (frame: Omit<StateFrame, 'v'>, v: number) => {
          const whole = JSON.stringify({ v, ...frame })
          store.receive(0, JSON.parse(whole) as StateFrame)
          oracle.receive(JSON.parse(whole) as StateFrame)
        }
        receive(first, 0)
        let shown: unknown = deepFreeze(store.state())
        expect(shown).toEqual(oracle.state())
        batches.forEach((batch, i) => {
          for (const frame of batch) receive(frame, i + 1)
          if (lazy && i % 3 !== 2) return
          const next = deepFreeze(store.state())
          expect(next).toEqual(oracle.state())
          if (!lazy && keepsRows(batch)) expectShared(shown, next)
          shown = next
        })
      }),
      { numRuns: 500 },
    )
  })
})
