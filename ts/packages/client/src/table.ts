import type { Value } from './compare.js'
import { deepEqual } from './equal.js'
import type { LinkIndex } from './links.js'
import type { ListIndex } from './lists.js'
import type { TypeModel } from './model.js'
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
  /** By place in `Table.indexes`: where the row was found last, perhaps no longer true. */
  readonly found: (number | undefined)[]
}

/** Hears of every instance that may have changed, come or gone. */
export type OnTouch = (type: string, key: string) => void

/** A key or a link as a map's key: undefined is a link to nothing, which no row has. */
export type Key = string | undefined

/** The key in a value: a 32-bit integer travels as a number. */
export function keyOf(value: Value): Key {
  const key = String(value)
  return value === null ? undefined : key
}

/**
 * The rows of one instance type, with everything that depends on them: the
 * indexes in which they stand, and the shapes in which they are shown.
 */
export class Table {
  readonly rows = new Map<Key, Row>()
  /** Rows of a snapshot that is not complete, by key. */
  readonly staged = new Map<Key, Value[]>()
  readonly shapes: Shape[] = []
  /** Indexes in which this table's rows stand. */
  readonly indexes: (ListIndex | LinkIndex)[] = []
  /** Lists that belong to this table's rows. */
  readonly owned: ListIndex[] = []
  /** Links to this table's rows. */
  readonly backlinks: LinkIndex[] = []
  readonly name: string
  readonly type: TypeModel
  /** Wire names, in the order of `Row.values`. */
  readonly fields: readonly string[]
  readonly #key: number
  readonly #onTouch: OnTouch

  constructor(name: string, type: TypeModel, onTouch: OnTouch) {
    this.name = name
    this.type = type
    this.fields = Object.keys(type.fields)
    this.#key = this.fields.indexOf(type.key)
    this.#onTouch = onTouch
  }

  /** Keeps a snapshot's row until `swap`. */
  stage(values: Value[]): void {
    this.staged.set(this.#keyOf(values), values)
  }

  /** Swaps in the staged rows; rows that are equal keep their objects. `ListIndex.sort` must follow if in bulk. */
  swap(bulk: boolean): void {
    for (const key of this.rows.keys()) if (!this.staged.has(key)) this.delete(key)
    for (const values of this.staged.values()) this.put(values, bulk)
  }

  /** Adds a row, or gives the row of the same key these values. */
  put(values: Value[], bulk = false): void {
    const key = this.#keyOf(values)
    const row = this.rows.get(key)
    if (row === undefined) this.#insert({ key, values, instances: [], fresh: [], found: [] }, bulk)
    else this.#change(row, values)
  }

  /** Removes a row: it leaves its lists, and links to it show null. */
  delete(key: Key): void {
    const row = this.rows.get(key)
    if (row === undefined) return
    for (const index of this.indexes) index.remove(row)
    this.rows.delete(key)
    for (const index of this.owned) index.forget(key)
    this.#appeared(row)
  }

  /** Tells that an instance may have changed, come or gone. */
  touch(key: string): void {
    this.#onTouch(this.name, key)
  }

  #keyOf(values: readonly Value[]): string {
    return String(values[this.#key])
  }

  #insert(row: Row, bulk: boolean): void {
    this.rows.set(row.key, row)
    for (const index of this.indexes) index.insert(row, bulk)
    this.#appeared(row)
  }

  /** Notes that a row came or went, for those that point at it. */
  #appeared(row: Row): void {
    for (const index of this.backlinks) index.changed(row)
    this.touch(row.key)
  }

  #change(row: Row, values: Value[]): void {
    const changed = keepEqual(row.values, values)
    if (changed.length === 0) return
    const indexes = this.indexes.filter((index) => dependsOn(changed, index.places))
    for (const index of indexes) index.remove(row)
    row.values = values
    for (const index of indexes) index.insert(row)
    for (const shape of this.shapes) if (dependsOn(changed, shape.fields)) shape.invalidate(row)
  }
}

function dependsOn(changed: readonly number[], fields: readonly number[]): boolean {
  return changed.some((field) => fields.includes(field))
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
