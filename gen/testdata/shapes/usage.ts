// What may be missing in values, as a page meets it; compiled only.
import type { Embeds, Folder, Many, Nothing, PageOfPart } from './shapes.interfaces.js'

/** Members that are left out are never null. */
export const sum = (n: Nothing): number => (n.pointer ?? 0) + (n.pointer_empty ?? 0) + (n.slice_empty ?? []).length

// @ts-expect-error: it is never null
export const empty: Nothing['slice_empty'] = null
// @ts-expect-error: what a nil pointer leads to may be missing
export const other = (e: Embeds): boolean => e.other

export const depth = (f: Folder): number => Math.max(0, ...Object.values(f).map((sub) => (sub ? depth(sub) + 1 : 0)))
export const second = (m: Many): number => m.pair[1] + m.octets[3]
// @ts-expect-error: there are two
export const third = (m: Many): number => m.pair[2]
export const first = (page: PageOfPart): number | undefined => page.items?.[0]?.weight
