import type { Value } from './compare.js'
import { deepEqual } from './equal.js'
import type { LinkIndex } from './links.js'
import type { TypeModel } from './model.js'
import type { Shape } from './shape.js'

/** A nested object of the state. Never mutated once it was handed out. */
export type Instance = Readonly<Record<string, unknown>>

/** One flat row, and the nested object that each shape makes of it. */
export interface Row {
  readonly key: string
  /** In the order of the model's fields; replaced, never mutated. */
  values: readonly Value[]
  /** The scopes that hold the row, one bit each. */
  held: number
  /** By `Shape.slot`: the object that was shown last. */
  readonly instances: (Instance | null | undefined)[]
  /** By `Shape.slot`: whether that object is still right. */
  readonly fresh: boolean[]
  /** By `ListIndex.slot`: where the row was found last, perhaps no longer true. */
  readonly found: (number | undefined)[]
  /** A key of several columns taken apart, once it was compared. */
  parts: readonly string[] | undefined
}

/** Where a table's rows stand. */
export interface Index {
  /** The fields that decide where a row stands. */
  readonly places: readonly number[]
  /** Takes the row in, which its table holds already. */
  insert(row: Row): void
  /** Takes the row out; its values must still be those it was taken in with, and its table hold it. */
  remove(row: Row): void
}

/** What the tables of a tree share. */
export interface Host {
  /**
   * Whether many rows are on their way: lists are not kept, but made of all
   * rows by `ListIndex.settle`, and what is missing is shown as a stub.
   */
  readonly partial: boolean
  /** Hears of every instance that may have changed. */
  touch(type: string, key: string): void
  /** Hears that any instance may have come, gone, or be shown elsewhere. */
  touchAll(): void
}

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
  readonly shapes: Shape[] = []
  /** Indexes in which this table's rows stand. */
  readonly indexes: Index[] = []
  /** How many of them are lists. */
  lists = 0
  /** The key of the row that an object was made of, where that is asked for. */
  origins: WeakMap<object, string> | undefined
  /** Links to this table's rows. */
  readonly backlinks: LinkIndex[] = []
  readonly name: string
  readonly type: TypeModel
  /** Wire names, in the order of `Row.values`. */
  readonly fields: readonly string[]
  readonly host: Host
  readonly #key: number

  constructor(name: string, type: TypeModel, host: Host) {
    this.name = name
    this.type = type
    this.fields = Object.keys(type.fields)
    this.#key = this.fields.indexOf(type.key)
    this.host = host
  }

  /** Adds a row that a scope holds, or gives the row of the same key these values. */
  put(values: Value[], scope: number): Row {
    const key = String(values[this.#key])
    const known = this.rows.get(key)
    if (known) {
      known.held |= scope
      this.change(known, values)
      return known
    }
    const row = { key, values, held: scope, instances: [], fresh: [], found: [], parts: undefined }
    this.insert(row)
    return row
  }

  /** Takes a row in whose key it does not have. */
  insert(row: Row): void {
    this.rows.set(row.key, row)
    for (const index of this.indexes) index.insert(row)
    this.#appeared(row)
  }

  /** Gives the row these values; those that are equal keep their reference. */
  change(row: Row, values: Value[]): void {
    const changed = keepEqual(row.values, values)
    if (changed.length === 0) return
    const moved = this.indexes.filter(({ places }) => places.some((place) => changed.includes(place)))
    if (moved.length > 0) this.host.touchAll()
    for (const index of moved) index.remove(row)
    row.values = values
    for (const index of moved) index.insert(row)
    for (const shape of this.shapes) shape.invalidate(row)
  }

  /** Takes a row from a scope, and out of all lists if no other holds it: links to it show null. */
  delete(key: Key, scope: number): void {
    const row = this.rows.get(key)
    if (row && (row.held &= ~scope) === 0) this.remove(row)
  }

  /** Takes a row out. */
  remove(row: Row): void {
    for (const index of this.indexes) index.remove(row)
    this.rows.delete(row.key)
    this.#appeared(row)
  }

  /** Notes that a row came or went, for those that point at it. */
  #appeared(row: Row): void {
    for (const index of this.backlinks) index.changed(row)
    this.host.touchAll()
  }
}

/** Lists the fields that changed; equal JSON documents keep their reference. */
function keepEqual(before: readonly Value[], after: Value[]): number[] {
  const changed: number[] = []
  for (let i = 0; i < after.length; i++) {
    if (after[i] === before[i]) continue
    if (deepEqual(before[i], after[i])) after[i] = before[i]
    else changed.push(i)
  }
  return changed
}
