import fc from 'fast-check'
import type { HelloType } from '../src/frames.js'
import type { Kind, LayerModel, Model } from '../src/model.js'

const pair = 'tuple(int,text)'
const hidden: Record<string, Kind> = { '@a': 'int', '@b': 'int', '@d': pair, '@p': 'float', '@t': 'text', '@n': 'int' }
const plain = { key: 'id', fields: { id: 'int', v: 'int', ...hidden } } as const

/** `D` and `@P` have keys of two columns; `@P`, `@Q` and `@R` stand for places, and `@L` for those of a list over `A`. */
const typeModels: Model['types'] = {
  A: plain,
  B: plain,
  C: plain,
  D: { key: '@(x,y)', fields: { '@(x,y)': pair, v: 'int', ...hidden } },
  '@P': { key: '@(x,y)', fields: { '@(x,y)': pair, v: 'int', ...hidden } },
  '@Q': { key: '@id', fields: { '@id': 'int', v: 'int', ...hidden } },
  '@R': { key: '@id', fields: { '@id': 'int', v: 'int', ...hidden } },
  '@L': plain,
}

export const types: readonly HelloType[] = Object.entries(typeModels).map(([name, { fields }]) => ({
  name,
  fields: Object.keys(fields),
}))

/** The types whose keys are of two columns. */
const twofold = new Set(['D', '@P'])

/** The name that a row goes by, whatever its type. */
export const keyNames = ['id', '@(x,y)']

interface Tree {
  readonly type: string
  readonly relation: 'belongsTo' | 'hasMany' | 'hasOne'
  readonly link: '@a' | '@b'
  readonly order: string[]
  /** The orders of the places through which it is shown, the uppermost first. */
  readonly places: readonly string[][]
  readonly members: string[]
  readonly children: readonly Tree[]
}

const order = fc.subarray(['@p', '-v', '-@t', '@n'])

/** Random trees up to four layers deep, in which types come again under themselves and others. */
function layer(below: fc.Arbitrary<readonly Tree[]>): fc.Arbitrary<Tree> {
  return fc.record({
    type: fc.constantFrom('A', 'B', 'C', 'D'),
    relation: fc.constantFrom('belongsTo', 'hasMany', 'hasMany', 'hasOne'),
    link: fc.constantFrom('@a', '@b'),
    order,
    places: fc.oneof(fc.constant([]), fc.array(fc.subarray(['@p', '-@n'], { maxLength: 1 }), { maxLength: 3 })),
    members: fc.subarray(['v']),
    children: below,
  })
}

const leaf = layer(fc.constant([]))
const twig = layer(fc.array(leaf, { maxLength: 2 }))
const branch = layer(fc.array(twig, { maxLength: 2 }))

/** What the state is: the anchor's row, a list of places, or a plain list. */
const root = fc.constantFrom('row', 'row', 'list', 'plain')

export const models: fc.Arbitrary<Model> = fc
  .tuple(root, order, fc.array(branch, { minLength: 1, maxLength: 2 }))
  .map(([kind, rootOrder, children]) => {
    const layers: LayerModel[] = []
    const top: LayerModel = { type: 'A', members: ['id', 'v'] }
    if (kind === 'row') addLayer(layers, top, children)
    else if (kind === 'plain') addLayer(layers, { ...top, relation: 'list', order: rootOrder }, children)
    else {
      layers.push({ type: '@L', relation: 'list', order: rootOrder, through: 1, members: [] })
      addLayer(layers, { ...top, relation: 'belongsTo', link: 'id' }, children)
    }
    return { root: 0, types: typeModels, layers }
  })

function addLayer(layers: LayerModel[], layer: LayerModel, below: readonly Tree[]): number {
  const index = layers.push(layer) - 1
  const members = below.map((child, i) => ({ name: `r${i}`, layer: addRelation(layers, layer.type, child) }))
  layers[index] = { ...layer, members: [...layer.members, ...members] }
  return index
}

/** Adds a relation, and the layers of places above it. */
function addRelation(layers: LayerModel[], parent: string, { relation, type, link, places, ...tree }: Tree): number {
  const order = places.at(0)
  const below = places.slice(1)
  const own = { type, order: tree.order, members: [typeModels[type].key, ...tree.members] }
  if (order === undefined) {
    return addLayer(layers, { ...own, relation, link: linkTo(relation === 'belongsTo' ? type : parent, link) }, tree.children)
  }
  const names = ['@P', '@Q', '@R'].slice(0, places.length)
  const top = layers.length
  const above = { relation, link: linkTo(relation === 'belongsTo' ? '@P' : parent, link) }
  layers.push({ type: '@P', ...above, order, through: top + 1, members: [] })
  below.forEach((order, i) => {
    layers.push({ type: names[i + 1], ...behind(names[i], names[i + 1]), order, through: top + i + 2, members: [] })
  })
  addLayer(layers, { ...own, ...behind(names[below.length], type) }, tree.children)
  return top
}

/** A link to a key of two columns is of two columns itself. */
function linkTo(target: string, link: '@a' | '@b'): string {
  return twofold.has(target) ? '@d' : link
}

/** From a place to what stands behind it: by the key of the place, as for conditions, if both have keys alike. */
function behind(place: string, target: string) {
  const alike = twofold.has(place) === twofold.has(target)
  return { relation: 'belongsTo', link: alike ? typeModels[place].key : linkTo(target, '@b') } as const
}

const key = fc.integer({ min: 1, max: 6 }).map(String)
const pairKey = fc.constantFrom('1,a', '10,b', '9,b', '-3,', '9,%2C%25', '9,\u{1f600}', '9,\ufffd')
const text = fc.constantFrom('', 'a', 'b', '\ufffd', '\u{1f600}', 'aa')
const big = fc.constantFrom('9007199254740993', '9007199254740992', '-9007199254740993', '7', '-7', '0')

const values = {
  v: key,
  '@a': fc.option(key, { freq: 4 }),
  '@b': fc.option(key, { freq: 4 }),
  '@d': fc.option(pairKey, { freq: 4 }),
  '@p': fc.option(fc.integer({ min: -2, max: 2 }).map((n) => n / 2), { freq: 6 }),
  '@t': fc.option(text, { freq: 6 }),
  '@n': fc.option(big, { freq: 6 }),
}

/** A type's place in `types`, and a key of it. */
const place = fc.nat(types.length - 1).chain((type) => fc.tuple(fc.constant(type), twofold.has(types[type].name) ? pairKey : key))
export const sets = place.chain(([type, k]) =>
  fc.record(values).map((row) => [type, [k, ...Object.values(row)]] as const),
)
const field = fc.integer({ min: 1, max: Object.keys(values).length })
const upd = fc
  .tuple(place, field)
  .chain(([[type, k], at]) => Object.values(values)[at - 1].map((value) => [type, k, at, value] as const))

export const patches = fc.record({
  set: fc.array(sets, { maxLength: 3 }),
  upd: fc.array(upd, { maxLength: 3 }),
  del: fc.array(place, { maxLength: 1 }),
})
