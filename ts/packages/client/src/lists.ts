import type { Compare } from './compare.js'
import type { Shape } from './shape.js'
import { keyOf, type Instance, type Row } from './table.js'

const none: readonly Instance[] = Object.freeze([])

/** The rows of one parent, in order, and the array that was shown of them. */
interface List {
  readonly rows: Row[]
  /** What was handed out last; never mutated. */
  shown: readonly (Instance | undefined)[] | undefined
  /** A copy of `shown` that follows `rows` place by place until the next read. */
  draft: (Instance | undefined)[] | undefined
  /** Rows whose instance must be looked up again. */
  dirty: Row[]
  /** Whether rows came or went since `shown`: they may have come back, too. */
  reshaped: boolean
}

/**
 * The has-many and has-one lists of one child shape by one link: the rows of
 * each parent, kept sorted. Placing a row is a binary search, never a sort.
 */
export class ListIndex {
  readonly shape: Shape
  /** The field of the child that holds the parent's key. */
  readonly link: number
  /** The relation's order as the model writes it, which identifies the index. */
  readonly order: string
  /** The parents' shapes that show these lists. */
  readonly parents: Shape[] = []
  readonly #places: readonly number[]
  readonly #compare: Compare<Row>
  readonly #lists = new Map<string, List>()

  constructor(shape: Shape, link: number, order: string, places: readonly number[], compare: Compare<Row>) {
    this.shape = shape
    this.link = link
    this.order = order
    this.#places = [link, ...places]
    this.#compare = compare
  }

  /** Whether one of the fields decides where a row stands. */
  placedBy(fields: readonly number[]): boolean {
    return fields.some((field) => this.#places.includes(field))
  }

  /** The instances of one parent, in order. */
  read(parent: string): readonly Instance[] {
    const list = this.#lists.get(parent)
    return list === undefined ? none : (this.#refresh(list) as readonly Instance[])
  }

  /** The first instance of one parent, or null. */
  first(parent: string): Instance | null {
    const row = this.#lists.get(parent)?.rows.at(0)
    return row === undefined ? null : this.shape.build(row)
  }

  /** Places the row; in bulk, at the end until `sort`. */
  insert(row: Row, bulk = false): void {
    this.#splice(row, bulk ? undefined : none, bulk, row)
  }

  /** Takes the row out; its values must still be those it was placed by. */
  remove(row: Row): void {
    this.#splice(row, none, false)
    const parent = keyOf(row.values[this.link])
    if (!this.parents.some((shape) => shape.table.rows.has(parent))) this.forget(parent)
  }

  /** Sorts what was inserted in bulk. */
  sort(): void {
    for (const list of this.#lists.values()) list.rows.sort(this.#compare)
  }

  /** Notes that the row's instance is no longer right. */
  changed(row: Row): void {
    const list = this.#lists.get(keyOf(row.values[this.link]))
    if (list === undefined) return
    if (list.shown !== undefined) list.dirty.push(row)
    this.#invalidateParent(row)
  }

  /** Drops the empty list of a parent that is gone. */
  forget(parent: string): void {
    if (this.#lists.get(parent)?.rows.length === 0) this.#lists.delete(parent)
  }

  /** Puts a row, if one is given, where `row` belongs, or takes `row` out. A new list follows on `shown`. */
  #splice(row: Row, shown: readonly Instance[] | undefined, last: boolean, added?: Row): void {
    const link = row.values[this.link]
    if (link === null) return
    const parent = keyOf(link)
    const list = this.#lists.get(parent) ?? { rows: [], shown, draft: undefined, dirty: [], reshaped: false }
    this.#lists.set(parent, list)
    const at = last ? list.rows.length : search(list.rows, row, this.#compare)
    const gone = added === undefined ? 1 : 0
    const rows = added === undefined ? [] : [added]
    list.rows.splice(at, gone, ...rows)
    list.reshaped = true
    if (list.shown !== undefined) {
      list.draft ??= list.shown.slice()
      list.draft.splice(at, gone, ...rows.map(() => undefined))
      list.dirty.push(...rows)
    }
    this.#invalidateParent(row)
  }

  #invalidateParent(row: Row): void {
    const key = keyOf(row.values[this.link])
    for (const shape of this.parents) {
      const parent = shape.table.rows.get(key)
      if (parent !== undefined) shape.invalidate(parent)
    }
  }

  #refresh(list: List): readonly (Instance | undefined)[] {
    const { shown, dirty } = list
    if (shown === undefined) return (list.shown = list.rows.map((row) => this.shape.build(row)))
    if (dirty.length === 0 && list.draft === undefined) return shown
    const next = this.#redraw(list, shown)
    const same = next === shown || (list.reshaped && sameItems(next, shown))
    list.dirty = []
    list.draft = undefined
    list.reshaped = false
    return (list.shown = same ? shown : next)
  }

  /** Looks up dirty rows one by one while they are few, else all of them. */
  #redraw(list: List, shown: readonly (Instance | undefined)[]): readonly (Instance | undefined)[] {
    const { rows, dirty } = list
    if (dirty.length > 8 && dirty.length * 16 > rows.length) {
      list.reshaped = true
      return rows.map((row) => this.shape.build(row))
    }
    for (const row of dirty) {
      const at = search(rows, row, this.#compare)
      if (rows.at(at) !== row) continue
      const instance = this.shape.build(row)
      if ((list.draft ?? shown)[at] === instance) continue
      list.draft ??= shown.slice()
      list.draft[at] = instance
    }
    return list.draft ?? shown
  }
}

/** The place of the row, or the one where it belongs. */
function search(rows: readonly Row[], row: Row, compare: Compare<Row>): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(rows[middle], row) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false
  }
  return true
}
