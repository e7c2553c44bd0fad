import { compareKind, type Compare } from './compare.js'
import { LinkIndex } from './links.js'
import { ListIndex } from './lists.js'
import type { LayerModel, Model } from './model.js'
import { Shape, type Member } from './shape.js'
import { keyOf, Table, type OnTouch, type Row } from './table.js'

/** The empty tables of a model, wired to each other, and the shape of its root. */
export interface Compiled {
  readonly tables: ReadonlyMap<string, Table>
  readonly root: Shape
}

/** Builds the tables, shapes and indexes that a model describes. */
export function compile({ layers, root, types }: Model, onTouch: OnTouch): Compiled {
  const tables = new Map(Object.entries(types).map(([name, type]) => [name, new Table(name, type, onTouch)]))
  /** By what the objects consist of, whatever stands above them: equal layers share one shape. */
  const shapes = new Map<string, Shape>()

  const shapeOf = ({ type, members }: LayerModel): Shape => {
    const whole = JSON.stringify([type, members], (name, v: unknown) => (name === 'layer' ? layers[v as number] : v))
    const known = shapes.get(whole)
    if (known !== undefined) return known
    const table = tables.get(type)
    if (table === undefined) throw missing(type)
    const shape = new Shape(table)
    shapes.set(whole, shape)
    shape.define(
      members.map((m) =>
        typeof m === 'string' ? column(table, m) : { name: m.name, ...relation(shape, layers[m.layer], shapeOf(layers[m.layer])) },
      ),
    )
    return shape
  }
  return { tables, root: shapeOf(layers[root]) }
}

function column(table: Table, name: string): Member {
  const field = fieldOf(table, name)
  return { name, field, read: ({ values }) => values[field] }
}

function relation(parent: Shape, layer: LayerModel, child: Shape): Omit<Member, 'name'> {
  if (layer.relation === 'belongsTo') {
    const field = fieldOf(parent.table, layer.link)
    new LinkIndex(parent, child, field)
    return { field, read: ({ values }) => child.find(keyOf(values[field])) ?? null }
  }
  const { table } = child
  const order = (layer.order ?? []).map((term) => criterion(table, term))
  const places = [fieldOf(table, layer.link), ...order.map(({ field }) => field)] as const
  const index = new ListIndex(parent, child, places, byAll([...order, criterion(table, table.type.key)]))
  return { read: layer.relation === 'hasOne' ? (row) => index.first(row) : (row) => index.read(row) }
}

interface Criterion {
  readonly field: number
  readonly sign: number
  readonly compare: Compare<unknown>
}

function criterion(table: Table, term: string): Criterion {
  const name = term.replace(/^-/, '')
  return { field: fieldOf(table, name), sign: term === name ? 1 : -1, compare: compareKind(table.type.fields[name]) }
}

function byAll(criteria: readonly Criterion[]): Compare<Row> {
  return (a, b) => {
    for (const { field, sign, compare } of criteria) {
      const result = compare(a.values[field], b.values[field])
      if (result !== 0) return result * sign
    }
    return 0
  }
}

function fieldOf(table: Table, name = ''): number {
  const field = table.fields.indexOf(name)
  if (field < 0) throw missing(`${table.name}.${name}`)
  return field
}

function missing(what: string): TypeError {
  return new TypeError(`the state model lacks ${what}: generate the channels anew`)
}
