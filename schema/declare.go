package schema

import (
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
)

// decl is one struct as its tags declare it, before it meets other structs.
type decl struct {
	goType reflect.Type
	// name is the struct's; one without a name has its table's, in the singular.
	name  string
	table string
	// ownTable tells that the table's name does not come from the struct's.
	ownTable bool
	// orm tells that the struct carries gorm or bun tags.
	orm    bool
	fields []*fieldDecl
	// unsent are the relations with json:"-": they tell of other tables.
	unsent []*fieldDecl
	// keys are the columns of the key, more than one for a tuple.
	keys []*fieldDecl
	// found are the slots of the columns, once all trees are in.
	found atomic.Pointer[[]slot]
	// softDelete is the column that is null while a row is not deleted.
	softDelete *fieldDecl
	// mapping is how a library stores the struct, nil when only tags tell.
	mapping *Mapping
}

// fieldDecl is one field: a column or, with a target, a relation.
type fieldDecl struct {
	owner  *decl
	goName string
	goType reflect.Type
	index  []int
	tags   tags
	orm    ormTags
	wire   string
	// sent is false for fields with json:"-", which only tell what kind their
	// column has.
	sent bool

	column   string
	kind     Kind
	nullable bool
	asString bool

	target reflect.Type
	many   bool
	// mapped is how a library finds the relation's rows, nil when only tags tell,
	// and refused is why it cannot be followed.
	mapped  *Link
	refused error
}

// String names the field in messages.
func (f *fieldDecl) String() string { return f.owner.name + "." + f.goName }

func (f *fieldDecl) fault(format string, args ...any) error {
	return fmt.Errorf("schema: %s: %w", f, fmt.Errorf(format, args...))
}

