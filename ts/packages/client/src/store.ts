import { compile, type Compiled } from './compile.js'
import { PandoError } from './errors.js'
import type { HelloType, Resume, StateFrame } from './frames.js'
import type { Model } from './model.js'
import { keyOf, type Instance, type Key, type Table } from './table.js'
import type { Watchers } from './watchers.js'

/** How a connection's frames name the fields of one type. */
interface Wire {
  readonly table: Table
  /** The index on the wire by the index in the model. */
  readonly places: readonly number[]
}

/** Rows of a snapshot, by table and key. */
type Rows = Map<Table, Map<Key, unknown[]>>

/** How far the copy of one scope has come. */
interface Part {
  /** The history of what is held; '' while that is not all of some version. */
  epoch: string
  version: number
  /** Whether a snapshot is to come, or has not come to its end. */
  awaiting: boolean
  /** The snapshot that is arriving. */
  staged: Rows | undefined
}

/**
 * The client's copy of a stream's scopes: flat rows, the nested state made of
 * them, and how far each scope has come. A row is there while any scope holds
 * it. The copy outlives connections, which number types and fields each in
 * their own way.
 *
 * The first snapshot is shown as it arrives. Every later one is collected
 * beside the rows that are held and takes their place when it is whole, so
 * that the state stays a complete one.
 */
export class Store {
  /** Whether the rows are a whole tree. */
  complete = false
  /** Who hears of every instance that may have changed, come or gone. */
  readonly watchers = new Set<Watchers>()
  readonly #compiled: Compiled
  readonly #progress = { partial: true }
  #parts: Part[] = []
  #arriving = ''
  #wires: readonly (Wire | undefined)[] = []

