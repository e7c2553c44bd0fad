/**
 * Live nested state from a SQL database, without a framework.
 *
 * `createClient` makes a connection; `client.get(SomeChannel.with(…))` gives
 * the handle of a generated channel, which is subscribed to, read, and acted on.
 *
 * @packageDocumentation
 */
export { Channel, type Id, type Int, type NoWrites, type RouteValue } from './channel.js'
export { createClient, type Client, type ClientOptions, type SystemMessage } from './client.js'
export { PandoError, type ErrorDetails, type Outcome } from './errors.js'
export type { Handle, Notices, ReadHandle, Readable } from './handle.js'
export type {
  ChannelSpec,
  ColumnKind,
  Kind,
  LayerModel,
  MemberModel,
  Model,
  Places,
  Requests,
  TypeModel,
  WritableModel,
} from './model.js'
export type { SocketLike } from './session.js'
export type { Denied, Failed, Live, Loading, Pending, Snapshot, Stub } from './snapshot.js'
export type { ConnectionStatus } from './states.js'
export type {
  Binding,
  BindingHandle,
  BindingSpec,
  BindingState,
  BoundRow,
  Consumer,
  ConsumerHandle,
  Pk,
  RowTold,
  StreamClient,
  StreamHandle,
  Streaming,
  StreamOpening,
  StreamOptions,
  Streams,
  StreamStatus,
} from './stream-types.js'
export type { GetToken, TokenRequest } from './token.js'
export type { Creating, Ref, SaveOptions, WriteMethods } from './write-types.js'
