import { compareKind, isTuple, partsOf, type Compare, type Value } from './compare.js'
import { LinkIndex } from './links.js'
import { ListIndex } from './lists.js'
import type { LayerModel, Model } from './model.js'
import { Shape, type Member } from './shape.js'
import { Table, type Host, type Row } from './table.js'

/** The empty tables of a model, wired to each other. */
export interface Compiled {
  readonly tables: ReadonlyMap<string, Table>
  readonly lists: readonly ListIndex[]
  /** The nested state as of now; undefined without the anchor's row. */
  readonly read: () => unknown
}

/** Builds the tables, shapes and indexes that a model describes. */
export function compile({ layers, root, types }: Model, anchor: string, host: Host): Compiled {
  const tables = new Map<string, Table>()
  const lists: ListIndex[] = []
  /** By what the objects consist of, whatever stands above them: equal layers share one shape. */
  const shapes = new Map<string, Shape>()

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
    if (through !== undefined) shape.stands = linkOf(shape, layers[through])
    shape.members = members.map((m) =>
      typeof m === 'string' ? column(table, m) : { name: m.name, read: relation(shape, layers[m.layer]) },
    )
    return shape
  }

  const linkOf = (parent: Shape, layer: LayerModel) =>
    new LinkIndex(parent, shapeOf(layer), fieldOf(parent.table, layer.link))

  /** What decides where rows stand, the first criteria first; the last step is that of the rows themselves. */
  const stepsOf = ({ order = [], through = 0 }: LayerModel, shape: Shape, find: Find, sources: Sources): Step[] => {
    const { table, stands } = shape
    const own = find ? criteriaOf(table, order, find) : []
    const step = { table, own, sources, places: [...own.map(({ field }) => field), ...(stands?.places ?? [])] }
    if (!stands) return [step]
    const onward: Find = find && order.length === 0 ? (row) => stands.find(find(row)) : undefined
    return [...stepsOf(layers[through], stands.child, onward, (row) => stands.sources(row).flatMap(sources)), step]
  }

  const listOf = (parent: Shape | undefined, layer: LayerModel): ListIndex => {
    const child = shapeOf(layer)
    const steps = stepsOf(layer, child, (row) => row, (row) => [row])
    const list = new ListIndex({
      parent,
      child,
      link: parent ? fieldOf(child.table, layer.link) : -1,
      places: steps.at(-1)?.places ?? [],
      compare: byAll(steps.flatMap(({ own }) => own)),
    })
    // Places come, go and move with what they stand for.
    for (const { table, places, sources } of steps.slice(0, -1)) {
      table.indexes.push({
        places,
        insert: (target) => {
          for (const row of sources(target)) list.insert(row)
        },
        remove: (target) => {
          for (const row of sources(target)) list.remove(row)
        },
      })
    }
    lists.push(list)
    return list
  }

  const relation = (parent: Shape, layer: LayerModel): Member['read'] => {
    if (layer.relation === 'belongsTo') {
      const link = linkOf(parent, layer)
      return (row) => link.read(row)
    }
    const list = listOf(parent, layer)
    return layer.relation === 'hasOne' ? ({ key }) => list.read(key).at(0) ?? null : ({ key }) => list.read(key)
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

/** How a list's row leads to the one that is compared; undefined where none is. */
type Find = ((row: Row | undefined) => Row | undefined) | undefined

/** The rows of a list that a row decides about. */
type Sources = (row: Row) => readonly Row[]

/** Rows that decide where those of a list stand. */
interface Step {
  readonly table: Table
  readonly own: readonly Criterion[]
  /** The fields that decide. */
  readonly places: readonly number[]
  readonly sources: Sources
}

interface Criterion {
  readonly field: number
  readonly read: (row: Row) => Value
  readonly compare: Compare<Value>
}

/** What an order compares, of each row or of the row that stands for it; the key breaks ties. */
function criteriaOf(table: Table, order: readonly string[], find: NonNullable<Find>): Criterion[] {
  const { fields, key } = table.type
  return [...order, key].map((term) => {
    const name = term.replace(/^-/, '')
    const field = fieldOf(table, name)
    const compare = compareKind(fields[name])
    return {
      field,
      // Of several columns together there is nothing but keys.
      read: isTuple(fields[name]) ? (row) => partsIn(find(row)) : (row) => find(row)?.values[field] ?? null,
      compare: term === name ? compare : (a, b) => compare(b, a),
    }
  })
}

function partsIn(row: Row | undefined): Value {
  return row ? (row.parts ??= partsOf(row.key)) : null
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

function fieldOf(table: Table, name = ''): number {
  const field = table.fields.indexOf(name)
  if (field < 0) throw new TypeError(`the state model lacks ${table.name}.${name}`)
  return field
}
