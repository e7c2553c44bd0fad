import { useInsertionEffect, useMemo, useSyncExternalStore } from 'react'
import { Runs, idle, type Progress, type RunResult } from './runs.js'

/** A request as a component uses it. */
export interface Request<Args extends readonly unknown[], Value> extends Progress {
  /**
   * Makes the request. The promise never rejects with a refusal, so that it
   * can be left alone in an event handler: it resolves with the value, or with
   * the error that is shown too. The function is the same for one channel.
   */
  readonly run: (...args: Args) => Promise<RunResult<Value>>
  /** Forgets the error. */
  readonly reset: () => void
}

/** Follows the calls of a function, by one that stays the same for one owner. */
export function useRuns<Args extends readonly unknown[], Value>(
  owner: object,
  call: (...args: Args) => Promise<Value>,
): Request<Args, Value> {
  const { runs, run, latest } = useMemo(() => follow(call), [owner])
  useInsertionEffect(() => {
    latest.call = call
  })
  const progress = useSyncExternalStore(runs.subscribe, runs.get, () => idle)
  return { ...progress, run, reset: runs.reset }
}

function follow<Args extends readonly unknown[], Value>(call: (...args: Args) => Promise<Value>) {
  const runs = new Runs()
  /** What was rendered last. */
  const latest = { call }
  return { runs, latest, run: (...args: Args) => runs.follow(() => latest.call(...args)) }
}
