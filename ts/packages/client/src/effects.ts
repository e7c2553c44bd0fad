import type { WriteData } from './frames.js'
import type { Keys } from './keys.js'
import type { Effect } from './layers.js'
import type { ChannelSpec, WritableModel } from './model.js'
import type { Store } from './store.js'
import type { Row, Table } from './table.js'

/** A row that is written: its instance type and its key, perhaps a temporary one. */
export interface Target {
  readonly type: string
  readonly key: string
}

/** A row to insert: its type and key, and the links that place it. */
interface Placed extends Target {
  readonly links: readonly (readonly [field: string, target: Target])[]
}

/** The bit of a row that no scope holds, but this client's own creation. */
const ownScope = 1 << 30

/** What the writes of one channel do to its rows, as far as the client can tell. */
export class Effects {
  readonly #spec: ChannelSpec
  readonly #keys: Keys
  /** By type and field: the type that a link leads to. */
  readonly #links = new Map<string, string>()

  constructor(spec: ChannelSpec, keys: Keys) {
    this.#spec = spec
    this.#keys = keys
    const { layers } = spec.model
    for (const { type, members, through } of layers) {
      const below = members.map((member) => (typeof member === 'string' ? undefined : member.layer))
      for (const index of [...below, through]) {
        if (index === undefined) continue
        const { link = '', relation, type: child } = layers[index]
        const [from, to] = relation === 'belongsTo' ? [type, child] : [child, type]
        this.#links.set(`${from} ${link}`, to)
      }
    }
  }

  /**
   * The data as the server is to have it, undefined while a key in it is not known.
   *
   * @throws PandoError `depends` when a row that it refers to was not created.
   */
  resolve(type: string, data: WriteData): WriteData | undefined {
    const resolved: Record<string, unknown> = {}
    let waits = false
    for (const [name, value] of Object.entries(data)) {
      const refers = this.#refers(type, name) && this.#keys.has(value)
      resolved[name] = refers ? this.#keys.resolve(value) : value
      waits ||= refers && resolved[name] === undefined
    }
    return waits ? undefined : resolved
  }

  /** Sets fields of a row. */
  save(target: Target, data: WriteData): Effect {
    return {
      lay: (store, undo) => {
        const table = store.tables.get(target.type)
        const row = this.#find(table, target)
        if (!table || !row) return
        const before = row.values
        table.change(row, this.#assign(store, table, before.slice(), data))
        undo.push(() => {
          table.change(row, before.slice())
        })
      },
    }
  }

  /** Takes a row away. */
  delete(target: Target): Effect {
    return {
      lay: (store, undo) => {
        const table = store.tables.get(target.type)
        const row = this.#find(table, target)
        if (!table || !row) return
        table.remove(row)
        undo.push(() => {
          // What is shown of it may be another now.
          row.fresh.fill(false)
          table.insert(row)
        })
      },
    }
  }

  /**
   * Adds a row below a parent, or to the list that is the state. No frame
   * knows of it, so that it may stay while others change what is below it.
   */
  create(target: Target, parent: Target | undefined, relation: string, data: WriteData): Effect {
    const now = new Date().toISOString().replace('Z', '000Z')
    const path = this.#path(target, parent, relation)
    const rows = new Map<Table, Row>()
    const end = () => {
      for (const [table, row] of rows) table.remove(row)
      rows.clear()
    }
    return {
      end,
      lay: (store) => {
        const own = store.tables.get(target.type)
        if (!own) return
        // What the server sent of it stands for itself.
        if (own.rows.has(this.#keys.known(target.key))) end()
        else this.#place(store, own, path, rows, this.#assign(store, own, this.#blank(own, now), data))
      },
    }
  }

  /** Puts the rows of a creation where they belong now. */
  #place(store: Store, own: Table, path: readonly Placed[], rows: Map<Table, Row>, values: readonly unknown[]): void {
    for (const { type, key, links } of path) {
      const table = store.tables.get(type)
      if (!table) continue
      const given = new Map<string, unknown>([[table.type.key, key]])
      for (const [field, to] of links) given.set(field, this.#shown(store, to))
      const whole = table.fields.map((field, i) =>
        given.has(field) ? given.get(field) : table === own ? values[i] : alike(own, values, field),
      )
      const known = rows.get(table)
      if (known) table.change(known, whole)
      else rows.set(table, table.put(whole, ownScope))
    }
  }

  /** The rows of a creation: its own, and those that stand for it where it is created. */
  #path(target: Target, parent: Target | undefined, relation: string): Placed[] {
    const { layers, root, types } = this.#spec.model
    const place = (index: number): Placed[] => {
      const { type, through } = layers[index]
      if (through === undefined) return [{ ...target, links: [] }]
      const below = place(through)
      const { link = '' } = layers[through]
      const { key: field, fields } = types[type]
      const key = link === field ? below[0].key : this.#keys.make(fields[field])
      return [{ type, key, links: [[link, below[0]]] }, ...below]
    }
    const top = parent ? layerOf(this.#spec, parent.type, relation) : root
    const [first, ...others] = place(top)
    const link = layers[top].link
    if (!parent || link === undefined) return [first, ...others]
    return [{ ...first, links: [...first.links, [link, parent]] }, ...others]
  }

  /** What a new row holds before its data: what the declaration says, the present for times, else nothing. */
  #blank({ name, fields, type }: Table, now: string): unknown[] {
    const { initial = {} } = this.#writable(name)
    return fields.map((field) => {
      const value = initial[field] ?? null
      const dated = type.fields[field] === 'time' && (value === '' || field.startsWith('@'))
      return dated ? now : value
    })
  }

  /** Sets the values of data where they are shown. */
  #assign(store: Store, { name: type, fields }: Table, values: unknown[], data: WriteData): unknown[] {
    for (const [name, value] of Object.entries(data)) {
      const field = this.#writable(type).fields[name]
      if (typeof field !== 'string' || value === undefined) continue
      const target = this.#links.get(`${type} ${field}`)
      const shown = typeof value === 'bigint' ? String(value) : value
      const refers = target !== undefined && shown !== null
      values[fields.indexOf(field)] = refers ? this.#shown(store, { type: target, key: shown as string }) : shown
    }
    return values
  }

  /** Whether a value of data may be the key of a row. */
  #refers(type: string, name: string): boolean {
    const field = this.#writable(type).fields[name]
    return typeof field !== 'string' || field.startsWith('@') || this.#links.has(`${type} ${field}`)
  }

  #writable(type: string): WritableModel {
    return this.#spec.writable?.[type] ?? { fields: {} }
  }

  #find(table: Table | undefined, { key }: Target): Row | undefined {
    return table?.rows.get(this.#keys.known(key)) ?? table?.rows.get(key)
  }

  /** The key by which a row is shown: the temporary one until the server has sent the row. */
  #shown(store: Store, target: Target): string {
    return this.#find(store.tables.get(target.type), target)?.key ?? target.key
  }
}

/** The layer that a relation of a type leads to. */
function layerOf({ name, model: { layers } }: ChannelSpec, type: string, relation: string): number {
  for (const layer of layers) {
    for (const member of layer.type === type ? layer.members : []) {
      if (typeof member !== 'string' && member.name === relation) return member.layer
    }
  }
  throw new TypeError(`${name}: ${type} has no ${relation}`)
}

/** A column of a row as one that stands for it has it: shown there, or hidden. */
function alike({ fields }: Table, values: readonly unknown[], field: string): unknown {
  const name = field.replace('@', '')
  return values[fields.indexOf(name)] ?? values[fields.indexOf(`@${name}`)] ?? null
}
