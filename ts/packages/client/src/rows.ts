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
    if (this.#sorted !== this.#given && sameItems(this.#sorted, this.#given)) this.#sorted = this.#given as BoundRow[]
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
    return (this.complete = true)
  }

  /** Applies a change. Tells whether anything differs. */
  apply({ action, pk, data }: RowTold): boolean {
    const key = String(pk)
    const before = this.#byKey.get(key)
    const after = action === 'delete' ? undefined : share({ pk, data }, before)
    if (before === after) return false
    if (before) this.#draft().splice(this.#placeOf(before), 1)
    if (after) {
      this.#byKey.set(key, after)
      this.#draft().splice(this.#placeOf(after), 0, after)
    } else this.#byKey.delete(key)
    return true
  }

  #draft(): BoundRow[] {
    if (this.#sorted === this.#given) this.#sorted = this.#sorted.slice()
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
  const values = Object.entries(data).map(([name, value]) => [name, deepEqual(value, held[name]) ? held[name] : value])
  return { pk, data: Object.fromEntries(values) as unknown }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sameItems(a: Rows, b: Rows): boolean {
  return a.length === b.length && a.every((row, at) => row === b[at])
}
