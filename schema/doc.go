// Package schema is the declared state: tables, instance types and layers
// read from Go structs and their tags, and the canonical values of columns.
//
// # Declaring
//
// A tree is a Go struct. Its exported fields are columns, or relations to
// other structs; embedded structs are flattened, unexported fields ignored.
//
//	type Project struct {
//		ID    int64  `json:"id"`
//		Name  string `json:"name"`
//		Owner *User  `json:"owner"`                        // belongs to: projects.owner_id
//		Tasks []Task `json:"tasks" pando:"order:position"` // has many: tasks.project_id
//	}
//
//	type Task struct {
//		ID       int64   `json:"id"`
//		Title    string  `json:"title"`
//		Position float64 `json:"-"` // read for the order, not sent
//	}
//
// The table is what the method TableName returns, or bun's table tag, else
// the struct's name in plural snake_case. A column's name is the column item
// of the pando tag, else the db, bun or gorm tag's, else the field's name in
// snake_case; its name on the wire is the json tag's, else the column's. A
// field with json:"-" is read where a link or an order needs it, and never
// sent; one with pando:"-", or which the db, bun or gorm tag leaves out, is
// no part of the declaration. A sent column that is named like a secret is
// refused until it is tagged public.
//
// The key is the field tagged key (or gorm's primaryKey, bun's pk), else the
// field ID: an integer, a UUID or text. Integer keys and all links to them
// travel as strings of digits. Several fields tagged key are a key of several
// columns, which travels as one string, "7,3"; a link to it is a column for
// each, <field>_<column> or named in the key's order, link:a|b.
//
// # Kinds
//
// A field's Go type gives the Kind of its column: booleans, integers, floats,
// strings, []byte, time.Time and [16]byte (a UUID) by their underlying type;
// json.RawMessage, maps, and slices and arrays of anything but structs are
// JSON. A pointer, sql.Null[T] and the sql.Null types make it nullable. A type
// with its own Scan or Value method, or a struct that is stored as JSON, needs
// the item kind.
//
// # Relations
//
// A struct, or a pointer to one, is belongs-to: this struct's table has the
// link, <field>_id. Tagged hasone, the other table has it. A slice of structs
// or pointers is has-many. The link in the other table is <this struct>_id, or
// the singular of the table's name where TableName gives one. The link column
// need not be a field of either struct; a field named <Relation>ID or
// <Struct>ID gives its column.
//
// A slice tagged through:TABLE is many-to-many: the table between holds the keys
// of both sides, <this struct>_id and <target>_id or what link and target name.
// Its key is that of a struct over it, else both links together. Order, filter
// and user_key name columns of the target, or TABLE.COLUMN of the table between
// if some struct over it declares them. gorm's many2many and bun's m2m are
// understood.
//
// In structs that carry gorm or bun tags, relations are followed only when
// Include names them; their foreignKey, rel and join tags are understood. What
// such a library knows beyond its tags, a Registry's Mapper tells.
//
// A struct that is met again on its own path needs the item depth: it stands so
// many more times below itself by this relation, and is left out there.
//
// # Conditions
//
// A row that does not meet the conditions of its layer is as if it were not
// there, with all that stands below it. Conditions are items of relations,
// filter:COLUMN=VALUE. The struct of the rows declares the column, with
// json:"-" when it is not to be sent; the comparison is =, !=, <, <=, > or >=.
// The value is a constant of the column's kind, null, $user for the user's id,
// or $name for an argument of the route; a|b is any of several, after != none
// of them. As in SQL, nothing but null itself compares with null. Structs with
// gorm.DeletedAt or bun's soft_delete have the condition that it is null
// everywhere.
//
// The options Filter and EveryLayer, and lists (AsList), have conditions too.
//
// # Computed fields
//
// A field tagged computed:METHOD has no column: its value is what the struct's
// method of that name returns, which has no arguments and the field's type as
// its result. One tagged represent:METHOD has a column, and the method's result
// travels in its place. The method sees every column that the struct declares.
// With of:RELATION, repeated for more, it also sees the rows of a has-many or
// has-one relation, in the order of their keys. The items count:RELATION,
// sum:RELATION.FIELD, min:RELATION.FIELD and max:RELATION.FIELD name Go fields,
// and are built in; filter chooses among their rows by constants. A relation
// that serves them only has json:"-".
//
// Methods are pure: they read nothing but the struct, no clock and no database.
// The value of one that panics is NULL, and Registry.Fault hears of it once.
//
// # Tags
//
// The pando tag is a list of items, separated by commas.
//
//   - not part of the declaration
//     column:NAME   the column's name
//     key           the primary key, or a part of it
//     kind:KIND     bool, int, float, text, uuid, time, bytes or json, whatever the Go type
//     public        sent although it is named like a secret
//     string        an integer travels as a string of digits
//     readonly      no client may write the column
//     writeonly     clients may write the column, and are never sent it
//     link:COLUMN   the relation's link column, a|b for a key of two columns
//     through:TABLE many-to-many by a table between; link is its column that refers
//     to this struct
//     target:COLUMN its column that refers to the target
//     hasone        the link is in the other struct's table
//     order:COLUMN  sorts a has-many or has-one, order:-COLUMN descending;
//     repeated for further criteria, the key is always the last
//     filter:COND   a condition on the relation's rows; repeated for more
//     user_key:COL  the relation's rows, and what stands below them, are sent
//     only to the user whose id the column holds
//     depth:N       the struct stands up to N more times below itself
//     computed:M    no column: what the method M returns
//     represent:M   what the method M returns travels in place of the column
//     of:RELATION   the relation's rows are set when the method is called
//     count:R       the number of the relation's rows; sum:R.FIELD, min:R.FIELD
//     and max:R.FIELD are made of a field of theirs
//     shared        the table is common to all tenants: EveryLayer passes it over
//
// A blank field tagged table:NAME, _ struct{} `pando:"table:NAME"`, names the
// struct's table, as TableName does.
//
// # Values
//
// Every column has one Kind and every Kind one canonical Value, to which
// readers (FromDriver), the wire (ParseWire) and routes (ParseText) all come.
// AppendJSON writes the wire's form.
package schema
