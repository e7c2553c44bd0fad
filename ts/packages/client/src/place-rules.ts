import type { Compare } from './compare.js'
import type { CriteriaOf, Criterion, Find, PlaceRules } from './compile.js'
import type { ColumnKind, LayerModel, Model } from './model.js'
import type { Shape } from './shape.js'
import type { Row, Table } from './table.js'

/** Rows that decide where those of a list stand. */
interface Step {
  readonly table: Table
  readonly own: readonly Criterion[]
  /** The fields that decide. */
  readonly places: readonly number[]
  /** The rows of the list that a row decides about. */
  readonly sources: (row: Row) => readonly Row[]
}

/** How rows that stand for others are ordered and shown. */
export const placeRules: PlaceRules = {
  stand(shape, link) {
    const { type, fields } = shape.table
    shape.stands = link
    shape.make = (row) => link.read(row)
    shape.leads = (row) => link.leads(row)
    // Rows that stand for one of the same key are its places.
    if (fields[link.places[0]] === type.key) shape.stub = (key) => link.child.stub(key)
  },

  order(layer, layers, shape, criteriaOf) {
    const steps = stepsOf({ layers, criteriaOf }, layer, shape, (row) => row, (row) => [row])
    return {
      criteria: steps.flatMap((step) => step.own),
      places: steps.at(-1)?.places ?? [],
      // Places come, go and move with what they stand for.
      follow: (list) => {
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
      },
    }
  },

  tuple(field, kind, find, compareKind) {
    const kinds = kind.slice(6, -1).split(',') as ColumnKind[]
    // The texts of booleans compare as booleans do.
    const compares = kinds.map((part) => compareKind(part === 'bool' ? 'text' : part))
    return {
      field,
      read: (row) => partsIn(find(row)),
      compare: (a, b) => compareParts(compares, a as Parts | null, b as Parts | null),
    }
  },
}

/** What decides where rows stand, the first criteria first; the last step is that of the rows themselves. */
function stepsOf(
  known: { readonly layers: Model['layers']; readonly criteriaOf: CriteriaOf },
  { order, through = 0 }: LayerModel,
  shape: Shape,
  find: Find | undefined,
  sources: Step['sources'],
): Step[] {
  const { table, stands } = shape
  const own = find ? known.criteriaOf(table, order, find) : []
  const step = { table, own, sources, places: [...own.map(({ field }) => field), ...(stands?.places ?? [])] }
  if (!stands) return [step]
  const onward: Find | undefined = find && !order?.length ? (row) => stands.find(find(row)) : undefined
  const above = (row: Row) => stands.sources(row).flatMap(sources)
  return [...stepsOf(known, known.layers[through], stands.child, onward, above), step]
}

type Parts = readonly string[]

function partsIn(row: Row | undefined): Parts | null {
  return row ? (row.parts ??= partsOf(row.key)) : null
}

/** The texts of a tuple's parts. */
export function partsOf(tuple: string): Parts {
  return tuple.split(',').map((part) => part.replaceAll('%2C', ',').replaceAll('%25', '%'))
}

/** Nothing comes first; then the first parts decide, then the next. */
function compareParts(compares: readonly Compare<string>[], a: Parts | null, b: Parts | null): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null)
  for (const [i, compare] of compares.entries()) {
    const result = compare(a[i], b[i])
    if (result !== 0) return result
  }
  return 0
}
