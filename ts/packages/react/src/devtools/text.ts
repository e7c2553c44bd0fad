import type { FrameView, Inspection } from '@pando-sync/client/devtools'

/** How the client is, in a few words. */
export function sentence({ connection, streams, writes }: Inspection): string {
  const parts = [connection, count(streams.length, 'stream')]
  if (writes.length > 0) parts.push(`${count(writes.length, 'request')} under way`)
  return parts.join(' · ')
}

/** A number of things. */
export function count(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? '' : 's'}`
}

/** The time of day, with milliseconds. */
export function clock(at: number): string {
  const date = new Date(at)
  const [h, m, s] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${h}:${m}:${s}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** A frame's text over several lines, if it is JSON; one that was cut is not. */
export function pretty({ text }: FrameView): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return text
  }
}

/** Rows by type, as in `Card 12, List 3`. */
export function rows(instances: Readonly<Record<string, number>>): string {
  return Object.entries(instances)
    .map(([type, n]) => `${type} ${n}`)
    .join(', ')
}
