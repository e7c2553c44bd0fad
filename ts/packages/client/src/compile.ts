import { compareKind, type Compare } from './compare.js'
import { LinkIndex } from './links.js'
import { ListIndex } from './lists.js'
import type { LayerModel, Model, TypeModel } from './model.js'
import { Shape, type Member } from './shape.js'
import { Table, type OnTouch, type Row } from './table.js'

/** The empty tables of a model, wired to each other, and the shape of its root. */
export interface Compiled {
  readonly tables: ReadonlyMap<string, Table>
  readonly root: Shape
}

/** Builds the tables, shapes and indexes that a model describes. */
export function compile(model: Model, onTouch: OnTouch): Compiled {
  const tables = new Map<string, Table>()
  for (const [name, type] of Object.entries(model.types)) tables.set(name, newTable(name, type, onTouch))
  return { tables, root: new Compiler(model, tables).shape(model.root) }
}

function newTable(name: string, type: TypeModel, onTouch: OnTouch): Table {
  const fields = Object.keys(type.fields)
  const key = fields.indexOf(type.key)
  return new Table(name, fields, key, byField(key, compareKind(type.fields[type.key])), onTouch)
}

function byField(field: number, compare: Compare<unknown>): Compare<Row> {
  return (a, b) => compare(a.values[field], b.values[field])
}

class Compiler {
  readonly #model: Model
  readonly #tables: ReadonlyMap<string, Table>
  /** By signature: equal layers share one shape. */
  readonly #shapes = new Map<string, Shape>()

  constructor(model: Model, tables: ReadonlyMap<string, Table>) {
    this.#model = model
    this.#tables = tables
  }

  shape(index: number): Shape {
    const signature = this.#signature(index)
    const known = this.#shapes.get(signature)
    if (known !== undefined) return known
    const layer = this.#model.layers[index]
    const shape = new Shape(this.#table(layer.type))
    this.#shapes.set(signature, shape)
    shape.define(layer.members.map((m) => this.#member(shape, m)))
    return shape
  }

  /** What the objects of a layer consist of, whatever stands above it. */
  #signature(index: number): string {
    const { type, members } = this.#model.layers[index]
    return JSON.stringify([
      type,
      members.map((m) => {
        if (typeof m === 'string') return m
        const { relation, link, order } = this.#model.layers[m.layer]
        return [m.name, relation, link, order, this.#signature(m.layer)]
      }),
    ])
  }

  #member(parent: Shape, member: LayerModel['members'][number]): Member {
    if (typeof member === 'string') return { from: 'field', name: member, field: fieldOf(parent.table, member) }
    const { name } = member
    const layer = this.#model.layers[member.layer]
    const child = this.shape(member.layer)
    if (layer.relation === 'belongsTo') return { from: 'link', name, link: link(parent, child, layer), shape: child }
    return { from: layer.relation === 'hasOne' ? 'first' : 'list', name, index: this.#list(parent, child, layer) }
  }

  /** The list index of the child shape; parents that show equal lists share it. */
  #list(parent: Shape, child: Shape, layer: LayerModel): ListIndex {
    const field = fieldOf(child.table, layer.link)
    const order = JSON.stringify(layer.order ?? [])
    let index = child.lists.find((known) => known.link === field && known.order === order)
    if (index === undefined) {
      index = new ListIndex(child, field, order, ...this.#order(child.table, layer))
      child.lists.push(index)
      child.table.lists.push(index)
    }
    if (!index.parents.includes(parent)) index.parents.push(parent)
    if (!parent.table.owned.includes(index)) parent.table.owned.push(index)
    return index
  }

  /** The fields that a layer is ordered by, and the comparison itself. */
  #order(table: Table, layer: LayerModel): [number[], Compare<Row>] {
    const { fields } = this.#model.types[layer.type]
    const criteria = (layer.order ?? []).map((term) => {
      const descending = term.startsWith('-')
      const name = descending ? term.slice(1) : term
      const field = fieldOf(table, name)
      return { field, sign: descending ? -1 : 1, compare: byField(field, compareKind(fields[name])) }
    })
    const compare: Compare<Row> = (a, b) => {
      for (const criterion of criteria) {
        const result = criterion.compare(a, b)
        if (result !== 0) return result * criterion.sign
      }
      return table.compareKeys(a, b)
    }
    return [criteria.map((c) => c.field), compare]
  }

  #table(name: string): Table {
    const table = this.#tables.get(name)
    if (table === undefined) throw missing(name)
    return table
  }
}

/** The parent's link field, indexed backwards towards the child's table. */
function link(parent: Shape, child: Shape, layer: LayerModel): number {
  const field = fieldOf(parent.table, layer.link)
  let index = parent.table.links.find((known) => known.link === field && known.target === child.table)
  if (index === undefined) {
    index = new LinkIndex(field, child.table)
    parent.table.links.push(index)
    child.table.backlinks.push(index)
  }
  index.edges.push({ parent, child })
  if (!child.links.includes(index)) child.links.push(index)
  return field
}

function fieldOf(table: Table, name = ''): number {
  const field = table.fields.indexOf(name)
  if (field < 0) throw missing(`${table.name}.${name}`)
  return field
}

function missing(what: string): TypeError {
  return new TypeError(`the state model lacks ${what}: generate the channels anew`)
}
