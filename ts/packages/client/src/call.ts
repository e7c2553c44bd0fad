import { PandoError } from './errors.js'
import type { Reply } from './frames.js'
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
  return new Promise((resolve, reject) => {
    let late = () => {
      reject(new PandoError('timeout', `${name}: no answer within ${timeout} ms`, { outcome: 'unknown' }))
    }
    const timer = setTimeout(() => {
      late()
    }, timeout)
    const fail = (error: PandoError) => {
      clearTimeout(timer)
      reject(error)
    }
    const answer = (reply: Reply | undefined) => {
      if (reply === undefined) {
        fail(new PandoError('lost', `${name}: the connection broke before the answer`, { outcome: 'unknown' }))
      } else if (reply.type === 'error') {
        fail(new PandoError(reply.code, reply.message, { retry: reply.retry ?? false }))
      } else if (reply.type === 'result') {
        const done = () => {
          clearTimeout(timer)
          resolve(reply.value)
        }
        late = done
        if (reply.version === undefined) done()
        else session.reach(reply.version, done)
      }
    }
    session.request(stream, { type: 'action', name, args }, answer)
  })
}
