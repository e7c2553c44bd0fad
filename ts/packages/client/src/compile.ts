import { compareKind, compareParts, isTuple, partsOf, type Compare } from './compare.js'
import { LinkIndex } from './links.js'
import { ListIndex, type Progress } from './lists.js'
import type { LayerModel, Model } from './model.js'
import { Shape, type Member } from './shape.js'
import { Table, type OnTouch, type Row } from './table.js'

/** The empty tables of a model, wired to each other. */
export interface Compiled {
  readonly tables: ReadonlyMap<string, Table>
  readonly lists: readonly ListIndex[]
  /** The nested state as of now; undefined without the anchor's row. */
  readonly read: () => unknown
}

/** Builds the tables, shapes and indexes that a model describes. */
export function compile({ layers, root, types }: Model, anchor: string, progress: Progress, onTouch: OnTouch): Compiled {
  const tables = new Map(Object.entries(types).map(([name, type]) => [name, new Table(name, type, onTouch)]))
  const lists: ListIndex[] = []
  /** By what the objects consist of, whatever stands above them: equal layers share one shape. */
  const shapes = new Map<string, Shape>()

  const shapeOf = ({ type, members, through }: LayerModel): Shape => {
    const whole = JSON.stringify({ type, members, through }, (name, v: unknown) =>
      name === 'layer' || name === 'through' ? layers[v as number] : v,
    )
    const known = shapes.get(whole)
    if (known !== undefined) return known
    const table = tables.get(type)
    if (table === undefined) throw missing(type)
    const shape = new Shape(table)
    shapes.set(whole, shape)
    if (through !== undefined) shape.stands = linkOf(shape, layers[through])
    shape.define(
      members.map((m) => (typeof m === 'string' ? column(table, m) : { name: m.name, ...relation(shape, layers[m.layer]) })),
    )
    return shape
  }

  const linkOf = (parent: Shape, layer: LayerModel) =>
    new LinkIndex(parent, shapeOf(layer), fieldOf(parent.table, layer.link), progress)

  const listOf = (parent: Shape | undefined, { order, ...layer }: LayerModel): ListIndex => {
    const child = shapeOf(layer)
    const { table, stands } = child
    const own = orderOf(table, order)
    const theirs = stands && !order?.length && orderOf(stands.child.table, layers[layer.through ?? 0].order)
    const list = new ListIndex({
      parent,
      child,
      link: parent === undefined ? -1 : fieldOf(table, layer.link),
      places: [...own.places, ...(stands?.places ?? [])],
      compare: theirs ? byTarget(stands, theirs.compare, own.compare) : own.compare,
      progress,
    })
    // Places come, go and move with what they stand for.
    stands?.child.table.indexes.push({
      places: theirs ? theirs.places : [],
      insert: (target) => { stands.sources(target).forEach((row) => { list.insert(row) }) },
      remove: (target) => { stands.sources(target).forEach((row) => { list.remove(row) }) },
    })
    lists.push(list)
    return list
  }

  const relation = (parent: Shape, layer: LayerModel): Omit<Member, 'name'> => {
    if (layer.relation === 'belongsTo') {
      const link = linkOf(parent, layer)
      return { field: link.places[0], read: (row) => link.read(row) }
    }
    const list = listOf(parent, layer)
    return { read: layer.relation === 'hasOne' ? ({ key }) => list.read(key).at(0) ?? null : ({ key }) => list.read(key) }
  }

  const top = layers[root]
  if (top.relation === 'list') {
    const list = listOf(undefined, top)
    return { tables, lists, read: () => list.read('') }
  }
  const shape = shapeOf(top)
  shape.anchor = anchor
  return { tables, lists, read: () => shape.find(anchor) }
}

function column(table: Table, name: string): Member {
  const field = fieldOf(table, name)
  return { name, field, read: ({ values }) => values[field] }
}

/** The fields and the comparison of an order, whose ties the key breaks. */
function orderOf(table: Table, order: readonly string[] = []): { places: number[]; compare: Compare<Row> } {
  const criteria = order.map((term) => {
    const name = term.replace(/^-/, '')
    return { field: fieldOf(table, name), sign: term === name ? 1 : -1, compare: compareKind(table.type.fields[name]) }
  })
  const byKey = keyOrder(table)
  return {
    places: criteria.map(({ field }) => field),
    compare: (a, b) => {
      for (const { field, sign, compare } of criteria) {
        const result = compare(a.values[field], b.values[field])
        if (result !== 0) return result * sign
      }
      return byKey(a, b)
    },
  }
}

function keyOrder({ type }: Table): Compare<Row> {
  const kind = type.fields[type.key]
  if (!isTuple(kind)) {
    const compare = compareKind(kind)
    return (a, b) => compare(a.key, b.key)
  }
  const compare = compareParts(kind)
  return (a, b) => compare((a.parts ??= partsOf(a.key)), (b.parts ??= partsOf(b.key)))
}

/** Orders places by what they stand for, those without it last, and then by themselves. */
function byTarget(links: LinkIndex, theirs: Compare<Row>, own: Compare<Row>): Compare<Row> {
  return (a, b) => {
    const x = links.find(a)
    const y = links.find(b)
    return (x === undefined || y === undefined ? Number(x === undefined) - Number(y === undefined) : theirs(x, y)) || own(a, b)
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
