import type { Channel } from '@pando-sync/client'
import { useInsertionEffect, useMemo, useSyncExternalStore } from 'react'
import { Runs, idle, type Progress, type RunResult } from './runs.js'
import { useChannel } from './use-channel.js'

/** An action as a component uses it. */
export interface ActionState<Args extends readonly unknown[], Value> extends Progress {
  /**
   * Calls the action. The promise never rejects with a refusal, so that it can
   * be left alone in an event handler: it resolves with the value, or with the
   * error that is shown too. The function is the same for one channel.
   */
  readonly run: (...args: Args) => Promise<RunResult<Value>>
  /** Forgets the error. */
  readonly reset: () => void
}

/**
 * An action of a channel, whether it runs, and what it was refused with. Runs
 * may overlap: it is `pending` until the last one ends. Unmounting ends none
 * of them; another channel or other arguments begin with a clean slate.
 *
 * @param pick says which action, as in `(actions) => actions.addTask`.
 */
export function useAction<State, Types, Actions, Runtime, Args extends readonly unknown[], Value>(
  channel: Channel<State, Types, Actions, Runtime>,
  pick: (actions: Actions) => (...args: Args) => Promise<Value>,
): ActionState<Args, Value> {
  const handle = useChannel(channel)
  const picked = pick(handle.actions)
  const held = useMemo(() => new Held(picked), [handle])
  useInsertionEffect(() => {
    held.action = picked
  })
  const { runs, run } = held
  const progress = useSyncExternalStore(runs.subscribe, runs.get, () => idle)
  return { ...progress, run, reset: runs.reset }
}

/** The action that was rendered last, called by a function that stays the same. */
class Held<Args extends readonly unknown[], Value> {
  readonly runs = new Runs()
  action: (...args: Args) => Promise<Value>

  constructor(action: (...args: Args) => Promise<Value>) {
    this.action = action
  }

  readonly run = (...args: Args) => this.runs.follow(() => this.action(...args))
}
