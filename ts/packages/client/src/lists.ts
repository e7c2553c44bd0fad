import type { Compare } from './compare.js'
import type { Shape } from './shape.js'
import { keyOf, type Index, type Instance, type Key, type Row } from './table.js'

type Items = readonly (Instance | undefined)[]

const none: Items = Object.freeze([])

/** The rows of one parent, in order, and the array that was shown of them. */
interface List {
  rows: Row[]
  /** What was handed out last; never mutated. */
  shown: Items
  /** A copy of `shown` that follows `rows` place by place, until the next read. */
  draft: (Instance | undefined)[] | undefined
  /** Rows whose instance must be looked up again; undefined for all. */
  dirty: Row[] | undefined
  /** Whether rows came or went since `shown`: they may have come back, too. */
  moved: boolean
}

/** How far the rows of a tree have come. */
export interface Progress {
  /**
   * Whether many rows are on their way: lists are not kept, but made of all
   * rows by `ListIndex.settle`, and what is missing is shown as a stub.
   */
  partial: boolean
}

/** What a list consists of. */
export interface ListRule {
  /** The shape of the rows that have lists; undefined for the one list that is the state. */
  readonly parent: Shape | undefined
  readonly child: Shape
  /** The field that holds the parent's key; -1 for the one list. */
  readonly link: number
  /** The other fields that decide where a row stands. */
  readonly places: readonly number[]
  readonly compare: Compare<Row>
  readonly progress: Progress
}

/**
 * The lists of one member: the rows of each parent, kept sorted. Placing a row
 * is a binary search, never a sort; showing a change is one copy of the array.
 * Rows that link to nothing stand in a list that nobody reads.
 */
export class ListIndex implements Index {
  readonly places: readonly number[]
  readonly #rule: ListRule
  /** The index's place in `Row.found`. */
  readonly #slot: number
  readonly #lists = new Map<Key, List>()

  constructor(rule: ListRule) {
    const { table } = rule.child
    this.#rule = rule
    this.places = [rule.link, ...rule.places]
    this.#slot = table.lists++
    table.indexes.push(this)
    rule.parent?.table.owned.push(this)
    rule.child.above.push(this)
  }

  /** The instances of one parent, in order. */
  read(parent: Key): Items {
    const list = this.#lists.get(parent)
    if (list === undefined) return none
    const { dirty } = list
    if (dirty === undefined) this.#redrawAll(list)
    else for (const row of dirty) this.#redraw(list, row)
    const { draft, moved } = list
    list.draft = undefined
    list.dirty = []
    list.moved = false
    if (draft !== undefined && !(moved && sameItems(draft, list.shown))) list.shown = draft
    return list.shown
  }

  insert(row: Row): void {
    if (!this.#rule.progress.partial && this.#isShown(row)) {
      const list = this.#listOf(row)
      const at = this.#search(list, row)
      list.rows.splice(at, 0, row)
      if (list.dirty !== undefined) draftOf(list).splice(at, 0, row.instances[this.#rule.child.slot])
      list.moved = true
    }
    this.changed(row)
  }

  remove(row: Row): void {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key)
    if (!this.#rule.progress.partial && list !== undefined && this.#isShown(row)) {
      const at = this.#search(list, row)
      list.rows.splice(at, 1)
      if (list.dirty !== undefined) draftOf(list).splice(at, 1)
      list.moved = true
      if (this.#rule.parent?.table.rows.has(key) === false) this.forget(key)
    }
    this.changed(row)
  }

  /** Makes all lists anew of the rows that are there. */
  settle(): void {
    const { child, compare } = this.#rule
    for (const list of this.#lists.values()) {
      list.rows = []
      list.dirty = list.draft = undefined
      list.moved = true
    }
    for (const row of child.table.rows.values()) if (this.#isShown(row)) this.#listOf(row).rows.push(row)
    for (const [key, { rows }] of this.#lists) {
      rows.sort(compare)
      if (rows.length === 0) this.#lists.delete(key)
    }
  }

  /** Notes that the row came, went, or has another instance. */
  changed(row: Row): void {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key)
    // When many rows changed, looking up all is cheaper than searching for each.
    if (list?.dirty !== undefined && list.dirty.push(row) > 8 + list.rows.length / 16) {
      list.dirty = list.draft = undefined
    }
    const { parent } = this.#rule
    const above = parent?.table.rows.get(key)
    if (above !== undefined) parent?.invalidate(above)
  }

  /** Drops the empty list of a parent that is gone. */
  forget(parent: Key): void {
    if (this.#lists.get(parent)?.rows.length === 0) this.#lists.delete(parent)
  }

  /** Whether the state shows a row in one of the lists. */
  shows(row: Row): boolean {
    const { parent } = this.#rule
    const above = parent?.table.rows.get(this.#parentKey(row))
    return parent === undefined || (above !== undefined && parent.shows(above))
  }

  /** Whether there is something to show in the row's place. */
  #isShown(row: Row): boolean {
    const { child, progress } = this.#rule
    return child.stands === undefined || progress.partial || child.stands.find(row) !== undefined
  }

  #parentKey(row: Row): Key {
    const { link } = this.#rule
    return link < 0 ? '' : keyOf(row.values[link])
  }

  #listOf(row: Row): List {
    const key = this.#parentKey(row)
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = { rows: [], shown: none, draft: undefined, dirty: undefined, moved: true }
      this.#lists.set(key, list)
    }
    return list
  }

  #redrawAll(list: List): void {
    const { child } = this.#rule
    const draft: (Instance | undefined)[] = []
    list.rows.forEach((row, at) => {
      row.found[this.#slot] = at
      draft.push(child.build(row))
    })
    list.draft = draft
    list.moved = true
  }

  /** Looks up the instance of a row, unless it is gone. */
  #redraw(list: List, row: Row): void {
    const at = this.#search(list, row)
    if (list.rows[at] !== row) return
    const instance = this.#rule.child.build(row)
    if ((list.draft ?? list.shown)[at] !== instance) draftOf(list)[at] = instance
  }

  /** The place of the row, or the one where it belongs. A row mostly stands where it was found before. */
  #search({ rows }: List, row: Row): number {
    const guess = row.found[this.#slot]
    if (guess !== undefined && rows[guess] === row) return guess
    const { compare } = this.#rule
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(rows[middle], row) < 0) low = middle + 1
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
