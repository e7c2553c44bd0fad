import { compareKind, type Compare, type Value } from './compare.js'
import type { BindingSpec, BoundRow } from './stream-types.js'

/** The order that a binding's rows are shown in; the key breaks ties. */
export function rowOrder({ orderBy = [], kinds = {} }: BindingSpec): Compare<BoundRow> {
  const rules = [...orderBy, 'pk'].map((term) => {
    const name = term.replace(/^-/, '')
    const compare = Object.hasOwn(kinds, name) ? compareKind(kinds[name]) : compareJSON
    const read = ({ pk, data }: BoundRow): Value =>
      name === 'pk' ? pk : ((data as Readonly<Record<string, Value>> | null)?.[name] ?? null)
    return (a: BoundRow, b: BoundRow) => (name === term ? compare(read(a), read(b)) : compare(read(b), read(a)))
  })
  return (a, b) => {
    for (const rule of rules) {
      const sign = rule(a, b)
      if (sign !== 0) return sign
    }
    return 0
  }
}

/**
 * Values of one column, whose kind is not known, by what they are in JSON: numbers
 * come before texts, as keys do that are too large for a number.
 */
function compareJSON(a: Value, b: Value): number {
  const type = typeof (a ?? b)
  const other = typeof (b ?? a)
  return type === other ? (comparers[type] ?? compareText)(a, b) : compareText(type, other)
}

const compareText = compareKind('text')

const comparers: Readonly<Partial<Record<string, Compare<Value>>>> = { number: compareKind('float'), boolean: compareKind('bool') }
