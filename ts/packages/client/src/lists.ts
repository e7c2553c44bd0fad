import type { Compare } from './compare.js'
import type { Shape } from './shape.js'
import { keyOf, type Index, type Instance, type Key, type Row } from './table.js'

type Item = Instance | null | undefined

type Items = readonly Item[]

const none: Items = Object.freeze([])

/** The rows of one parent, in order, and the array that was shown of them. */
interface List {
  rows: Row[]
  /** What was handed out last; never mutated. */
  shown: Items
  /** A copy of `shown` that follows `rows` place by place, until the next read. */
  draft: Item[] | undefined
  /** Rows whose instance must be looked up again; undefined for all. */
  dirty: Row[] | undefined
  /** The first place where `draft` was changed, perhaps back to what `shown` has. */
  from: number
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
}

/**
 * The lists of one member: the rows of each parent, kept sorted. Placing a row
 * is a binary search, never a sort; showing a change is one copy of the array.
 * Rows that link to nothing stand in a list that nobody reads.
 */
export class ListIndex implements Index {
  readonly places: readonly number[]
  readonly child: Shape
  /** Undefined for the one list that is the state. */
  readonly parent: Shape | undefined
  readonly #rule: ListRule
  /** The index's place in `Row.found`. */
  readonly #slot: number
  #lists = new Map<Key, List>()

  constructor(rule: ListRule) {
    const { table, above } = rule.child
    this.#rule = rule
    this.child = rule.child
    this.parent = rule.parent
    this.places = [rule.link, ...rule.places]
    this.#slot = table.lists++
    table.indexes.push(this)
    above.push(this)
    // A parent that goes takes its empty lists with it.
    rule.parent?.table.indexes.push({
      places: [],
      insert: () => undefined,
      remove: ({ key }) => {
        this.#forget(key)
      },
    })
  }

  /** The instances of one parent, in order. */
  read(parent: Key): Items {
    const list = this.#lists.get(parent)
    if (!list) return none
    if (list.dirty) for (const row of list.dirty) this.#redraw(list, row)
    else this.#redrawAll(list)
    const { draft, from } = list
    list.draft = undefined
    list.dirty = []
    list.from = Infinity
    if (draft && !sameItems(draft, list.shown, from)) list.shown = draft.length > 0 ? draft : none
    return list.shown
  }

  insert(row: Row): void {
    this.#place(row, 0, [row])
  }

  remove(row: Row): void {
    this.#place(row, 1, [])
  }

  /** Makes all lists anew of the rows that are there. */
  settle(): void {
    const before = this.#lists
    this.#lists = new Map()
    const { child, compare } = this.#rule
    for (const row of child.table.rows.values()) if (child.leads(row)) this.#listOf(row).rows.push(row)
    for (const [key, list] of this.#lists) {
      list.rows.sort(compare)
      list.shown = before.get(key)?.shown ?? none
    }
  }

  /** Notes that the row came, went, or has another instance. */
  changed(row: Row): void {
    const list = this.#lists.get(this.#parentKey(row))
    // When many rows changed, looking up all is cheaper than searching for each.
    if (list?.dirty && list.dirty.push(row) > 8 + list.rows.length / 16) list.dirty = list.draft = undefined
    const above = this.#above(row)
    if (above) this.parent?.invalidate(above)
    else this.#forget(this.#parentKey(row))
  }

  /** Drops the empty list of a parent that is gone. */
  #forget(parent: Key): void {
    if (this.parent && this.#lists.get(parent)?.rows.length === 0) this.#lists.delete(parent)
  }

  /** The rows of which this one is in the list. */
  sources(row: Row): readonly Row[] {
    const above = this.#above(row)
    return above ? [above] : []
  }

  /** Puts the row, or nothing, in the place of so many rows where it belongs. */
  #place(row: Row, gone: number, come: readonly Row[]): void {
    const { child } = this
    if (!child.table.host.partial && child.leads(row)) {
      const list = this.#listOf(row)
      const at = this.#search(list, row)
      list.rows.splice(at, gone, ...come)
      if (list.dirty) draftOf(list).splice(at, gone, ...come.map(({ instances }) => instances[child.slot]))
      list.from = Math.min(list.from, at)
    }
    this.changed(row)
  }

  #parentKey(row: Row): Key {
    const { link } = this.#rule
    return link < 0 ? '' : keyOf(row.values[link])
  }

  #above(row: Row): Row | undefined {
    return this.parent?.table.rows.get(this.#parentKey(row))
  }

  #listOf(row: Row): List {
    const key = this.#parentKey(row)
    const list = this.#lists.get(key) ?? { rows: [], shown: none, draft: undefined, dirty: undefined, from: 0 }
    this.#lists.set(key, list)
    return list
  }

  #redrawAll(list: List): void {
    const draft: Item[] = []
    list.rows.forEach((row, at) => {
      row.found[this.#slot] = at
      draft.push(this.child.build(row))
    })
    list.draft = draft
    list.from = 0
  }

  /** Looks up the instance of a row, unless it is gone. */
  #redraw(list: List, row: Row): void {
    const at = this.#search(list, row)
    if (list.rows[at] !== row) return
    const instance = this.child.build(row)
    if ((list.draft ?? list.shown)[at] === instance) return
    draftOf(list)[at] = instance
    list.from = Math.min(list.from, at)
  }

  /** The place of the row, or the one where it belongs. A row mostly stands where it was found before. */
  #search({ rows }: List, row: Row): number {
    const { found } = row
    const guess = found[this.#slot] ?? 0
    if (rows[guess] === row) return guess
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rule.compare(rows[middle], row) < 0) low = middle + 1
      else high = middle
    }
    return (found[this.#slot] = low)
  }
}

function draftOf(list: List): Item[] {
  return (list.draft ??= list.shown.slice())
}

function sameItems(a: Items, b: Items, from: number): boolean {
  if (a.length !== b.length) return false
  for (let i = from; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
