import { compareKind, type Compare, type Value } from './compare.js'
import { LinkIndex } from './links.js'
import { ListIndex } from './lists.js'
import type { LayerModel, Model, Places } from './model.js'
import { Shape, type Member } from './shape.js'
import { Table, type Host, type Row } from './table.js'

/** The empty tables of a model, wired to each other. */
export interface Compiled {
  readonly tables: ReadonlyMap<string, Table>
  readonly lists: readonly ListIndex[]
  /** The nested state as of now; undefined without the anchor's row. */
  readonly read: () => unknown
}

/** How rows that stand for others are ordered and shown: what `Places` hides. */
export interface PlaceRules {
  /** Shows in the place of the shape's rows what the link shows. */
  stand(shape: Shape, link: LinkIndex): void
  /** Finds what orders a layer with `through`, and makes the list that is passed on follow it. */
  order(layer: LayerModel, layers: Model['layers'], shape: Shape, criteriaOf: CriteriaOf): Ordering
  /** The criterion of a key of several columns. */
  tuple(field: number, kind: string, find: Find, compare: typeof compareKind): Criterion
}

/** What decides where the rows of a list stand. */
export interface Ordering {
  readonly criteria: readonly Criterion[]
  /** The fields of the list's own rows that decide. */
  readonly places: readonly number[]
  /** Makes the list follow other rows that decide. */
  readonly follow?: (list: ListIndex) => void
}

/** How a list's row leads to the one that is compared. */
export type Find = (row: Row | undefined) => Row | undefined

/** One thing that a list is sorted by. */
export interface Criterion {
  readonly field: number
  readonly read: (row: Row) => Value
  readonly compare: Compare<Value>
}

/** What an order compares, of each row or of the row that it leads to; the key breaks ties. */
export type CriteriaOf = (table: Table, order: readonly string[] | undefined, find: Find) => Criterion[]

/** Builds the tables, shapes and indexes that a model describes. */
export function compile({ layers, root, types }: Model, anchor: string, host: Host, places?: Places): Compiled {
  const tables = new Map<string, Table>()
  const lists: ListIndex[] = []
  /** By what the objects consist of, whatever stands above them: equal layers share one shape. */
  const shapes = new Map<string, Shape>()

  const rules = (): PlaceRules => {
    if (!places) throw new TypeError('the model needs places: run makefrontend')
    return places as PlaceRules
  }

  const tableOf = (name: string): Table => {
    const table = tables.get(name) ?? new Table(name, types[name], host)
    tables.set(name, table)
    return table
  }

  const shapeOf = ({ type, members, through }: LayerModel): Shape => {
    const whole = JSON.stringify({ type, members, through }, (name, v: unknown) =>
      name === 'layer' || name === 'through' ? layers[v as number] : v,
    )
    const known = shapes.get(whole)
    if (known) return known
    const table = tableOf(type)
    const shape = new Shape(table)
    shapes.set(whole, shape)
    if (through !== undefined) rules().stand(shape, linkOf(shape, layers[through]))
    shape.members = members.map((m) =>
      typeof m === 'string' ? column(table, m) : { name: m.name, read: relation(shape, layers[m.layer]) },
    )
    return shape
  }

  const linkOf = (parent: Shape, layer: LayerModel) =>
    new LinkIndex(parent, shapeOf(layer), fieldOf(parent.table, layer.link))

  const criteriaOf: CriteriaOf = ({ type, fields }, order = [], find) =>
    [...order, type.key].map((term) => {
      const name = term.replace(/^-/, '')
      const field = fields.indexOf(name)
      const kind = type.fields[name]
      if (kind.startsWith('tuple')) return rules().tuple(field, kind, find, compareKind)
      const compare = compareKind(kind)
      return {
        field,
        read: (row) => find(row)?.values[field] ?? null,
        compare: term === name ? compare : (a, b) => compare(b, a),
      }
    })

  const orderOf = (layer: LayerModel, child: Shape): Ordering => {
    if (layer.through !== undefined) return rules().order(layer, layers, child, criteriaOf)
    const criteria = criteriaOf(child.table, layer.order, (row) => row)
    return { criteria, places: criteria.map(({ field }) => field) }
  }

  const listOf = (parent: Shape | undefined, layer: LayerModel): ListIndex => {
    const child = shapeOf(layer)
    const { criteria, places, follow } = orderOf(layer, child)
    const link = parent ? fieldOf(child.table, layer.link) : -1
    const list = new ListIndex({ parent, child, link, places, compare: byAll(criteria) })
    follow?.(list)
    lists.push(list)
    return list
  }

  const relation = (parent: Shape, layer: LayerModel): Member['read'] => {
    if (layer.relation === 'belongsTo') {
      const link = linkOf(parent, layer)
      return (row) => link.read(row)
    }
    const list = listOf(parent, layer)
    return layer.relation === 'hasOne' ? ({ key }) => list.read(key)[0] ?? null : ({ key }) => list.read(key)
  }

  const top = layers[root]
  if (top.relation === 'list') {
    const list = listOf(undefined, top)
    return { tables, lists, read: () => list.read('') }
  }
  const shape = shapeOf(top)
  shape.anchor = anchor
  const read = () => {
    const row = shape.table.rows.get(anchor)
    return row && shape.build(row)
  }
  return { tables, lists, read }
}

function column(table: Table, name: string): Member {
  const field = fieldOf(table, name)
  return { name, read: ({ values }) => values[field] }
}

function byAll(criteria: readonly Criterion[]): Compare<Row> {
  return (a, b) => {
    for (const { read, compare } of criteria) {
      const result = compare(read(a), read(b))
      if (result !== 0) return result
    }
    return 0
  }
}

function fieldOf({ fields }: Table, name = ''): number {
  return fields.indexOf(name)
}
