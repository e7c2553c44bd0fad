/**
 * Live nested state from a SQL database, without a framework.
 *
 * `createClient` makes a connection; `client.get(SomeChannel.with(…))` gives
 * the handle of a generated channel, which is subscribed to, read, and acted on.
 *
 * @packageDocumentation
 */
export { Channel, type Id, type Int, type RouteValue } from './channel.js'
export { createClient, type Client, type ClientOptions } from './client.js'
export { PandoError, type Outcome } from './errors.js'
export type { Handle, Readable } from './handle.js'
export type { ChannelSpec, ColumnKind, Kind, LayerModel, MemberModel, Model, TypeModel } from './model.js'
export type { SocketLike } from './session.js'
export type { Denied, Failed, Live, Loading, Pending, Snapshot, Stub } from './snapshot.js'
export type { ConnectionStatus } from './states.js'
export type { GetToken, TokenRequest } from './token.js'
