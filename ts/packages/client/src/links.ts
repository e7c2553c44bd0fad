import type { Shape } from './shape.js'
import { keyOf, type Key, type Row } from './table.js'

/**
 * A belongs-to link read backwards: which rows point at a key, so that a
 * change of the target reaches everything that shows it.
 */
export class LinkIndex {
  /** The fields that decide where a row stands: the one that holds the target's key. */
  readonly places: readonly [number]
  readonly #parent: Shape
  readonly #sources = new Map<Key, Set<Row>>()

  constructor(parent: Shape, child: Shape, link: number) {
    this.places = [link]
    this.#parent = parent
    parent.table.indexes.push(this)
    child.table.backlinks.push(this)
    child.above.push(this)
  }

  /** Adds the row. */
  insert(row: Row): void {
    const key = this.#target(row)
    const rows = this.#sources.get(key) ?? new Set()
    this.#sources.set(key, rows.add(row))
  }

  /** Drops the row; its value must still be the one it was added with. */
  remove(row: Row): void {
    const key = this.#target(row)
    const rows = this.#sources.get(key)
    rows?.delete(row)
    if (rows?.size === 0) this.#sources.delete(key)
  }

  /** Notes that a target appeared, went, or has another instance. */
  changed(target: Row): void {
    for (const row of this.#sources.get(target.key) ?? []) this.#parent.invalidate(row)
  }

  #target(row: Row): Key {
    return keyOf(row.values[this.places[0]])
  }
}
