import { compile, type Compiled } from './compile.js'
import type { HelloType, Resume, StateFrame } from './frames.js'
import type { ChannelSpec, Model } from './model.js'
import { keyOf, type Table } from './table.js'

/** How a connection's frames name the fields of one type. */
interface Wire {
  readonly table: Table
  /** The index on the wire by the index in the model. */
  readonly places: readonly number[]
}

/** A row of a frame, in the order of the model's fields. */
type Arrival = readonly [table: Table, values: unknown[]]

/** How far the copy of one scope has come. */
interface Part {
  /** The history of what is held; '' while that is not all of some version. */
  epoch: string
  version: number
  /** Whether a snapshot is to come, or has not come to its end. */
  awaiting: boolean
  /** The snapshot that is arriving. */
  staged: Arrival[] | undefined
}

/** Who shows a store. */
export interface Viewer {
  /** Hear of every instance that may have changed, come or gone, where anyone asks for single ones. */
  readonly watchers: { touch(type: string, key: string): void; touchAll(): void } | undefined
  /** Hears that anything may have changed. */
  touch(): void
}

/** What is shown above the rows of a store. */
export interface Overlay {
  /** Takes it away, and leaves the rows as they were. */
  lift(): void
  /** Puts it upon the rows as they are. */
  lay(): void
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
  /** The streams that show it. */
  readonly streams = new Set<Viewer>()
  /** What is shown above the rows. */
  overlay: Overlay | undefined
  readonly #compiled: Compiled
  readonly #host = {
    partial: true,
    touch: (type: string, key: string) => {
      for (const { watchers } of this.streams) watchers?.touch(type, key)
    },
    touchAll: () => {
      for (const { watchers } of this.streams) watchers?.touchAll()
    },
  }
  #parts: Part[] = []
  #arriving = ''
  #wires: readonly (Wire | undefined)[] = []

  constructor(model: Model, anchor: string, { places, writable }: Pick<ChannelSpec, 'places' | 'writable'> = {}) {
    this.#compiled = compile(model, anchor, this.#host, places)
    if (writable) for (const table of this.tables.values()) table.origins = new WeakMap()
  }

  /** The rows by instance type. */
  get tables(): Compiled['tables'] {
    return this.#compiled.tables
  }

  /** Whether what is held is not known to be current: a snapshot is to come. */
  get awaiting(): boolean {
    return this.#parts.some((part) => part.awaiting)
  }

  /** From where the stream may go on, if all that is held belongs to one history. */
  get resume(): Resume | undefined {
    const [epoch, ...others] = new Set(this.#parts.map((part) => part.epoch))
    const versions = this.#parts.map(({ version }) => version)
    return this.complete && others.length === 0 ? { epoch, versions } : undefined
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

  /** A type and field of the model that a connection does not have, if there is one. */
  lacks(types: readonly HelloType[]): string | undefined {
    for (const { name, fields } of this.tables.values()) {
      const known = types.find((type) => type.name === name)?.fields
      for (const field of fields) if (!known?.includes(field)) return `${name}.${field}`
    }
    return undefined
  }

  /**
   * Goes on with a connection that numbers types and fields as given, and has
   * as many scopes as there are elements in `resumed`. What is held of a scope
   * counts as current when it is resumed; else a snapshot follows.
   */
  attach(types: readonly HelloType[], epoch: string, resumed: readonly boolean[]): void {
    this.#wires = types.map(({ name, fields }) => {
      const table = this.tables.get(name)
      return table && { table, places: table.fields.map((field) => fields.indexOf(field)) }
    })
    this.#arriving = epoch
    this.alter(() => {
      for (let i = resumed.length; i < this.#parts.length; i++) this.#replace(1 << i, [])
    })
    this.#parts = resumed.map((current, i) => {
      const { epoch = '', version = 0 } = this.#parts.at(i) ?? {}
      return { epoch: this.complete ? epoch : '', version, awaiting: !current, staged: undefined }
    })
  }

  /** Applies a frame of one scope whole. Tells whether anything may have changed. */
  receive(scope: number, frame: StateFrame): boolean {
    return this.alter(() => this.#receive(scope, frame))
  }

  /** Changes rows below what is shown above them. */
  alter<T>(change: () => T): T {
    this.overlay?.lift()
    const result = change()
    this.overlay?.lay()
    return result
  }

  #receive(scope: number, frame: StateFrame): boolean {
    const part = this.#parts[scope]
    const { snapshot, v } = frame
    if (snapshot) return this.#load(part, 1 << scope, frame)
    if (part.epoch === '' || part.staged) return false
    this.#patch(1 << scope, frame)
    part.version = v
    return true
  }

  /** Takes rows of a snapshot: to be shown at once if nothing complete is held, else to be kept until it is whole. */
  #load(part: Part, scope: number, { snapshot, v, set = [] }: StateFrame): boolean {
    if (snapshot === 'only' || snapshot === 'first') {
      part.staged = []
      part.awaiting = true
      if (!this.complete) this.#replace(scope, [])
    }
    if (!part.staged) return false
    const rows = this.#decode(set)
    if (this.complete) part.staged = part.staged.concat(rows)
    else for (const [table, values] of rows) table.put(values, scope)
    if (snapshot === 'only' || snapshot === 'last') {
      if (this.complete) this.#replace(scope, part.staged)
      part.epoch = this.#arriving
      part.version = v
      part.awaiting = false
      part.staged = undefined
      if (!this.complete && !this.awaiting) this.#finish()
    }
    return true
  }

  /** The first tree is whole: what is missing is shown as such. */
  #finish(): void {
    this.complete = true
    this.#refresh()
  }

  /** Shows everything anew, in the way that fits what is there now. */
  #refresh(): void {
    this.#host.partial = !this.complete
    this.#settle()
    this.#host.touchAll()
    for (const { rows } of this.tables.values()) for (const { fresh } of rows.values()) fresh.fill(false)
  }

  #patch(scope: number, { del = [], set = [], upd = [] }: StateFrame): void {
    for (const [type, key] of del) this.#wires.at(type)?.table.delete(keyOf(key), scope)
    for (const [table, values] of this.#decode(set)) table.put(values, scope)
    for (const change of upd) {
      const wire = this.#wires.at(change[0])
      const row = wire?.table.rows.get(keyOf(change[1]))
      if (row) wire?.table.change(row, update(wire, row.values.slice(), change))
    }
  }

  #decode(set: NonNullable<StateFrame['set']>): Arrival[] {
    return set.flatMap(([type, values]) => {
      const wire = this.#wires.at(type)
      return wire ? [[wire.table, wire.places.map((place) => values[place] ?? null)] as const] : []
    })
  }

  /** Puts rows in the place of what a scope held; those that are equal keep their objects. */
  #replace(scope: number, rows: readonly Arrival[]): void {
    const tables = [...this.tables.values()]
    this.#host.partial = true
    for (const table of tables) for (const row of table.rows.values()) row.held &= ~scope
    for (const [table, values] of rows) table.put(values, scope)
    for (const table of tables) for (const { key, held } of table.rows.values()) if (held === 0) table.delete(key, 0)
    this.#refresh()
  }

  #settle(): void {
    for (const list of this.#compiled.lists) list.settle()
  }
}

/** Sets single values, given as index on the wire and value in turn, after the type and the key. */
function update({ places }: Wire, values: unknown[], change: readonly unknown[]): unknown[] {
  for (let i = 2; i < change.length; i += 2) {
    const field = places.indexOf(change[i] as number)
    if (field >= 0) values[field] = change[i + 1]
  }
  return values
}
