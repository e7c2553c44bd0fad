/** The canonical type of a column, as `spec/protocol.md` names it. */
export type ColumnKind = 'bool' | 'int' | 'float' | 'text' | 'uuid' | 'time' | 'bytes' | 'json'

/** The type of a field: a column's, or that of several columns together, such as `tuple(int,text)`. */
export type Kind = ColumnKind | `tuple(${string})`

/** An instance type: its key field and the kind of each field by wire name. */
export interface TypeModel {
  readonly key: string
  readonly fields: Readonly<Record<string, Kind>>
}

/** A property of a nested object: a field by its wire name, or a relation. */
export type MemberModel = string | { readonly name: string; readonly layer: number }

/** A node of the state tree; a root without a relation is one row, the anchor's. */
export interface LayerModel {
  readonly type: string
  /** `list` is for the root alone: the state is an array of all rows of the type. */
  readonly relation?: 'belongsTo' | 'hasMany' | 'hasOne' | 'list'
  /** A field of the layer above for `belongsTo`, else one of this layer. */
  readonly link?: string
  /** The layer whose rows, which this layer's rows belong to, are shown in their place. */
  readonly through?: number
  /** Wire names, each with `-` before it to descend; the key breaks ties. */
  readonly order?: readonly string[]
  readonly members: readonly MemberModel[]
}

/** What turns flat rows into nested state: "The state model" of the protocol. */
export interface Model {
  readonly root: number
  readonly types: Readonly<Record<string, TypeModel>>
  readonly layers: readonly LayerModel[]
}

/** What generated code tells about a channel. */
export interface ChannelSpec {
  readonly name: string
  /** The schema hash, equal to the server's while both declare the same. */
  readonly hash: string
  /** The pattern, such as `boards/{board_id}`. */
  readonly route: string
  /** The name of each route parameter by the name of the argument. */
  readonly params: Readonly<Record<string, string>>
  /** The route parameter that is the root's key; the last one when left out. A list has none. */
  readonly anchor?: string
  readonly actions: readonly string[]
  /** The actions that the server applies once: they may be sent again. */
  readonly once?: readonly string[]
  /** How the channel's requests are made: `actions`, `once` or `writes`, of the entries of these names. */
  readonly requests?: Requests
  /** What may be written, by instance type. */
  readonly writable?: Readonly<Record<string, WritableModel>>
  /** `places` of the entry of this name: for models with `through`, or with keys of several columns. */
  readonly places?: Places
  readonly model: Model
}

/** What may be written of a type. */
export interface WritableModel {
  readonly save?: boolean
  /** Where rows may be created: parent type and relation with a dot between them, `''` for the channel's list. */
  readonly create?: readonly string[]
  readonly delete?: boolean
  /** Milliseconds for which a write is shown unconfirmed; it is not shown before when left out. */
  readonly optimistic?: number
  /** By the name in the data of a write: the field in which the value is shown, null for none. */
  readonly fields: Readonly<Record<string, string | null>>
  /** What an unconfirmed new row shows in fields that are never null; any other shows null. */
  readonly initial?: Readonly<Record<string, unknown>>
}

declare const opaque: unique symbol

/** How a channel's requests are made; nothing but this package makes one. */
export interface Requests {
  readonly [opaque]?: 'requests'
}

/** How rows that stand for others are ordered and shown; nothing but this package makes one. */
export interface Places {
  readonly [opaque]?: 'places'
}
