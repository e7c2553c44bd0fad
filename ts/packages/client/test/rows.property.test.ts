import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BoundRow, RowTold } from '../src/index.js'
import { rowOrder } from '../src/row-order.js'
import { RowStore } from '../src/rows.js'
import { deepFreeze } from './freeze.js'

/** What a server may tell, in a few keys and values, so that they meet often. */
const data = fc.record({ rank: fc.option(fc.integer({ min: -2, max: 2 })), tags: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }) })
const pk = fc.integer({ min: 1, max: 12 })
const change: fc.Arbitrary<RowTold> = fc.oneof(
  fc.record({ action: fc.constantFrom('create' as const, 'update' as const), pk, data, model: fc.constant('m') }),
  fc.record({ action: fc.constant('delete' as const), pk, model: fc.constant('m') }),
)
const row: fc.Arbitrary<BoundRow> = fc.record({ pk, data })
const snapshot = fc.record({ rows: fc.uniqueArray(row, { selector: (r) => r.pk }), cut: fc.nat({ max: 12 }) })
type Step = RowTold | { readonly rows: readonly BoundRow[]; readonly cut: number } | 'break'
const steps: fc.Arbitrary<readonly Step[]> = fc.array(fc.oneof({ weight: 8, arbitrary: change }, snapshot, fc.constant('break' as const)))

/** What the rows are, made anew each time from all that was told. */
class Model {
  rows = new Map<unknown, BoundRow>()

  apply(step: Step): void {
    if (step === 'break') return
    if ('rows' in step) this.rows = new Map(step.rows.map((r) => [r.pk, r]))
    else if (step.action === 'delete') this.rows.delete(step.pk)
    else this.rows.set(step.pk, { pk: step.pk, data: step.data })
  }

  /** In descending order of rank, nulls last, then by key: the ranks of two nulls differ by NaN. */
  sorted(): BoundRow[] {
    const rank = ({ data }: BoundRow) => (data as { readonly rank: number | null }).rank ?? -Infinity
    return [...this.rows.values()].sort((a, b) => rank(b) - rank(a) || Number(a.pk) - Number(b.pk))
  }
}

/** Plays a step to the store, a snapshot in two parts. */
function run(store: RowStore, step: Step): void {
  if (step === 'break') {
    store.part({ action: 'snapshot', rows: [{ pk: 99, data: null }], more: true })
    store.breakOff()
  } else if ('rows' in step) {
    if (step.cut > 0) store.part({ action: 'snapshot', rows: step.rows.slice(0, step.cut), more: true })
    store.part({ action: 'snapshot', rows: step.rows.slice(step.cut) })
  } else store.apply(step)
}

function fresh(): RowStore {
  const store = new RowStore(rowOrder({ orderBy: ['-rank'] }))
  store.part({ action: 'snapshot', rows: [] })
  return store
}

describe('the rows of a binding', () => {
  it('are what was told, in order, whatever was', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const [store, model] = [fresh(), new Model()]
        for (const step of steps) {
          run(store, step)
          model.apply(step)
          expect(store.read()).toEqual(model.sorted())
        }
      }),
      { numRuns: 200 },
    )
  })

  it('keep the objects of what is equal, and never change what was given out', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const store = fresh()
        for (const step of steps) {
          const before = deepFreeze(store.read())
          run(store, step)
          const after = deepFreeze(store.read())
          for (const row of after) {
            const held = before.find(({ pk }) => pk === row.pk)
            const equal = held !== undefined && JSON.stringify(held) === JSON.stringify(row)
            expect(row === held).toBe(equal)
            const tags = (r: BoundRow | undefined) => (r?.data as { readonly tags: unknown } | undefined)?.tags
            if (held && JSON.stringify(tags(held)) === JSON.stringify(tags(row))) expect(tags(row)).toBe(tags(held))
          }
          if (JSON.stringify(before) === JSON.stringify(after)) expect(after).toBe(before)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('come to the same, however they were read in between', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.boolean()), (steps, reads) => {
        const [store, other] = [fresh(), fresh()]
        steps.forEach((step, at) => {
          run(store, step)
          run(other, step)
          if (reads[at]) other.read()
        })
        expect(other.read()).toEqual(store.read())
        expect(other.size).toBe(store.read().length)
      }),
    )
  })
})

describe('their order', () => {
  const keys = (orderBy: readonly string[], rows: readonly BoundRow[], kinds = {}) =>
    rows.toSorted(rowOrder({ orderBy, kinds })).map(({ pk }) => pk)

  it('takes values as what they are in JSON, unless it knows better', () => {
    const rows = ['10', '9', '-1'].map((amount) => ({ pk: amount, data: { amount } }))
    expect(keys(['amount'], rows)).toEqual(['-1', '10', '9'])
    expect(keys(['amount'], rows, { amount: 'float' })).toEqual(['-1', '9', '10'])
    expect(keys(['-pk'], [{ pk: 2, data: {} }, { pk: 10, data: {} }])).toEqual([10, 2])
  })

  it('bears what is no object, or has no such member', () => {
    const rows = [{ pk: 3, data: { name: 'a' } }, { pk: 2, data: null }, { pk: 1, data: 'text' }, { pk: 4, data: { name: 7 } }]
    expect(keys(['name'], rows)).toEqual([1, 2, 4, 3])
  })
})
