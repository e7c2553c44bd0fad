// What closed sets of values give a page; compiled only.
import { JobChannel, type JobChannelActions, type JobChannelRuntime } from './enums.channels.js'
import type { Job, Priority, Status } from './enums.interfaces.js'

/** A switch over all values needs no default. */
export function word(status: Status): string {
  switch (status) {
    case 'waiting':
      return 'waits'
    case 'running':
      return 'runs'
    case 'ended':
      return 'is over'
  }
}

// @ts-expect-error: there is no such value
export const missing: Priority = 2
export const never: Priority = 3
export const count = (runtime: JobChannelRuntime): number => runtime.counts?.ended ?? 0
export const day = (job: Job): boolean => job.day === 0

export async function set(actions: JobChannelActions) {
  const { set } = actions
  await set('waiting', -1, ['danish'], 1e9)
  // @ts-expect-error: no language of the list
  await set('waiting', null, ['latin'], 0)
}

export const job = JobChannel.with({ id: 1n })
