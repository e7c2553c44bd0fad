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
  readonly session: string
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

/** The reply to open. A stream of a demultiplexer has neither epoch nor scopes. */
export interface Opened {
  readonly type: 'opened'
  readonly epoch: string
  readonly scopes: readonly { readonly id: string; readonly resumed: boolean }[]
}

/** The reply to an action or a write. */
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
  readonly fields?: Readonly<Record<string, string>>
  readonly retry_after?: number
}

/** Every reply to a request. */
export type Reply =
  | Opened
  | Result
  | Failure
  | { readonly type: 'connected'; readonly user: string }
  | { readonly type: 'closed' | 'pong' }

/** What a stream is told of that is no state. */
export interface Notice {
  readonly type: 'notice'
  readonly name: string
  readonly value: unknown
}

/** A payload of a demultiplexer's stream. */
export interface Told {
  readonly type: 'message'
  readonly data: unknown
}

/** What comes for a stream without being asked for. */
export type StreamFrame =
  | { readonly type: 'runtime'; readonly set: Readonly<Record<string, unknown>> }
  | { readonly type: 'closed'; readonly code?: string; readonly message?: string }
  | Notice
  | Told
  | { readonly type: 'gap' }
  | Failure
  | { readonly type: 'a later version’s' }

/** What comes for the connection without being asked for. */
export type SessionFrame = Hello | Failure | SystemFrame | { readonly type: 'begin' | 'end' | 'mark' | 'beat'; readonly v: number }

/** A message to every connection. */
export interface SystemFrame {
  readonly type: 'system'
  readonly kind: 'message' | 'maintenance'
  readonly text: string
  readonly retry_after?: number
}

/** What this client sends. */
export type Request =
  | ({ readonly type: 'connect'; readonly protocol: number } & Credentials)
  | { readonly type: 'open'; readonly route: string; readonly consumer: string | undefined; readonly resume: Resume | undefined }
  | { readonly type: 'close' }
  | { readonly type: 'ping' }
  | ((Act | WriteRequest | Told) & { readonly key?: string })

/** Who connects, and the session that the connection goes on from; what is undefined is not sent. */
export interface Credentials {
  readonly token: string | undefined
  readonly previous: string | undefined
}

/** A call of an action. */
export interface Act {
  readonly type: 'action'
  readonly name: string
  readonly args: readonly unknown[]
}

/** Values of a write, by their names in it. */
export type WriteData = Readonly<Record<string, unknown>>

/** A save, a creation or a deletion. */
export type WriteRequest =
  | { readonly type: 'save'; readonly of: string; readonly id: string; readonly data: WriteData; readonly seen?: WriteData }
  | { readonly type: 'create'; readonly of: string; readonly in?: readonly [type: string, key: string, relation: string]; readonly data: WriteData }
  | { readonly type: 'delete'; readonly of: string; readonly id: string }

/** Where a stream that was open before goes on. */
export interface Resume {
  readonly epoch: string
  readonly versions: readonly number[]
}
