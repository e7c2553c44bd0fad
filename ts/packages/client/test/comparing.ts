import { compareKind, type Compare } from '../src/compare.js'
import type { Kind } from '../src/model.js'
import { placeRules } from '../src/place-rules.js'
import type { Row } from '../src/table.js'

/** Compares values of the wire as a list's order does, keys of several columns too. */
export function comparing(kind: Kind): Compare<unknown> {
  if (!kind.startsWith('tuple')) return compareKind(kind)
  const { read, compare } = placeRules.tuple(0, kind, (row) => row, compareKind)
  // Only a row that is missing compares as nothing.
  const rowOf = (key: unknown) => (key === null ? undefined : { key }) as Row
  return (a, b) => compare(read(rowOf(a)), read(rowOf(b)))
}
