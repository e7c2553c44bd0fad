import { PandoError } from '@pando-sync/client'
import type { Session } from './session.js'

/** An action to call. */
export interface Call {
  readonly stream: string
  readonly name: string
  readonly args: readonly unknown[]
  /** Milliseconds to wait for the reply. */
  readonly timeout: number
}

/**
 * Calls an action. The promise resolves with its result once the state shows
 * what it committed.
 *
 * It rejects with a PandoError: the server's refusal, or `lost` or `timeout`
 * with outcome `unknown` when no reply came. A result that came is known,
 * whatever happens before its effects do.
 */
export function callAction(session: Session, { stream, name, args, timeout }: Call): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined
  return new Promise((resolve, reject) => {
    const lose = (code: string, message: string) => {
      reject(new PandoError(code, `${name}: ${message}`, { outcome: 'unknown' }))
    }
    let late = () => {
      lose('timeout', 'no answer in time')
    }
    timer = setTimeout(() => {
      late()
    }, timeout)
    session.request(stream, { type: 'action', name, args }, (reply) => {
      if (!reply) lose('lost', 'connection lost before the answer')
      else if (reply.type === 'error') reject(new PandoError(reply.code, reply.message, reply))
      else if (reply.type === 'result') {
        late = () => {
          resolve(reply.value)
        }
        session.reach(reply.version ?? 0, late)
      }
    })
  }).finally(() => {
    clearTimeout(timer)
  })
}
