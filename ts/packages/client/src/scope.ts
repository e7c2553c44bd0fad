import { compile, type Compiled } from './compile.js'
import { PandoError } from './errors.js'
import type { HelloType, StateFrame } from './frames.js'
import type { Model } from './model.js'
import { keyOf, type Instance, type Table } from './table.js'
import type { Watchers } from './watchers.js'

/** How a connection's frames name the fields of one type. */
interface Wire {
  readonly table: Table
  /** The index on the wire by the index in the model. */
  readonly places: readonly number[]
}

/**
 * The client's copy of one scope: flat rows, the nested state made of them,
 * and how far it has come. It outlives connections, which number types and
 * fields each in their own way.
 *
 * A snapshot is collected beside the rows that are held and takes their place
 * when it is whole, so that the state is always a complete one.
 */
export class Scope {
  /** The history and version of what is held; meaningless until `complete`. */
  epoch = ''
  version = 0
  /** Whether the rows are a whole tree. */
  complete = false
  /** Whether a snapshot has been announced and has not come to its end. */
  awaiting = false
  /** Who hears of every instance that may have changed, come or gone. */
  readonly watchers = new Set<Watchers>()
  readonly #anchor: string
  readonly #compiled: Compiled
  #arriving = ''
  #wires: readonly (Wire | undefined)[] = []
  #stage: Map<Table, Map<string, unknown[]>> | undefined

  constructor(model: Model, anchor: string) {
    this.#compiled = compile(model, (type, key) => {
      for (const watchers of this.watchers) watchers.touch(type, key)
    })
    this.#anchor = anchor
  }

  /** The nested state, or null without the anchor's row. Equal until a frame changes it. */
  state(): Instance | null {
    const { root } = this.#compiled
    const row = root.table.rows.get(this.#anchor)
    return row === undefined ? null : root.build(row)
  }

  /** The object of one row, in the shape nearest to the root, if it is held. */
  instance(type: string, key: string): Instance | undefined {
    const table = this.#compiled.tables.get(type)
    const row = table?.rows.get(key)
    return row === undefined ? undefined : table?.shapes.at(0)?.build(row)
  }

  /**
   * Goes on with a connection that numbers types and fields as given. What is
   * held counts as current when it is `resumed`; else a snapshot follows.
   *
   * @throws PandoError `schema` when a type or field of the model is missing.
   */
  attach(types: readonly HelloType[], epoch: string, resumed: boolean): void {
    const wires = types.map(({ name, fields }) => {
      const table = this.#compiled.tables.get(name)
      return table && { table, places: table.fields.map((field) => fields.indexOf(field)) }
    })
    for (const [name, { fields }] of this.#compiled.tables) {
      const known = types.find((type) => type.name === name)?.fields
      const missing = fields.find((field) => !known?.includes(field))
      if (missing !== undefined) {
        throw new PandoError('schema', `the server no longer has ${name}.${missing}: reload the page`)
      }
    }
    this.#wires = wires
    this.#stage = undefined
    this.#arriving = epoch
    this.awaiting = !resumed
  }

  /** Applies a frame whole. Tells whether the state may have changed. */
  receive(frame: StateFrame): boolean {
    if (frame.snapshot === undefined) {
      if (!this.complete || this.#stage !== undefined) return false
      this.#patch(frame)
      this.version = frame.v
      return true
    }
    if (frame.snapshot === 'only' || frame.snapshot === 'first') this.#stage = new Map()
    if (this.#stage === undefined) return false
    this.#collect(frame, this.#stage)
    if (frame.snapshot === 'first' || frame.snapshot === 'more') return false
    this.#replace(this.#stage)
    this.#stage = undefined
    this.epoch = this.#arriving
    this.version = frame.v
    this.complete = true
    this.awaiting = false
    return true
  }

  #patch({ del = [], set = [], upd = [] }: StateFrame): void {
    for (const [type, key] of del) this.#wires.at(type)?.table.delete(keyOf(key))
    for (const [type, values] of set) {
      const wire = this.#wires.at(type)
      if (wire !== undefined) wire.table.put(decode(wire, values))
    }
    for (const [type, key, ...pairs] of upd) {
      const wire = this.#wires.at(type)
      if (wire !== undefined) update(wire, keyOf(key), pairs)
    }
  }

  #collect(frame: StateFrame, stage: Map<Table, Map<string, unknown[]>>): void {
    for (const [type, wireValues] of frame.set ?? []) {
      const wire = this.#wires.at(type)
      if (wire === undefined) continue
      const values = decode(wire, wireValues)
      const rows = stage.get(wire.table) ?? new Map<string, unknown[]>()
      stage.set(wire.table, rows.set(keyOf(values[wire.table.key]), values))
    }
  }

  /** Swaps in the staged rows; rows that are equal keep their objects. */
  #replace(stage: ReadonlyMap<Table, ReadonlyMap<string, unknown[]>>): void {
    const tables = [...this.#compiled.tables.values()]
    const empty = tables.every((table) => table.rows.size === 0)
    for (const table of tables) {
      const rows = stage.get(table) ?? new Map<string, unknown[]>()
      for (const key of table.rows.keys()) if (!rows.has(key)) table.delete(key)
      for (const values of rows.values()) table.put(values, empty)
    }
    if (empty) for (const table of tables) for (const index of table.lists) index.sort()
  }
}

function decode(wire: Wire, values: readonly unknown[]): unknown[] {
  return wire.places.map((place) => values[place] ?? null)
}

function update(wire: Wire, key: string, pairs: readonly unknown[]): void {
  const fields: number[] = []
  const values: unknown[] = []
  for (let i = 0; i < pairs.length; i += 2) {
    const field = wire.places.indexOf(pairs[i] as number)
    if (field < 0) continue
    fields.push(field)
    values.push(pairs[i + 1])
  }
  if (fields.length > 0) wire.table.update(key, fields, values)
}
