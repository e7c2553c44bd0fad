import type { ListIndex } from './lists.js'
import type { LinkIndex } from './links.js'
import { keyOf, type Instance, type Row, type Table } from './table.js'

/** A property of the objects of a shape and where it comes from. */
export type Member =
  | { readonly from: 'field'; readonly name: string; readonly field: number }
  | { readonly from: 'link'; readonly name: string; readonly link: number; readonly shape: Shape }
  | { readonly from: 'list' | 'first'; readonly name: string; readonly index: ListIndex }

/**
 * A type with its members, all the way down. Layers of one shape share one
 * object per row, so an instance in two places is one object.
 *
 * Objects are made when they are read. A change marks the object of the row
 * and of every ancestor that shows it; making them anew touches nothing else,
 * and one that comes out equal keeps its reference.
 */
export class Shape {
  readonly table: Table
  /** The shape's place in `Row.instances`. */
  readonly slot: number
  /** Lists in which these objects stand. */
  readonly lists: ListIndex[] = []
  /** Links that show these objects. */
  readonly links: LinkIndex[] = []
  #members: readonly Member[] = []
  #visible = new Set<number>()

  constructor(table: Table) {
    this.table = table
    this.slot = table.shapes.push(this) - 1
  }

  /** Sets the members: a shape is known to its indexes before it is complete. */
  define(members: readonly Member[]): void {
    this.#members = members
    for (const member of members) {
      if (member.from === 'field') this.#visible.add(member.field)
      else if (member.from === 'link') this.#visible.add(member.link)
    }
  }

  /** Whether one of the fields is part of the objects. */
  shows(fields: readonly number[]): boolean {
    return fields.some((field) => this.#visible.has(field))
  }

  /** Marks the row's object, and those of all ancestors, as no longer right. */
  invalidate(row: Row): void {
    if (!row.fresh[this.slot]) return
    row.fresh[this.slot] = false
    this.table.touch(row.key)
    for (const index of this.lists) index.changed(row)
    for (const index of this.links) index.changed(row.key, this)
  }

  /** The row's object as of now. */
  build(row: Row): Instance {
    const before = row.instances[this.slot]
    if (row.fresh[this.slot] && before !== undefined) return before
    const made: Record<string, unknown> = {}
    let same = before !== undefined
    for (const member of this.#members) {
      const value = this.#value(member, row)
      made[member.name] = value
      if (same && before?.[member.name] !== value) same = false
    }
    row.fresh[this.slot] = true
    return (row.instances[this.slot] = same && before !== undefined ? before : made)
  }

  #value(member: Member, row: Row): unknown {
    switch (member.from) {
      case 'field':
        return row.values[member.field]
      case 'link': {
        const link = row.values[member.link]
        const target = link === null ? undefined : member.shape.table.rows.get(keyOf(link))
        return target === undefined ? null : member.shape.build(target)
      }
      case 'list':
        return member.index.read(row.key)
      case 'first':
        return member.index.first(row.key)
    }
  }
}
