/** A row by its type and key, for writes that have no object of the state at hand. */
export interface Ref<Name extends string> {
  readonly type: Name
  readonly id: string
}

/** Whether two types are rows of one instance type: their ids tell, or all that they have. */
type SameRow<Row, Other> = Other extends { readonly id: infer Id }
  ? Row extends { readonly id: Id }
    ? true
    : false
  : Row extends Other
    ? true
    : false

/** The instance type of a row or a reference, among those of `Names`. */
type NameOf<Row, Types, Names extends keyof Types> =
  Row extends Ref<infer Name extends Names & string>
    ? Name
    : { [Name in Names]: SameRow<Row, Types[Name]> extends true ? Name : never }[Names]

/** The types that may be written in a way that their declaration tells by `Mark`. */
type Writable<Types, Writes, Mark> = {
  [Name in keyof Writes & keyof Types]: Writes[Name] extends Mark ? Name : never
}[keyof Writes & keyof Types]

type Saved<Types, Writes> = {
  [Name in Writable<Types, Writes, { save: unknown }>]: Writes[Name] extends { save: never } ? never : Name
}[Writable<Types, Writes, { save: unknown }>]

type Deleted<Types, Writes> = Writable<Types, Writes, { delete: true }>

/** A row of one of the types, or a reference to one. */
type RowOf<Types, Names extends keyof Types> = Types[Names] | Ref<Names & string>

type SaveData<Row, Types, Writes> =
  NameOf<Row, Types, Saved<Types, Writes> & keyof Types> extends infer Name extends keyof Writes
    ? Writes[Name] extends { save: infer Data }
      ? Data
      : never
    : never

/** The types from which a row may be created below. */
type Parents<Writes> = { [Name in keyof Writes]: Writes[Name] extends { in: infer In } ? keyof In : never }[keyof Writes]

/** The relations in which rows may be created below a parent. */
type Relations<Writes, Parent> = {
  [Name in keyof Writes]: Writes[Name] extends { in: infer In } ? (Parent extends keyof In ? In[Parent] : never) : never
}[keyof Writes]

/** The type that a relation of a parent creates. */
type Created<Writes, Parent, Relation> = {
  [Name in keyof Writes]: Writes[Name] extends { in: infer In }
    ? Parent extends keyof In
      ? Relation extends In[Parent]
        ? Name
        : never
      : never
    : never
}[keyof Writes]

type CreateData<Writes, Name extends keyof Writes> = [Name] extends [never]
  ? never
  : Writes[Name] extends { create: infer Data }
    ? Data
    : never

type IdOf<Row> = Row extends { readonly id: infer Id } ? Id : string

/** A creation under way: resolves with the key of the row. */
export type Creating<Id> = Promise<Id> & {
  /** The temporary key, by which later writes of this client may refer to the row at once, and ever after. */
  readonly key: Id
}

/** What a save may take besides. */
export interface SaveOptions<Data> {
  /**
   * What the user saw: the save is refused with code `conflict` when the
   * database has another value. `true` takes the values of the row that is
   * given, for the fields that are written.
   */
  readonly seen?: true | Data
}

/**
 * Writes of single rows. Each shows at once where the channel declares it, is
 * sent again after the connection was lost, and is applied once. The promise
 * resolves when the state shows what was committed; it rejects with a
 * PandoError, and what was shown is withdrawn. Of an error with outcome
 * `unknown` nobody can tell whether the write was applied.
 *
 * A row is an object of the state, an old one too, or `ref(type, id)`. Writes
 * of one stream are sent in order; one that refers to a row which is not
 * created yet waits for its key.
 */
export interface WriteMethods<Types, Writes> {
  /** Sets fields of a row. */
  save<const Row extends RowOf<Types, Saved<Types, Writes> & keyof Types>>(
    row: Row,
    data: SaveData<Row, Types, Writes>,
    options?: SaveOptions<SaveData<Row, Types, Writes>>,
  ): Promise<void>
  /** Creates a row below a parent, by the name of the relation, or one of the channel's list. */
  create<
    const Parent extends RowOf<Types, Parents<Writes> & keyof Types>,
    Relation extends Relations<Writes, NameOf<Parent, Types, Parents<Writes> & keyof Types>>,
    Name extends Created<Writes, NameOf<Parent, Types, Parents<Writes> & keyof Types>, Relation> & keyof Types,
  >(
    relation: Relation,
    parent: Parent,
    data: CreateData<Writes, Name>,
  ): Creating<IdOf<Types[Name]>>
  create<Name extends Created<Writes, '', ''> & keyof Types>(data: CreateData<Writes, Name>): Creating<IdOf<Types[Name]>>
  /** Deletes a row. */
  delete(row: RowOf<Types, Deleted<Types, Writes> & keyof Types>): Promise<void>
  /**
   * A key of a row of the state that stays the same from its creation by this
   * client on, through the change of its `id`: for React's `key`.
   */
  keyOf(row: object): string
}