  constructor(model: Model, anchor: string) {
    this.#compiled = compile(model, anchor, this.#progress, (type, key) => {
      for (const watchers of this.watchers) watchers.touch(type, key)
    })
  }

  /** Whether what is held is not known to be current: a snapshot is to come. */
  get awaiting(): boolean {
    return this.#parts.some((part) => part.awaiting)
  }

  /** From where the stream may go on, if all that is held belongs to one history. */
  get resume(): Resume | undefined {
    const [epoch, ...others] = new Set(this.#parts.map((part) => part.epoch))
    if (!this.complete || others.length > 0) return undefined
    return { epoch, versions: this.#parts.map(({ version }) => version) }
  }

  /**
   * The nested state: null without the anchor's row. Equal until a frame
   * changes it. Until `complete` it is what has arrived, with stubs for what
   * has not.
   */
  state(): unknown {
    if (!this.complete) this.#settle()
    return this.#compiled.read() ?? null
  }

  /** The object of one row as the state shows it, nearest to the root, if it is held. */
  instance(type: string, key: string): Instance | undefined {
    const table = this.#compiled.tables.get(type)
    const row = table?.rows.get(key)
    return row && (table?.shapes.find((shape) => shape.shows(row)) ?? table?.shapes.at(0))?.build(row)
  }

  /**
   * Goes on with a connection that numbers types and fields as given, and has
   * as many scopes as there are elements in `resumed`. What is held of a scope
   * counts as current when it is resumed; else a snapshot follows.
   *
   * @throws PandoError `schema` when a type or field of the model is missing.
   */
  attach(types: readonly HelloType[], epoch: string, resumed: readonly boolean[]): void {
    const { tables } = this.#compiled
    for (const [name, { fields }] of tables) {
      const known = types.find((type) => type.name === name)?.fields
      const lost = fields.find((field) => !known?.includes(field))
      if (lost !== undefined) {
        throw new PandoError('schema', `the server no longer has ${name}.${lost}: reload the page`)
      }
    }
    this.#wires = types.map(({ name, fields }) => {
      const table = tables.get(name)
      return table && { table, places: table.fields.map((field) => fields.indexOf(field)) }
    })
    this.#arriving = epoch
    for (let i = resumed.length; i < this.#parts.length; i++) this.#replace(i, new Map())
    this.#parts = resumed.map((current, i) => {
      const { epoch = '', version = 0 } = this.#parts.at(i) ?? {}
      return { epoch: this.complete ? epoch : '', version, awaiting: !current, staged: undefined }
    })
  }

  /** Applies a frame of one scope whole. Tells whether anything may have changed. */
  receive(scope: number, frame: StateFrame): boolean {
    const part = this.#parts[scope]
    const { snapshot, v } = frame
    if (snapshot === undefined) {
      if (part.epoch === '' || part.staged !== undefined) return false
      this.#patch(1 << scope, frame)
    } else {
      if (snapshot === 'only' || snapshot === 'first') this.#begin(scope)
      if (part.staged === undefined) return false
      this.#collect(scope, part.staged, frame)
      if (snapshot === 'first' || snapshot === 'more') return true
      this.#end(scope, part)
    }
    part.version = v
    return true
  }

  /** Begins a snapshot, which voids one that has not come to its end. */
  #begin(scope: number): void {
    const part = this.#parts[scope]
    part.staged = new Map()
    part.awaiting = true
    if (!this.complete) this.#replace(scope, part.staged)
  }

  /** Takes rows of a snapshot: to be shown at once if nothing complete is held, else to be kept until it is whole. */
  #collect(scope: number, staged: Rows, { set = [] }: StateFrame): void {
    for (const [type, values] of set) {
      const wire = this.#wires.at(type)
      if (wire === undefined) continue
      const { table } = wire
      const row = decode(wire, values)
      if (!this.complete) table.put(row, 1 << scope)
      else staged.set(table, (staged.get(table) ?? new Map<Key, unknown[]>()).set(table.keyIn(row), row))
    }
  }

  #end(scope: number, part: Part): void {
    if (this.complete) this.#replace(scope, part.staged ?? new Map<Table, Map<Key, unknown[]>>())
    part.epoch = this.#arriving
    part.awaiting = false
    part.staged = undefined
    if (this.complete || this.awaiting) return
    this.complete = true
    this.#progress.partial = false
    for (const table of this.#compiled.tables.values()) table.loaded()
    for (const watchers of this.watchers) watchers.touchAll()
    this.#settle()
  }

  #patch(scope: number, { del = [], set = [], upd = [] }: StateFrame): void {
    for (const [type, key] of del) this.#wires.at(type)?.table.delete(keyOf(key), scope)
    for (const [type, values] of set) {
      const wire = this.#wires.at(type)
      wire?.table.put(decode(wire, values), scope)
    }
    for (const [type, key, ...pairs] of upd) {
      const wire = this.#wires.at(type)
      const row = wire?.table.rows.get(keyOf(key))
      if (row !== undefined) wire?.table.change(row, update(wire, row.values.slice(), pairs))
    }
  }

  /** Puts the rows of a snapshot in the place of what the scope held; rows that are equal keep their objects. */
  #replace(scope: number, rows: Rows): void {
    const bit = 1 << scope
    this.#progress.partial = true
    for (const table of this.#compiled.tables.values()) {
      const staged = rows.get(table)
      for (const [key, { held }] of table.rows) if ((held & bit) !== 0 && staged?.has(key) !== true) table.delete(key, bit)
      for (const values of staged?.values() ?? []) table.put(values, bit)
    }
    this.#progress.partial = !this.complete
    this.#settle()
  }

  #settle(): void {
    for (const list of this.#compiled.lists) list.settle()
  }
}

function decode({ places }: Wire, values: readonly unknown[]): unknown[] {
  return places.map((place) => values[place] ?? null)
}

/** Sets single values, given as index on the wire and value in turn. */
function update({ places }: Wire, values: unknown[], pairs: readonly unknown[]): unknown[] {
  for (let i = 0; i < pairs.length; i += 2) {
    const field = places.indexOf(pairs[i] as number)
    if (field >= 0) values[field] = pairs[i + 1]
  }
  return values
}