// declare reads the struct's tags, once per registry.
func (r *Registry) declare(t reflect.Type) (*decl, error) {
	if d := r.decls[t]; d != nil {
		return d, nil
	}
	name, table := t.Name(), blankTable(t)
	if name == "" && table != "" {
		name = camel(singular(table))
	}
	switch {
	case t.Kind() != reflect.Struct || name == "":
		return nil, fmt.Errorf("schema: %s: not a named struct: declare a type for it", t)
	case strings.ContainsRune(t.Name(), '['):
		return nil, fmt.Errorf("schema: %s: a generic struct has no name for its table: declare a type of its own, type Name %s", t, t)
	}
	mapping, err := r.mapping(t)
	if err != nil {
		return nil, err
	}
	d := &decl{goType: t, name: name, table: table, ownTable: table != "", mapping: mapping, orm: mapping != nil}
	if table == "" {
		d.table = tableOf(t)
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	if named, ok := reflect.TypeAssert[interface{ TableName() string }](reflect.New(t)); ok {
		d.table, d.ownTable = named.TableName(), true
	}
	if mapping != nil {
		d.table, d.ownTable = mapping.Table, true
	}
	if d.table == "" {
		return nil, fmt.Errorf("schema: %s: empty table name: mend its TableName method", t.Name())
	}
	if err := d.findKey(); err != nil {
		return nil, err
	}
	if err := d.checkNames(); err != nil {
		return nil, err
	}
	r.decls[t] = d
	r.declared = append(r.declared, d)
	return d, nil
}

func (d *decl) read() error {
	var asField []int // index path of an embedded struct that is a field itself
	for _, sf := range reflect.VisibleFields(d.goType) {
		if asField != nil && hasPrefix(sf.Index, asField) {
			continue
		}
		orm := parseORM(sf)
		d.orm = d.orm || orm.present || isBaseModel(sf)
		if sf.Anonymous && flattens(sf) {
			if orm.prefixed && d.mapping == nil {
				return fmt.Errorf("schema: %s.%s: columns with a prefix: have the library tell them by Config.Models, or leave the struct out with pando:\"-\"", d.name, sf.Name)
			}
			if orm.table != "" {
				d.table, d.ownTable = orm.table, true
			}
			continue
		}
		if sf.Anonymous {
			asField = sf.Index
		}
		skipped := (orm.skip || sf.Tag.Get("db") == "-") && !computedTag(sf.Tag.Get("pando"))
		if !sf.IsExported() || skipped {
			continue
		}
		f, err := d.readField(sf, orm)
		if err != nil {
			return err
		}
		switch {
		case f == nil:
		case f.target != nil && !f.sent:
			d.unsent = append(d.unsent, f)
		default:
			d.fields = append(d.fields, f)
		}
	}
	return nil
}

// flattens tells whether the fields of an embedded struct are declared as the
// outer struct's, as encoding/json has it.
func flattens(sf reflect.StructField) bool {
	_, many, ok := relationOf(sf.Type)
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return ok && !many && name == "" && sf.Tag.Get("pando") == ""
}

func isBaseModel(sf reflect.StructField) bool {
	path := sf.Type.PkgPath()
	return sf.Anonymous && (strings.HasPrefix(path, "gorm.io/") || strings.HasPrefix(path, "github.com/uptrace/bun"))
}

func hasPrefix(index, prefix []int) bool {
	if len(index) <= len(prefix) {
		return false
	}
	for i, n := range prefix {
		if index[i] != n {
			return false
		}
	}
	return true
}

// readField returns nil for a field that is no part of the declaration.
func (d *decl) readField(sf reflect.StructField, orm ormTags) (*fieldDecl, error) {
	f := &fieldDecl{owner: d, goName: sf.Name, goType: sf.Type, index: sf.Index, orm: orm}
	var err error
	if f.tags, err = parseTags(sf.Tag.Get("pando")); err != nil {
		return nil, f.fault("%w", err)
	}
	if f.tags.skip {
		return nil, nil
	}
	jsonTag := sf.Tag.Get("json")
	jsonName, jsonOptions, _ := strings.Cut(jsonTag, ",")
	f.sent = jsonTag != "-"
	if !d.mapField(f) {
		return nil, nil
	}
	orm = f.orm
	target, many, related := relationOf(sf.Type)
	if related && !orm.stored && f.tags.kind == Null && orm.kind == Null && !orm.embedded {
		f.target, f.many = target, many
		f.wire = firstOf(jsonName, snake(sf.Name))
		if !f.sent {
			return f, nil
		}
		return f, f.checkRelation()
	}
	f.column = firstOf(f.tags.column, f.storedAs(), nameIn(sf.Tag.Get("db")), orm.column, snake(sf.Name))
	f.wire = firstOf(jsonName, f.column)
	if err := f.readKind(); err != nil {
		if !f.sent {
			return nil, nil
		}
		return nil, err
	}
	f.sent = f.sent && !f.tags.writeOnly
	f.asString = f.tags.asString || f.kind == Int && strings.Contains(jsonOptions, "string")
	return f, f.checkColumn()
}

func (f *fieldDecl) readKind() error {
	if f.goType.PkgPath() == "gorm.io/plugin/soft_delete" {
		return f.fault("soft deletion by another value than null: declare the column as an integer, and a filter on every relation")
	}
	if f.refused != nil && f.tags.kind == Null {
		return f.fault("%w", f.refused)
	}
	if f.orm.serializer != "" && f.tags.kind == Null {
		return f.fault("gorm serializer %q: name what the column holds with pando:\"kind:…\", or leave it out with pando:\"-\"", f.orm.serializer)
	}
	if f.orm.embedded {
		return f.fault("gorm's embedded and bun's embed: not supported yet: embed the struct, or leave it out with pando:\"-\"")
	}
	kind, nullable, err := kindOf(f.goType)
	f.kind, f.nullable = kind, nullable
	if f.tags.kind != Null {
		f.kind, err = f.tags.kind, nil
	} else if f.orm.kind != Null && (err != nil || kind == Text || kind == Bytes) {
		f.kind, err = f.orm.kind, nil
	}
	if err != nil {
		return f.fault("%s %w", f.goType, err)
	}
	if f.softDeletes() {
		f.nullable, f.owner.softDelete = true, f
	}
	return nil
}

func (f *fieldDecl) softDeletes() bool {
	return f.orm.softDelete || f.goType.PkgPath() == "gorm.io/gorm" && f.goType.Name() == "DeletedAt"
}

func (f *fieldDecl) checkRelation() error {
	if item := f.tags.misplaced(true); item != "" {
		return f.fault("tag %s: it is for columns, and this is a relation to %s: leave it out, or store it in a column with pando:\"kind:json\"", item, f.target.Name())
	}
	return f.checkWire()
}

func (f *fieldDecl) checkColumn() error {
	if item := f.tags.misplaced(false); item != "" {
		return f.fault("tag %s: it is for relations, and this is a column: leave it out", item)
	}
	if err := f.checkComputed(); err != nil {
		return err
	}
	if f.tags.asString && f.kind != Int && f.tags.represent == "" {
		return f.fault("tag string: it is for integers, and this is %s: leave it out", f.kind)
	}
	if !f.sent && !f.tags.writeOnly {
		return nil
	}
	if word := secretWord(f.column, f.wire, f.goName); word != "" && !f.tags.public && f.sent {
		return f.fault("%q is a secret's name and would be sent to browsers: leave it out with json:\"-\", or send it with pando:\"public\"", word)
	}
	return f.checkWire()
}

func (f *fieldDecl) checkWire() error {
	if strings.HasPrefix(f.wire, "@") || strings.HasPrefix(f.wire, "#") || f.wire == "__proto__" {
		return f.fault("name %q is reserved: give it another with the json tag", f.wire)
	}
	return nil
}

func (d *decl) findKey() error {
	if d.mapping != nil {
		if err := d.mapKey(); err != nil {
			return err
		}
	}
	for _, f := range d.fields {
		if d.mapping == nil && f.stored() && (f.tags.key || f.orm.key) {
			d.keys = append(d.keys, f)
		}
	}
	if id := d.field("ID"); d.keys == nil && id != nil && id.target == nil {
		d.keys = []*fieldDecl{id}
	}
	if d.keys == nil {
		return fmt.Errorf("schema: %s: no key: add a field ID, or tag one pando:\"key\"", d.name)
	}
	for _, k := range d.keys {
		switch {
		case k.kind != Int && k.kind != Text && k.kind != UUID:
			return k.fault("a key of kind %s: use an integer, a UUID or a string", k.kind)
		case k.nullable:
			return k.fault("a key that can be null: leave out the pointer")
		case k.tags.writeOnly:
			return k.fault("a key that is not sent: leave out writeonly")
		case !k.sent && len(d.keys) == 1:
			return k.fault("the key is always sent: leave out json:\"-\"")
		}
	}
	return nil
}

// keyName is the name of the key's column.
func (d *decl) keyName() string { return tupleName(d.keyColumns()) }

func (d *decl) keyColumns() []string {
	var names []string
	for _, k := range d.keys {
		names = append(names, k.column)
	}
	return names
}

func (d *decl) checkNames() error {
	wires, columns := map[string]*fieldDecl{}, map[string]*fieldDecl{}
	for _, f := range d.fields {
		named := f.sent || f.tags.writeOnly
		if other := wires[f.wire]; named && other != nil {
			return f.fault("name %q is %s's already: give it another with the json tag", f.wire, other)
		}
		if other := columns[f.column]; f.stored() && other != nil {
			return f.fault("column %q is %s's already: leave one out with pando:\"-\"", f.column, other)
		}
		if named {
			wires[f.wire] = f
		}
		if f.stored() {
			columns[f.column] = f
		}
	}
	return nil
}

// field finds a field by its Go name, nil if there is none.
func (d *decl) field(goName string) *fieldDecl {
	for _, f := range d.fields {
		if f.goName == goName {
			return f
		}
	}
	return nil
}

// byColumn finds the field of a column, nil if there is none, or no struct.
func (d *decl) byColumn(column string) *fieldDecl {
	if d == nil {
		return nil
	}
	for _, f := range d.fields {
		if f.stored() && f.column == column {
			return f
		}
	}
	return nil
}

// nameIn is the name in a tag of the form name,option….
func nameIn(tag string) string {
	name, _, _ := strings.Cut(tag, ",")
	return name
}

func firstOf(names ...string) string {
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return ""
}
