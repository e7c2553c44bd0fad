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
  /** Whether a snapshot is being collected. */
  #staging = false

  constructor(model: Model, anchor: string) {
    this.#compiled = compile(model, (type, key) => {
      for (const watchers of this.watchers) watchers.touch(type, key)
    })
    this.#anchor = anchor
  }

  /** The nested state, or null without the anchor's row. Equal until a frame changes it. */
  state(): Instance | null {
    return this.#compiled.root.find(this.#anchor) ?? null
  }

  /** The object of one row, in the shape nearest to the root, if it is held. */
  instance(type: string, key: string): Instance | undefined {
    return this.#compiled.tables.get(type)?.shapes.at(0)?.find(key)
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
    this.#stage(false)
    this.#arriving = epoch
    this.awaiting = !resumed
  }

  /** Applies a frame whole. Tells whether the state may have changed. */
  receive(frame: StateFrame): boolean {
    const { snapshot, v } = frame
    if (snapshot === undefined) {
      if (!this.complete || this.#staging) return false
      this.#patch(frame)
    } else {
      if (snapshot === 'only' || snapshot === 'first') this.#stage(true)
      if (!this.#staging) return false
      for (const [type, values] of frame.set ?? []) {
        const wire = this.#wires.at(type)
        wire?.table.stage(decode(wire, values))
      }
      if (snapshot === 'first' || snapshot === 'more') return false
      this.#replace()
      this.epoch = this.#arriving
      this.complete = true
      this.awaiting = false
    }
    this.version = v
    return true
  }

  /** Begins or gives up a snapshot. */
  #stage(begins: boolean): void {
    this.#staging = begins
    for (const table of this.#compiled.tables.values()) table.staged.clear()
  }

  #patch({ del = [], set = [], upd = [] }: StateFrame): void {
    for (const [type, key] of del) this.#wires.at(type)?.table.delete(keyOf(key))
    for (const [type, values] of set) {
      const wire = this.#wires.at(type)
      wire?.table.put(decode(wire, values))
    }
    for (const [type, key, ...pairs] of upd) {
      const wire = this.#wires.at(type)
      const values = wire?.table.rows.get(keyOf(key))?.values.slice()
      if (values !== undefined) wire?.table.put(update(wire, values, pairs))
    }
  }

  /** Swaps in the rows of a complete snapshot. */
  #replace(): void {
    const tables = [...this.#compiled.tables.values()]
    const empty = tables.every(({ rows }) => rows.size === 0)
    for (const table of tables) table.swap(empty)
    if (empty) for (const { owned } of tables) for (const list of owned) list.sort()
    this.#stage(false)
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
