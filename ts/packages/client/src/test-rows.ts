import type { Kind, LayerModel, Model } from './model.js'

type Values = Readonly<Record<string, unknown>>

/** Flat rows by type and key. */
export type Rows = ReadonlyMap<string, ReadonlyMap<string, Values>>

/**
 * Takes a nested state apart into the rows that it is made of. Hidden fields
 * are set so that everything stands where it stood.
 */
export function rowsOf(model: Model, anchor: string, state: unknown): Rows {
  const flat = new Flattener(model)
  if (model.layers[model.root].relation === 'list') flat.list(model.root, undefined, state)
  else if (state !== null && state !== undefined) flat.row(model.root, state, { [flat.keyOf(model.root)]: anchor })
  return flat.rows
}

class Flattener {
  readonly rows = new Map<string, Map<string, Values>>()
  readonly #model: Model
  #next = 3_000_000

  constructor(model: Model) {
    this.#model = model
    for (const type of Object.keys(model.types)) this.rows.set(type, new Map())
  }

  /** The field of a layer's key. */
  keyOf(index: number): string {
    return this.#model.types[this.#layer(index).type].key
  }

  /** Takes the rows of a list in, and gives them the places that they have in it. */
  list(index: number, parent: string | undefined, items: unknown): void {
    const { link, relation } = this.#layer(index)
    const many = Array.isArray(items) ? (items as unknown[]) : items === null || items === undefined ? [] : [items]
    many.forEach((item, at) => {
      const given = link === undefined || relation === 'list' ? {} : { [link]: parent }
      this.#item(index, item, { ...this.#place(this.#layer(index), at), ...given })
    })
  }

  /** Takes a row in, with all that is below it, and gives its key. */
  row(index: number, item: unknown, given: Values): string {
    const { type, members } = this.#layer(index)
    const { key: field, fields } = this.#model.types[type]
    const plain = item as Values
    const key = `${(given[field] ?? plain[field] ?? this.#next++) as string | number}`
    const known = this.rows.get(type)?.get(key) ?? {}
    const values: Record<string, unknown> = { ...known, [field]: key }
    for (const name of Object.keys(fields)) if (name in plain && name !== field) values[name] = plain[name]
    Object.assign(values, given)
    for (const member of members) {
      if (typeof member === 'string') continue
      const below = plain[member.name]
      const layer = this.#layer(member.layer)
      if (layer.relation !== 'belongsTo') this.list(member.layer, key, below)
      else values[layer.link ?? ''] = below === null || below === undefined ? null : this.#item(member.layer, below, {})
    }
    this.rows.get(type)?.set(key, { ...this.rows.get(type)?.get(key), ...values })
    return key
  }

  /** Takes a row in by what stands for it, if anything does, and gives the key that leads there. */
  #item(index: number, item: unknown, given: Values): string {
    const { through, type } = this.#layer(index)
    if (through === undefined) return this.row(index, item, given)
    const next = this.#layer(through)
    const link = next.link ?? ''
    const target = this.#item(through, item, next.order && !this.#layer(index).order ? this.#carried(next, given) : {})
    const field = this.keyOf(index)
    const key = link === field ? target : String(this.#next++)
    this.rows.get(type)?.set(key, { ...given, [link]: target, [field]: key })
    return key
  }

  /** Hidden places, as far as the next layer orders by them. */
  #carried({ order = [] }: LayerModel, given: Values): Values {
    const names = order.map((term) => term.replace(/^-/, ''))
    return Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)))
  }

  /** Values of hidden fields by which the n-th row of a list stands there. */
  #place({ order = [], type, through }: LayerModel, at: number): Values {
    if (order.length === 0 && through !== undefined) return this.#place(this.#layer(through), at)
    const [term] = order.filter((name) => name.includes('@'))
    if (!term) return {}
    const field = term.replace(/^-/, '')
    return { [field]: nth(this.#model.types[type].fields[field], term.startsWith('-') ? 1_000_000 - at : at) }
  }

  #layer(index: number): LayerModel {
    return this.#model.layers[index]
  }
}

/** Values of a kind that stand in the order of their numbers. */
function nth(kind: Kind, n: number): unknown {
  if (kind === 'int' || kind === 'float') return n
  if (kind === 'time') return new Date(n * 1_000).toISOString().replace('Z', '000Z')
  return String(n).padStart(8, '0')
}
