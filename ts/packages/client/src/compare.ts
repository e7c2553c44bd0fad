import type { Kind } from './model.js'

/** A value as it came in a frame. */
export type Value = unknown

/** Negative when `a` comes first, positive when `b` does, 0 when they are equal. */
export type Compare<T> = (a: T, b: T) => number

/**
 * The order of a column's values as the server compares them: null first,
 * false before true, numbers by size, all else by the bytes of its UTF-8.
 */
export function compareKind(kind: Kind): Compare<Value> {
  const compare = comparers[kind] ?? compareText
  return (a, b) => {
    if (a === b) return 0
    if (a === null) return -1
    if (b === null) return 1
    return compare(a, b)
  }
}

/** Texts, UUIDs and times compare as texts; JSON columns are no order. */
const comparers: Readonly<Partial<Record<Kind, Compare<Value>>>> = {
  bool: compareNumbers,
  int: compareInts,
  float: compareNumbers,
  bytes: (a, b) => compareText(atob(String(a)), atob(String(b))),
}

function compareNumbers(a: Value, b: Value): number {
  return Number(a) - Number(b)
}

/**
 * Integers are numbers, or strings of digits, which differ in ways that
 * doubles do not. Temporary keys, `tmp:N`, come after all others.
 */
function compareInts(a: Value, b: Value): number {
  return compareNumbers(a, b) || Number(digits(a) - digits(b))
}

function digits(value: Value): bigint {
  return BigInt(String(value).replace('tmp:', String(1e20)))
}

/** The order of code points is that of UTF-8; JavaScript compares UTF-16 units. */
function compareText(a: Value, b: Value): number {
  const x = String(a)
  const y = String(b)
  for (let i = 0; i < x.length && i < y.length; i++) {
    if (x.charCodeAt(i) !== y.charCodeAt(i)) return Number(x.codePointAt(i)) - Number(y.codePointAt(i))
  }
  return x.length - y.length
}
