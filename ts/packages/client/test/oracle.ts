import type { HelloType, StateFrame } from '../src/frames.js'
import type { Kind, LayerModel, Model } from '../src/model.js'

type Values = Record<string, unknown>

interface Row {
  readonly key: string
  readonly values: Values
  readonly scopes: Set<number>
}

/** What a row that has not arrived is ordered by. */
const missing: Row = { key: '', values: {}, scopes: new Set() }

/**
 * The plainest reading of the protocol: rows in a map, the state built anew
 * each time, lists filtered and sorted in full.
 */
export class Oracle {
  /** Whether the first snapshot is still arriving, and stubs stand for what is missing. */
  partial = false
  private readonly rows = new Map<string, Map<string, Row>>()
  private readonly model: Model
  private readonly anchor: string
  private readonly types: readonly HelloType[]

  constructor(model: Model, anchor: string, types: readonly HelloType[]) {
    this.model = model
    this.anchor = anchor
    this.types = types
    for (const { name } of types) this.rows.set(name, new Map())
  }

  receive(scope: number, { snapshot, del = [], set = [], upd = [] }: StateFrame): void {
    if (snapshot === 'only' || snapshot === 'first') {
      for (const [type, rows] of this.rows) for (const key of rows.keys()) this.drop(type, key, scope)
    }
    for (const [type, key] of del) this.drop(this.types[type].name, String(key), scope)
    for (const [type, given] of set) {
      const { name, fields } = this.types[type]
      const values = Object.fromEntries(fields.map((field, i) => [field, given[i] ?? null]))
      const key = values[this.model.types[name].key] as string
      const scopes = this.rows.get(name)?.get(key)?.scopes ?? new Set()
      this.rows.get(name)?.set(key, { key, values, scopes: scopes.add(scope) })
    }
    for (const [type, key, ...pairs] of upd) {
      const { name, fields } = this.types[type]
      const row = this.rows.get(name)?.get(String(key))
      for (let i = 0; i < pairs.length; i += 2) if (row) row.values[fields[Number(pairs[i])]] = pairs[i + 1]
    }
  }

  state(): unknown {
    const { layers, root } = this.model
    if (layers[root].relation === 'list') return this.list(layers[root], this.all(layers[root].type))
    const row = this.rows.get(layers[root].type)?.get(this.anchor)
    return row === undefined ? null : this.build(layers[root], row)
  }

  private drop(type: string, key: string, scope: number): void {
    const rows = this.rows.get(type)
    rows?.get(key)?.scopes.delete(scope)
    if (rows?.get(key)?.scopes.size === 0) rows.delete(key)
  }

  private build(layer: LayerModel, row: Row): unknown {
    const members = layer.members.map((m) =>
      typeof m === 'string' ? [m, row.values[m]] : [m.name, this.relation(this.model.layers[m.layer], row)],
    )
    return Object.fromEntries(members) as unknown
  }

  private relation(layer: LayerModel, parent: Row): unknown {
    const { relation, link = '' } = layer
    if (relation === 'belongsTo') return this.target(layer, parent)
    const shown = this.list(layer, this.all(layer.type).filter((r) => r.values[link] === parent.key))
    return relation === 'hasMany' ? shown : (shown.at(0) ?? null)
  }

  /** What a belongs-to layer shows below a row. */
  private target(layer: LayerModel, parent: Row): unknown {
    const row = this.found(layer, parent)
    if (row !== undefined) return this.shown(layer, row)
    const key = parent.values[layer.link ?? '']
    return this.partial && key !== null ? this.stub(layer, key) : null
  }

  private found({ type, link = '' }: LayerModel, { values }: Row): Row | undefined {
    return this.rows.get(type)?.get(String(values[link]))
  }

  /** What a layer shows for one of its rows. */
  private shown(layer: LayerModel, row: Row): unknown {
    return layer.through === undefined ? this.build(layer, row) : this.target(this.model.layers[layer.through], row)
  }

  private stub({ type, through = 0 }: LayerModel, key: unknown): unknown {
    const name = this.model.types[type].key
    if (through > 0 && this.model.layers[through].link === name) return this.stub(this.model.layers[through], key)
    return name.startsWith('@') ? { _loaded: false } : { [name]: key, _loaded: false }
  }

  private list(layer: LayerModel, rows: readonly Row[]): unknown[] {
    const compare = this.placed(layer)
    return rows
      .filter((row) => this.shown(layer, row) !== null)
      .toSorted(compare)
      .map((row) => this.shown(layer, row))
  }

  /** The order of a layer's rows: without an order of their own, that of the rows through which they are shown. */
  private placed(layer: LayerModel): (a: Row, b: Row) => number {
    const { order = [], through = 0 } = layer
    const own = this.order(layer)
    if (order.length > 0 || through === 0) return own
    const next = this.model.layers[through]
    const theirs = this.placed(next)
    return (a, b) => theirs(this.found(next, a) ?? missing, this.found(next, b) ?? missing) || own(a, b)
  }

  private order({ type, order = [] }: LayerModel): (a: Row, b: Row) => number {
    const { key, fields } = this.model.types[type]
    return (a, b) => {
      for (const term of [...order, key]) {
        const name = term.replace('-', '')
        const size = compareValues(fields[name], a.values[name] ?? null, b.values[name] ?? null)
        if (size !== 0) return term.startsWith('-') ? -size : size
      }
      return 0
    }
  }

  private all(type: string): Row[] {
    return [...(this.rows.get(type)?.values() ?? [])]
  }
}

/** The order of two values of a kind, as the protocol says it. */
export function compareValues(kind: Kind, a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null)
  switch (kind) {
    case 'bool':
    case 'float':
      return Number(a) - Number(b)
    case 'int':
      return Number(integer(a) > integer(b)) - Number(integer(a) < integer(b))
    case 'bytes':
      return Buffer.compare(Buffer.from(a as string, 'base64'), Buffer.from(b as string, 'base64'))
    case 'text':
    case 'uuid':
    case 'time':
    case 'json':
      return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string))
    default:
      return compareTuples(kind, a as string, b as string)
  }
}

/** Temporary keys come after all others, in the order of their making. */
function integer(value: unknown): bigint {
  const text = String(value)
  return text.startsWith('tmp:') ? 10n ** 30n + BigInt(text.slice(4)) : BigInt(text)
}

function compareTuples(kind: string, a: string, b: string): number {
  const kinds = /\((.*)\)/.exec(kind)?.[1].split(',') ?? []
  const [x, y] = [a, b].map((tuple) => tuple.split(',').map(decodeURIComponent))
  return kinds.reduce((result, part, i) => result || compareValues(part as Kind, x[i], y[i]), 0)
}
