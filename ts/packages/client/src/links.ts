import type { Shape } from './shape.js'
import { keyOf, type Row, type Table } from './table.js'

/**
 * A belongs-to link read backwards: which rows point at a key, so that a
 * change of the target reaches everything that shows it.
 */
export class LinkIndex {
  /** The field that holds the target's key. */
  readonly link: number
  readonly target: Table
  /** Shapes that show the link's target, each with the target's shape. */
  readonly edges: { readonly parent: Shape; readonly child: Shape }[] = []
  readonly #sources = new Map<string, Set<Row>>()

  constructor(link: number, target: Table) {
    this.link = link
    this.target = target
  }

  add(row: Row): void {
    const value = row.values[this.link]
    if (value === null) return
    const key = keyOf(value)
    const rows = this.#sources.get(key)
    if (rows === undefined) this.#sources.set(key, new Set([row]))
    else rows.add(row)
  }

  /** Drops the row; its value must still be the one it was added with. */
  remove(row: Row): void {
    const key = keyOf(row.values[this.link])
    const rows = this.#sources.get(key)
    rows?.delete(row)
    if (rows?.size === 0) this.#sources.delete(key)
  }

  /** Notes that the target appeared, went, or changed in the shape, if one is given. */
  changed(key: string, child?: Shape): void {
    const rows = this.#sources.get(key)
    if (rows === undefined) return
    for (const edge of this.edges) {
      if (child !== undefined && edge.child !== child) continue
      for (const row of rows) edge.parent.invalidate(row)
    }
  }
}
