import type { Snapshot } from '@pando-sync/client'
import { shallowEqual } from './shallow.js'

/**
 * Applies `select` to the state of snapshots and gives the same object as
 * before while nothing of it differs, so that a render can be spared.
 */
export class Selector<State, Runtime, Selected> {
  #source: Snapshot<State, Runtime> | undefined
  #select: ((state: State) => Selected) | undefined
  #result: Snapshot<Selected, Runtime> | undefined

  read(source: Snapshot<State, Runtime>, select: (state: State) => Selected): Snapshot<Selected, Runtime> {
    if (this.#result !== undefined && this.#source === source && this.#select === select) return this.#result
    const next = apply(source, select)
    const before = this.#result
    this.#source = source
    this.#select = select
    this.#result = before !== undefined && sameSnapshot(before, next) ? before : next
    return this.#result
  }
}

function apply<State, Runtime, Selected>(
  snapshot: Snapshot<State, Runtime>,
  select: (state: State) => Selected,
): Snapshot<Selected, Runtime> {
  switch (snapshot.status) {
    case 'live':
      return { ...snapshot, state: select(snapshot.state) }
    case 'error':
      return { ...snapshot, state: snapshot.state === undefined ? undefined : select(snapshot.state) }
    case 'pending':
      // What is picked of a part of the state would not be what is picked of the whole.
      return { ...snapshot, loading: undefined }
    default:
      return snapshot
  }
}

function sameSnapshot<Selected, Runtime>(a: Snapshot<Selected, Runtime>, b: Snapshot<Selected, Runtime>): boolean {
  return shallowEqual(a.state, b.state) && shallowEqual({ ...a, state: undefined }, { ...b, state: undefined })
}
