/**
 * What is known of a request that failed: `failed` means that it was refused
 * or never sent, `unknown` that the answer never came, so that it may or may
 * not have been carried out.
 */
export type Outcome = 'failed' | 'unknown'

/** What an error may say besides its code, as error replies have it. */
export interface ErrorDetails {
  readonly outcome?: Outcome
  readonly retry?: boolean
  readonly fields?: Readonly<Record<string, string>>
  readonly retry_after?: number
}

/**
 * The one error that this package throws or hands out.
 *
 * Besides the server's codes (see `spec/protocol.md`) and the application's
 * own, there are `offline` (nothing was sent), `lost` (the connection broke
 * after sending), `too_large` with outcome `unknown` (it broke since this, or
 * what was sent beside it, is more than the server takes in one frame),
 * `timeout` (no answer in time), `schema` (the server lacks
 * something that this page was built against: reload; the next server that the
 * client connects to is asked again), `protocol` (the server speaks another
 * protocol version: reload) and `closed` (the client was closed), and for a
 * write `depends` (the one that it refers to failed).
 */
export class PandoError extends Error {
  override readonly name = 'PandoError'
  /** A stable word to branch on. */
  readonly code: string
  readonly outcome: Outcome
  /** Whether the same request may succeed later. */
  readonly retry: boolean
  /** What is wrong, by the names of single fields. */
  readonly fields: Readonly<Record<string, string>> | undefined
  /** Milliseconds to wait at least before the same is asked again. */
  readonly retryAfter: number | undefined

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message)
    this.code = code
    this.outcome = details.outcome ?? 'failed'
    this.retry = details.retry ?? false
    this.fields = details.fields
    this.retryAfter = details.retry_after
  }
}

/** The close codes of what the user may not see, by the codes of errors that say so. */
export const denials: Readonly<Record<string, number | undefined>> = { unauthenticated: 4401, denied: 4403 }
