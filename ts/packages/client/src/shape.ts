import type { Value } from './compare.js'
import type { LinkIndex } from './links.js'
import type { ListIndex } from './lists.js'
import type { Instance, Key, Row, Table } from './table.js'

/** A property of the objects of a shape. */
export interface Member {
  readonly name: string
  readonly read: (row: Row) => unknown
}

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
  /** Lists in which these objects stand, and links that show them. */
  readonly above: (ListIndex | LinkIndex)[] = []
  /** The key of the row that is the state itself. */
  anchor: Key
  /** The link to what is shown in the place of these rows: see `places.ts`. */
  stands: LinkIndex | undefined
  /** A shape is known to its indexes before its members are. */
  members: readonly Member[] = []

  constructor(table: Table) {
    this.table = table
    this.slot = table.shapes.push(this) - 1
  }

  /** Marks the row's object, and those of all ancestors, as no longer right. */
  invalidate(row: Row): void {
    if (!row.fresh[this.slot]) return
    row.fresh[this.slot] = false
    this.table.host.touch(this.table.name, row.key)
    for (const index of this.above) index.changed(row)
  }

  /** What is shown of the row as of now; null where what it stands for is not there. */
  build(row: Row): Instance | null {
    const { slot } = this
    const before = row.instances[slot]
    if (before && row.fresh[slot]) return before
    row.fresh[slot] = true
    return (row.instances[slot] = this.make(row, before))
  }

  /** Whether there is anything to show of a row. */
  leads: (row: Row) => boolean = () => true

  /** What stands for the row of a key while it is on its way. */
  stub(key: Value): Instance {
    const { type } = this.table
    return type.key.startsWith('@') ? { _loaded: false } : { [type.key]: key, _loaded: false }
  }

  /** What is shown of the row, given what was; the same while it is equal. */
  make(row: Row, before: Instance | null | undefined): Instance | null {
    let made: Record<string, unknown> | undefined
    for (const { name, read } of this.members) {
      const value = read(row)
      if (!before || before[name] !== value) (made ??= { ...before })[name] = value
    }
    if (!made) return before ?? {}
    this.table.origins?.set(made, row.key)
    return made
  }
}
