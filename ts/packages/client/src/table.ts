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

/** Hears of every instance that may have changed, come or gone. */
export type OnTouch = (type: string, key: string) => void

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
  readonly #onTouch: OnTouch

  constructor(name: string, fields: readonly string[], key: number, compareKeys: Compare<Row>, onTouch: OnTouch) {
    this.name = name
    this.fields = fields
    this.key = key
    this.compareKeys = compareKeys
    this.#onTouch = onTouch
  }

  /** Adds a row, or gives the row of the same key these values. `ListIndex.sort` must follow rows put in bulk. */
  put(values: Value[], bulk = false): void {
    const key = keyOf(values[this.key])
    const row = this.rows.get(key)
    if (row === undefined) this.#insert(key, values, bulk)
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
    this.touch(key)
  }

  /** Tells that an instance may have changed, come or gone. */
  touch(key: string): void {
    this.#onTouch(this.name, key)
  }

  #insert(key: string, values: readonly Value[], bulk: boolean): void {
    const row: Row = { key, values, instances: [], fresh: [] }
    this.rows.set(key, row)
    for (const index of this.lists) index.insert(row, bulk)
    for (const index of this.links) index.add(row)
    for (const index of this.backlinks) index.changed(key)
    this.touch(key)
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

/** Lists the fields that changed; equal JSON documents keep their reference. */
function keepEqual(before: readonly Value[], after: Value[]): number[] {
  const changed: number[] = []
  for (let i = 0; i < after.length; i++) {
    if (deepEqual(before[i], after[i])) after[i] = before[i]
    else changed.push(i)
  }
  return changed
}
