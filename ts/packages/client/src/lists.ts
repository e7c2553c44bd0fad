import type { Compare } from './compare.js'
import type { Shape } from './shape.js'
import { keyOf, type Instance, type Key, type Row } from './table.js'

type Items = readonly (Instance | undefined)[]

const none: Items = Object.freeze([])

/** The rows of one parent, in order, and the array that was shown of them. */
interface List {
  readonly rows: Row[]
  /** What was handed out last; never mutated. */
  shown: Items
  /** A copy of `shown` that follows `rows` place by place, until the next read. */
  draft: (Instance | undefined)[] | undefined
  /** Rows whose instance must be looked up again; undefined for all. */
  dirty: Row[] | undefined
  /** Whether rows came or went since `shown`: they may have come back, too. */
  moved: boolean
}

/**
 * The has-many or has-one lists of one member: the rows of each parent, kept
 * sorted. Placing a row is a binary search, never a sort; showing a change is
 * one copy of the array. Rows that link to nothing stand in a list that
 * nobody reads.
 */
export class ListIndex {
  /** The fields that decide where a row stands: the one that holds the parent's key, and those of the order. */
  readonly places: readonly [number, ...number[]]
  readonly #parent: Shape
  readonly #child: Shape
  readonly #compare: Compare<Row>
  /** The index's place in `Row.found`. */
  readonly #slot: number
  readonly #lists = new Map<Key, List>()

  constructor(parent: Shape, child: Shape, places: readonly [number, ...number[]], compare: Compare<Row>) {
    this.places = places
    this.#parent = parent
    this.#child = child
    this.#compare = compare
    parent.table.owned.push(this)
    this.#slot = child.table.indexes.push(this) - 1
    child.above.push(this)
  }

  /** The instances of one parent, in order. */
  read(parent: Row): Items {
    const list = this.#lists.get(parent.key)
    if (list === undefined) return none
    const { dirty } = list
    if (dirty === undefined) {
      list.draft = list.rows.map((row, at) => {
        row.found[this.#slot] = at
        return this.#child.build(row)
      })
      list.moved = true
    } else {
      for (const row of dirty) this.#redraw(list, row)
    }
    const { draft, moved } = list
    list.draft = undefined
    list.dirty = []
    list.moved = false
    if (draft !== undefined && !(moved && sameItems(draft, list.shown))) list.shown = draft
    return list.shown
  }

  /** The first instance of one parent, or null. */
  first(parent: Row): Instance | null {
    const row = this.#lists.get(parent.key)?.rows.at(0)
    return row === undefined ? null : this.#child.build(row)
  }

  /** Places the row; in bulk, at the end until `sort`. */
  insert(row: Row, bulk = false): void {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key) ?? { rows: [], shown: none, draft: undefined, dirty: undefined, moved: true }
    this.#lists.set(key, list)
    const at = bulk ? list.rows.length : this.#search(list, row)
    list.rows.splice(at, 0, row)
    if (list.dirty !== undefined) draftOf(list).splice(at, 0, row.instances[this.#child.slot])
    list.moved = true
    this.changed(row)
  }

  /** Takes the row out; its values must still be those it was placed by. */
  remove(row: Row): void {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key)
    if (list === undefined) return
    const at = this.#search(list, row)
    list.rows.splice(at, 1)
    if (list.dirty !== undefined) draftOf(list).splice(at, 1)
    list.moved = true
    this.changed(row)
    if (!this.#parent.table.rows.has(key)) this.forget(key)
  }

  /** Sorts what was inserted in bulk. */
  sort(): void {
    for (const list of this.#lists.values()) list.rows.sort(this.#compare)
  }

  /** Notes that the row came, went, or has another instance. */
  changed(row: Row): void {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key)
    // When many rows changed, looking up all is cheaper than searching for each.
    if (list?.dirty !== undefined && list.dirty.push(row) > 8 + list.rows.length / 16) {
      list.dirty = list.draft = undefined
    }
    const parent = this.#parent.table.rows.get(key)
    if (parent !== undefined) this.#parent.invalidate(parent)
  }

  /** Drops the empty list of a parent that is gone. */
  forget(parent: Key): void {
    if (this.#lists.get(parent)?.rows.length === 0) this.#lists.delete(parent)
  }

  #parentKey(row: Row): Key {
    return keyOf(row.values[this.places[0]])
  }

  /** Looks up the instance of a row, unless it is gone. */
  #redraw(list: List, row: Row): void {
    const at = this.#search(list, row)
    if (list.rows[at] !== row) return
    const instance = this.#child.build(row)
    if ((list.draft ?? list.shown)[at] !== instance) draftOf(list)[at] = instance
  }

  /** The place of the row, or the one where it belongs. A row mostly stands where it was found before. */
  #search({ rows }: List, row: Row): number {
    const guess = row.found[this.#slot]
    if (guess !== undefined && rows[guess] === row) return guess
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(rows[middle], row) < 0) low = middle + 1
      else high = middle
    }
    return (row.found[this.#slot] = low)
  }
}

function draftOf(list: List): (Instance | undefined)[] {
  return (list.draft ??= list.shown.slice())
}

function sameItems(a: Items, b: Items): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
