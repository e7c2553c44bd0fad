/**
 * What is known of a request that failed: `failed` means that it was refused
 * or never sent, `unknown` that the answer never came, so that it may or may
 * not have been carried out.
 */
export type Outcome = 'failed' | 'unknown'

/**
 * The one error that this package throws or hands out.
 *
 * Besides the server's codes (see `spec/protocol.md`) and the application's
 * own, there are `offline` (nothing was sent), `lost` (the connection broke
 * after sending), `timeout` (no answer in time), `schema` (the server no
 * longer declares what this page was built against: reload), `protocol` (the
 * server speaks another protocol version: reload) and `closed` (the client was
 * closed).
 */
export class PandoError extends Error {
  override readonly name = 'PandoError'
  /** A stable word to branch on. */
  readonly code: string
  readonly outcome: Outcome
  /** Whether the same request may succeed later. */
  readonly retry: boolean

  constructor(code: string, message: string, details: { outcome?: Outcome; retry?: boolean } = {}) {
    super(message)
    this.code = code
    this.outcome = details.outcome ?? 'failed'
    this.retry = details.retry ?? false
  }
}
