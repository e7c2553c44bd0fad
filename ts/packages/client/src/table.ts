import type { Compare, Value } from './compare.js'
import { deepEqual } from './equal.js'
import type { ListIndex } from './lists.js'
import type { LinkIndex } from './links.js'
import type { Shape } from './shape.js'

/** A nested object of the state. Never mutated once it was handed out. */
export type Instance = Readonly<Record<string, unknown>>

/** One flat row, and the nested object that each shape makes of it. */
export interface Row {
  readonly key: string
  /** In the order of the model's fields; replaced, never mutated. */
  values: readonly Value[]
  /** By `Shape.slot`: the object that was shown last. */
  readonly instances: (Instance | undefined)[]
  /** By `Shape.slot`: whether that object is still right. */
  readonly fresh: boolean[]
}

/** Keys and links as map keys: a 32-bit integer travels as a number. */
export function keyOf(value: Value): string {
  return typeof value === 'string' ? value : String(value)
}

/**
 * The rows of one instance type, with everything that depends on them: the
 * lists in which they stand, the links by which they show others, and the
 * shapes in which they are shown.
 */
export class Table {
  readonly rows = new Map<string, Row>()
  readonly shapes: Shape[] = []
  /** Lists in which this table's rows stand. */
  readonly lists: ListIndex[] = []
  /** Lists that stand in this table's rows. */
  readonly owned: ListIndex[] = []
  /** Links from this table's rows. */
  readonly links: LinkIndex[] = []
  /** Links to this table's rows. */
  readonly backlinks: LinkIndex[] = []
  readonly name: string
  /** Wire names, in the order of `Row.values`. */
  readonly fields: readonly string[]
  readonly key: number
  readonly compareKeys: Compare<Row>
  /** Hears of every instance that may have changed, appeared or gone. */
  onTouch: ((key: string) => void) | undefined

  constructor(name: string, fields: readonly string[], key: number, compareKeys: Compare<Row>) {
    this.name = name
    this.fields = fields
    this.key = key
    this.compareKeys = compareKeys
  }

  /** Adds a row, or gives the row of the same key these values. */
  put(values: Value[]): void {
    const key = keyOf(values[this.key])
    const row = this.rows.get(key)
    if (row === undefined) this.#insert(key, values)
    else this.#change(row, values)
  }

  /** Changes single values, given as index and value in turn. */
  update(key: string, fields: readonly number[], values: readonly Value[]): void {
    const row = this.rows.get(key)
    if (row === undefined) return
    const next = row.values.slice()
    fields.forEach((field, i) => {
      next[field] = values[i]
    })
    this.#change(row, next)
  }

  /** Removes a row: it leaves its lists, and links to it show null. */
  delete(key: string): void {
    const row = this.rows.get(key)
    if (row === undefined) return
    for (const index of this.lists) index.remove(row)
    for (const index of this.links) index.remove(row)
    this.rows.delete(key)
    for (const index of this.owned) index.forget(key)
    for (const index of this.backlinks) index.changed(key)
    this.onTouch?.(key)
  }

  /** Adds a row to a table under construction; `ListIndex.sort` must follow. */
  load(values: readonly Value[]): void {
    const row = newRow(keyOf(values[this.key]), values)
    this.rows.set(row.key, row)
    for (const index of this.lists) index.append(row)
    for (const index of this.links) index.add(row)
    this.onTouch?.(row.key)
  }

  #insert(key: string, values: readonly Value[]): void {
    const row = newRow(key, values)
    this.rows.set(key, row)
    for (const index of this.lists) index.insert(row)
    for (const index of this.links) index.add(row)
    for (const index of this.backlinks) index.changed(key)
    this.onTouch?.(key)
  }

  #change(row: Row, values: Value[]): void {
    const changed = keepEqual(row.values, values)
    if (changed.length === 0) return
    const lists = this.lists.filter((index) => index.placedBy(changed))
    const links = this.links.filter((index) => changed.includes(index.link))
    for (const index of lists) index.remove(row)
    for (const index of links) index.remove(row)
    row.values = values
    for (const index of lists) index.insert(row)
    for (const index of links) index.add(row)
    for (const shape of this.shapes) {
      if (shape.shows(changed)) shape.invalidate(row)
    }
  }
}

function newRow(key: string, values: readonly Value[]): Row {
  return { key, values, instances: [], fresh: [] }
}

/** Lists the fields that changed; equal JSON documents keep their reference. */
function keepEqual(before: readonly Value[], after: Value[]): number[] {
  const changed: number[] = []
  for (let i = 0; i < after.length; i++) {
    if (deepEqual(before[i], after[i])) after[i] = before[i]
    else changed.push(i)
  }
  return changed
}
