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
    if (a === null || b === null) return a === null ? -1 : 1
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
  return Number(a) - Number(b) || Number(digits(a) - digits(b))
}

function digits(value: Value): bigint {
  return BigInt(String(value).replace('tmp:', '99999999999999999999'))
}

/**
 * JavaScript compares UTF-16 units, whose order differs from that of UTF-8
 * only between surrogates and U+E000 to U+FFFF.
 */
function compareText(a: Value, b: Value): number {
  const x = String(a)
  const y = String(b)
  const end = Math.min(x.length, y.length)
  for (let i = 0; i < end; i++) {
    const u = x.charCodeAt(i)
    const w = y.charCodeAt(i)
    if (u !== w) return codePointRank(u) - codePointRank(w)
  }
  return x.length - y.length
}

function codePointRank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x10000 : unit
}
