import type { HelloType, StateFrame } from '../src/frames.js'
import type { LayerModel, Model } from '../src/model.js'

type Row = Record<string, unknown>

/**
 * The plainest reading of the protocol: rows in a map, the state built anew
 * each time, lists filtered and sorted in full. Kinds are int strings and
 * floats, of which it compares nothing but size.
 */
export class Oracle {
  private readonly rows = new Map<string, Map<string, Row>>()
  private readonly model: Model
  private readonly anchor: string
  private readonly types: readonly HelloType[]

  constructor(model: Model, anchor: string, types: readonly HelloType[]) {
    this.model = model
    this.anchor = anchor
    this.types = types
    this.clear()
  }

  receive({ snapshot, del = [], set = [], upd = [] }: StateFrame): void {
    if (snapshot === 'only') this.clear()
    for (const [type, key] of del) this.table(type).delete(String(key))
    for (const [type, values] of set) {
      const row = Object.fromEntries(this.types[type].fields.map((name, i) => [name, values[i] ?? null]))
      this.table(type).set(String(values[0]), row)
    }
    for (const [type, key, ...pairs] of upd) {
      const row = this.table(type).get(String(key))
      for (let i = 0; i < pairs.length; i += 2) if (row) row[this.types[type].fields[Number(pairs[i])]] = pairs[i + 1]
    }
  }

  state(): unknown {
    const { type } = this.model.layers[this.model.root]
    const row = this.all(type).find((r) => r.id === this.anchor)
    return row === undefined ? null : this.build(this.model.root, row)
  }

  private build(index: number, row: Row): unknown {
    const members = this.model.layers[index].members.map((m) =>
      typeof m === 'string' ? [m, row[m]] : [m.name, this.relation(m.layer, row)],
    )
    return Object.fromEntries(members) as unknown
  }

  private relation(index: number, parent: Row): unknown {
    const layer = this.model.layers[index]
    const link = layer.link ?? ''
    if (layer.relation === 'belongsTo') {
      const target = this.all(layer.type).find((r) => r.id === parent[link])
      return target === undefined ? null : this.build(index, target)
    }
    const rows = this.all(layer.type).filter((r) => r[link] === parent.id)
    const built = rows.sort((a, b) => compare(layer, a, b)).map((r) => this.build(index, r))
    return layer.relation === 'hasMany' ? built : (built.at(0) ?? null)
  }

  private all(type: string): Row[] {
    return [...(this.rows.get(type)?.values() ?? [])]
  }

  private table(type: number): Map<string, Row> {
    const rows = this.rows.get(this.types[type].name)
    if (rows === undefined) throw new Error('no such type')
    return rows
  }

  private clear(): void {
    for (const { name } of this.types) this.rows.set(name, new Map())
  }
}

function compare(layer: LayerModel, a: Row, b: Row): number {
  for (const term of layer.order ?? []) {
    const name = term.replace('-', '')
    const size = rank(a[name]) - rank(b[name])
    if (size !== 0) return term.startsWith('-') ? -size : size
  }
  return rank(a.id) - rank(b.id)
}

function rank(value: unknown): number {
  return value === null ? -1e9 : Number(value)
}
