/**
 * Whether two JSON values are equal; the order of object members is not
 * compared. A member that one lacks is undefined, which no JSON value is.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((k) => deepEqual(a[k as keyof typeof a], b[k as keyof typeof b]))
  )
}
