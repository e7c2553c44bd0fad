/** What the server sends, as far as this client reads it: see `spec/protocol.md`. */

/** A type of the hello frame: its place there is its id in state frames. */
export interface HelloType {
  readonly name: string
  readonly fields: readonly string[]
}

/** The first frame of a connection. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  readonly heartbeat: number
  readonly types: readonly HelloType[]
}

/** A snapshot part or a patch of one scope. */
export interface StateFrame {
  readonly v: number
  readonly snapshot?: 'only' | 'first' | 'more' | 'last'
  readonly set?: readonly (readonly [type: number, values: readonly unknown[]])[]
  readonly upd?: readonly (readonly [type: number, key: unknown, ...fields: unknown[]])[]
  readonly del?: readonly (readonly [type: number, key: unknown])[]
}

/** The reply to open. */
export interface Opened {
  readonly type: 'opened'
  readonly epoch: string
  readonly scopes: readonly { readonly id: string; readonly resumed: boolean }[]
}

/** The reply to an action. */
export interface Result {
  readonly type: 'result'
  readonly value: unknown
  readonly version?: number
}

/** The reply to a request that failed. */
export interface Failure {
  readonly type: 'error'
  readonly code: string
  readonly message: string
  readonly retry?: boolean
}

/** Every reply to a request. */
export type Reply =
  | Opened
  | Result
  | Failure
  | { readonly type: 'connected'; readonly user: string }
  | { readonly type: 'closed' | 'pong' }

/** What comes for a stream without being asked for. */
export type StreamFrame =
  | { readonly type: 'runtime'; readonly set: Readonly<Record<string, unknown>> }
  | { readonly type: 'closed'; readonly code?: string; readonly message?: string }

/** What comes for the connection without being asked for. */
export type SessionFrame = Hello | Failure | { readonly type: 'begin' | 'end' | 'mark' | 'beat'; readonly v: number }

/** What this client sends. */
export type Request =
  | { readonly type: 'connect'; readonly protocol: number; readonly token?: string }
  | { readonly type: 'open'; readonly route: string; readonly resume?: Resume }
  | { readonly type: 'close' | 'ping' }
  | { readonly type: 'action'; readonly name: string; readonly args: readonly unknown[] }

/** Where a stream that was open before goes on. */
export interface Resume {
  readonly epoch: string
  readonly versions: readonly number[]
}
