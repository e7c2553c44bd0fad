import type { Shape } from './shape.js'
import { keyOf, type Index, type Instance, type Key, type Row } from './table.js'

/**
 * A belongs-to link read backwards: which rows point at a key, so that a
 * change of the target reaches everything that shows it.
 */
export class LinkIndex implements Index {
  /** The field that holds the target's key. */
  readonly places: readonly [number]
  readonly child: Shape
  readonly parent: Shape
  readonly #sources = new Map<Key, Set<Row>>()

  constructor(parent: Shape, child: Shape, link: number) {
    this.places = [link]
    this.child = child
    this.parent = parent
    parent.table.indexes.push(this)
    child.table.backlinks.push(this)
    child.above.push(this)
  }

  /** The row that a row points at. */
  find(row: Row | undefined): Row | undefined {
    return row && this.child.table.rows.get(this.#target(row))
  }

  /** What the link shows: null, or a stub while rows are on their way, without the row that it points at. */
  read(row: Row): Instance | null {
    const found = this.find(row)
    if (found) return this.child.build(found)
    return this.leads(row) ? this.child.stub(row.values[this.places[0]]) : null
  }

  /** Whether the link shows anything. */
  leads(row: Row): boolean {
    const found = this.find(row)
    if (found) return this.child.leads(found)
    return this.child.table.host.partial && row.values[this.places[0]] !== null
  }

  /** The rows that point at a target. */
  sources({ key }: Row): readonly Row[] {
    return [...(this.#sources.get(key) ?? [])]
  }

  insert(row: Row): void {
    const key = this.#target(row)
    const rows = this.#sources.get(key) ?? new Set()
    this.#sources.set(key, rows.add(row))
  }

  remove(row: Row): void {
    const key = this.#target(row)
    const rows = this.#sources.get(key)
    rows?.delete(row)
    if (rows?.size === 0) this.#sources.delete(key)
  }

  /** Notes that a target appeared, went, or has another instance. */
  changed(target: Row): void {
    for (const row of this.sources(target)) this.parent.invalidate(row)
  }

  #target(row: Row): Key {
    return keyOf(row.values[this.places[0]])
  }
}
