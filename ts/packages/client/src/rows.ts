import type { Compare } from './compare.js'
import { deepEqual } from './equal.js'
import type { BoundRow, RowTold } from './stream-types.js'

/** A part of what a subscription begins with. */
export interface SnapshotPart {
  readonly action: 'snapshot'
  readonly rows: readonly BoundRow[]
  readonly more?: boolean
}

type Rows = readonly BoundRow[]

/**
 * The rows of a binding: a snapshot in parts, and the changes after it.
 *
 * An unchanged row keeps its object, and so does the array while none of its
 * rows differs; what was given out is never changed. A snapshot takes the place
 * of the rows that are held when it is whole.
 */
export class RowStore {
  /** Whether a whole snapshot was ever taken in. */
  complete = false
  readonly #compare: Compare<BoundRow>
  #byKey = new Map<string, BoundRow>()
  /** In order. It is copied before it is changed, once it was given out. */
  #sorted: BoundRow[] = []
  #given: Rows = this.#sorted
  /** Before this place it is as it was given out. */
  #from = 0
  /** The parts that have come of a snapshot. */
  #staged: BoundRow[] | undefined

  constructor(compare: Compare<BoundRow>) {
    this.#compare = compare
  }

  /** How many there are. */
  get size(): number {
    return this.#byKey.size
  }

  /** The rows in order. */
  read(): Rows {
    if (this.#sorted !== this.#given && sameItems(this.#sorted, this.#given, this.#from)) this.#sorted = this.#given as BoundRow[]
    return (this.#given = this.#sorted)
  }

  /** Forgets the parts of a snapshot that has broken off. */
  breakOff(): void {
    this.#staged = undefined
  }

  /** Takes in a part of a snapshot. Tells whether it was the last one. */
  part({ rows, more = false }: SnapshotPart): boolean {
    const staged = (this.#staged ??= [])
    for (const row of rows) staged.push(share(row, this.#byKey.get(String(row.pk))))
    if (more) return false
    this.#staged = undefined
    this.#byKey = new Map(staged.map((row) => [String(row.pk), row]))
    this.#sorted = [...this.#byKey.values()].sort(this.#compare)
    this.#from = 0
    return (this.complete = true)
  }

  /** Applies a change. Tells whether anything differs. */
  apply({ action, pk, data }: RowTold): boolean {
    const key = String(pk)
    const before = this.#byKey.get(key)
    const after = action === 'delete' ? undefined : share({ pk, data }, before)
    if (before === after) return false
    if (after) this.#byKey.set(key, after)
    else this.#byKey.delete(key)
    if (before && after && this.#compare(before, after) === 0) {
      const at = this.#placeOf(before)
      this.#draft(at)[at] = after
      return true
    }
    if (before) {
      const at = this.#placeOf(before)
      this.#draft(at).splice(at, 1)
    }
    if (after) {
      const at = this.#placeOf(after)
      this.#draft(at).splice(at, 0, after)
    }
    return true
  }

  /** The rows, to change them from a place on. */
  #draft(at: number): BoundRow[] {
    if (this.#sorted === this.#given) {
      this.#sorted = this.#sorted.slice()
      this.#from = at
    }
    this.#from = Math.min(this.#from, at)
    return this.#sorted
  }

  /** Where the row is, or belongs. */
  #placeOf(row: BoundRow): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#sorted[middle], row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The row as it is now: the same object if it is equal, else with those of its values that are. */
function share({ pk, data }: BoundRow, before: BoundRow | undefined): BoundRow {
  if (before === undefined) return { pk, data }
  if (deepEqual(data, before.data)) return before
  if (!isObject(data) || !isObject(before.data)) return { pk, data }
  const held = before.data
  const values = Object.entries(data).map(([name, value]) => [name, Object.hasOwn(held, name) && deepEqual(value, held[name]) ? held[name] : value])
  return { pk, data: Object.fromEntries(values) as unknown }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sameItems(a: Rows, b: Rows, from: number): boolean {
  if (a.length !== b.length) return false
  for (let at = from; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
