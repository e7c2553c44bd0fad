/** What the test reads: how often React committed something of each part, and how often each list of ids was another one. */
export interface Counts {
  commits: Record<string, number>
  ids: Record<string, number>
}

export const counts: Counts = { commits: {}, ids: {} }

export function commits(id: string): void {
  counts.commits[id] = (counts.commits[id] ?? 0) + 1
}

export function listed(id: string): void {
  counts.ids[id] = (counts.ids[id] ?? 0) + 1
}

Object.assign(globalThis, { counts })
