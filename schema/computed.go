package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// stored tells whether the database has the field's column.
func (f *fieldDecl) stored() bool { return f.target == nil && !f.computed() }

// computed tells whether the field has no column of its own.
func (f *fieldDecl) computed() bool { return f.tags.compute != "" || f.tags.built != "" }

// computedTag tells whether a pando tag declares a field without a column, which
// other libraries' tags leave out.
func computedTag(tag string) bool {
	t, err := parseTags(tag)
	return err == nil && (t.compute != "" || t.built != "")
}

func (f *fieldDecl) checkComputed() error {
	t := &f.tags
	switch {
	case f.computed() && (t.key || t.writeOnly || t.column != "" || t.represent != ""):
		return f.fault("a computed field has no column: leave out key, writeonly, column and represent")
	case t.represent != "" && (t.key || f.orm.key || t.writeOnly):
		return f.fault("tag represent: a key travels as it is, and a write-only column never: leave it out")
	case t.compute != "" && t.built != "", len(t.of) > 1 && t.built != "":
		return f.fault("tag %s: it makes the value alone: leave out the others", t.built)
	case t.of != nil && !f.computed():
		return f.fault("tag of: no method is named: write computed:METHOD")
	case f.computed() && !f.sent:
		return f.fault("a computed field is made to be sent: leave out json:\"-\"")
	default:
		return nil
	}
}

// derived adds a field whose column the database has not.
func (r *Registry) derived(t *Type, f *fieldDecl) error {
	field := Field{Name: f.wire, Kind: f.kind, Nullable: f.nullable, AsString: f.asString, ReadOnly: true, GoType: f.goType, GoName: f.goName, made: f.tags.made()}
	column := Column{Name: derivedName(t.Table, f.wire), Kind: f.kind, Nullable: f.nullable}
	switch {
	case f.tags.represent != "":
		m, err := r.method(t, f, f.tags.represent)
		if err != nil {
			return err
		}
		column.Kind, column.Nullable, column.Compute = m.kind, m.nullable, m.ofRow
		field.Kind, field.Nullable, field.GoType = m.kind, m.nullable, m.result
	case f.tags.built != "":
		aggregate, err := r.builtIn(f)
		if err != nil {
			return err
		}
		column.Aggregate = aggregate
	default:
		m, err := r.method(t, f, f.tags.compute)
		if err != nil {
			return err
		}
		if m.result != f.goType {
			return f.fault("tag computed:%s: the method returns a %s and the field is a %s: make them alike", f.tags.compute, m.result, f.goType)
		}
		m.kind = f.kind
		if column.Compute = m.ofRow; len(m.related) > 0 {
			column.Compute, column.Aggregate = nil, m.aggregate()
		}
	}
	field.Column = r.add(t.Table, column, f.String())
	if f.computed() {
		field.computed = &slot{f.goName, field.Column, f.index, setterOf(f.kind, f.goType)}
	}
	t.Fields = append(t.Fields, field)
	return nil
}

// made is what makes the field's value, for the hash.
func (t *tags) made() string {
	return strings.Join(append([]string{t.compute, t.represent, t.built}, t.of...), ":")
}

// derivedName is a name that no column of the table has.
func derivedName(t *Table, wire string) string {
	name := "=" + wire
	for t.index(name) >= 0 {
		name += "'"
	}
	return name
}

// readAll adds all columns that the struct declares, for its methods to see.
func (r *Registry) readAll(t *Table, d *decl) error {
	for _, f := range d.fields {
		if !f.stored() || f.tags.writeOnly {
			continue
		}
		if _, err := r.column(t, f.column, f.kind, f.nullable, f.String()); err != nil {
			return err
		}
	}
	return nil
}

// method is what makes a value of a struct.
type method struct {
	registry *Registry
	field    *fieldDecl
	table    *Table
	index    int // among the methods of a pointer to the struct
	result   reflect.Type
	kind     Kind
	nullable bool
	related  []*relative
	// fault says once that the method failed.
	fault sync.Once
}

func (r *Registry) method(t *Type, f *fieldDecl, name string) (*method, error) {
	found, ok := reflect.PointerTo(f.owner.goType).MethodByName(name)
	if !ok || found.Type.NumIn() != 1 || found.Type.NumOut() != 1 {
		return nil, f.fault("%s has no method %s() without arguments and with one result: add it, exported", f.owner.name, name)
	}
	m := &method{registry: r, field: f, table: t.Table, index: found.Index, result: found.Type.Out(0)}
	var err error
	if m.kind, m.nullable, err = kindOf(m.result); err != nil && f.tags.represent != "" {
		return nil, f.fault("tag represent:%s: the result %s %w", name, m.result, err)
	}
	for _, of := range f.tags.of {
		rel, err := r.relative(f, of, nil)
		if err != nil {
			return nil, err
		}
		if err := r.readAll(rel.Table, rel.target); err != nil {
			return nil, err
		}
		m.related = append(m.related, rel)
	}
	return m, r.readAll(t.Table, f.owner)
}

func (m *method) aggregate() *Aggregate {
	a := &Aggregate{Value: m.of}
	for _, rel := range m.related {
		a.Sources = append(a.Sources, rel.Source)
	}
	return a
}

func (m *method) ofRow(row Row) Value { return m.of(row, nil) }

// of calls the method. A failure is NULL, and is reported once.
func (m *method) of(row Row, related [][]Row) (val Value) {
	defer func() {
		if p := recover(); p != nil {
			m.fail(func() error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) })
			val = Value{}
		}
	}()
	val, err := m.call(row, related)
	if err != nil {
		m.fail(func() error { return err })
		return Value{}
	}
	return val
}

func (m *method) call(row Row, related [][]Row) (Value, error) {
	self := reflect.New(m.field.owner.goType)
	if err := m.field.owner.decode(m.table, row, self.Elem()); err != nil {
		return Value{}, err
	}
	for i, rows := range related {
		if err := m.related[i].fill(self.Elem(), rows); err != nil {
			return Value{}, err
		}
	}
	return m.kind.ofGo(self.Method(m.index).Call(nil)[0])
}

func (d *decl) decode(t *Table, row Row, into reflect.Value) error {
	for _, s := range d.slots(t) {
		if err := s.fill(into, row); err != nil {
			return err
		}
	}
	return nil
}

func (m *method) fail(why func() error) {
	m.fault.Do(func() {
		if m.registry.Fault != nil {
			m.registry.Fault(fmt.Errorf("compute %s: the value is NULL: %w", m.field, why()))
		}
	})
}

// ofGo is the canonical value of what a method returned.
func (k Kind) ofGo(v reflect.Value) (Value, error) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return Value{}, nil
	case k == JSON:
		doc, err := json.Marshal(v.Interface())
		if err != nil {
			return Value{}, err
		}
		return k.FromDriver(doc)
	case k == Text && v.Kind() == reflect.String:
		return TextValue(validUTF8(v.String())), nil
	}
	plain, err := plainOf(v)
	if err != nil {
		return Value{}, err
	}
	return k.FromDriver(plain)
}

// relative is a relation whose rows a value is made of.
type relative struct {
	Source
	field  *fieldDecl
	target *decl
	order  []Order
}

// relative finds a relation of the field's struct by its Go name, and the
// constant conditions that its rows meet.
func (r *Registry) relative(f *fieldDecl, name string, extra []CondSpec) (*relative, error) {
	rel := f.owner.relation(name)
	switch {
	case rel == nil:
		return nil, f.fault("%s has no relation %s: name a field that is a slice of structs, with json:\"-\" when it is not to be sent", f.owner.name, name)
	case rel.through() != "":
		return nil, f.fault("%s is many-to-many: use a relation to the table between", rel)
	}
	target, err := r.declare(rel.target)
	if err != nil {
		return nil, fmt.Errorf("%w (by %s)", err, f)
	}
	e, err := relate(rel, target)
	if err != nil {
		return nil, err
	}
	if e.relation == BelongsTo {
		return nil, f.fault("%s is belongs-to: use a has-many or has-one relation", rel)
	}
	table, err := r.table(target)
	if err != nil {
		return nil, err
	}
	s := &relative{Source: Source{Table: table}, field: rel, target: target}
	if s.Link, err = r.linkColumn(side{table: table, declares: target, target: f.owner, nullable: true}, rel, e.links); err != nil {
		return nil, err
	}
	addLink(table, s.Link)
	if s.Where, err = r.constantWhere(table, target, slices.Concat(rel.tags.filter, extra)); err != nil {
		return nil, f.fault("%s: condition: %w", rel.goName, err)
	}
	for _, o := range rel.tags.order {
		column, err := r.compared(table, target, o.column)
		if err != nil {
			return nil, rel.fault("tag order: %w", err)
		}
		s.order = append(s.order, Order{column, o.desc})
	}
	return s, nil
}

// relation finds a relation by its Go name, sent or not.
func (d *decl) relation(goName string) *fieldDecl {
	for _, f := range slices.Concat(d.fields, d.unsent) {
		if f.goName == goName && f.target != nil {
			return f
		}
	}
	return nil
}

var errNotConstant = errors.New("what a value is made of is the same for every user: leave out the values that begin with $")

func (r *Registry) constantWhere(t *Table, d *decl, specs []CondSpec) ([]Condition, error) {
	b := &builder{registry: r, tree: &Tree{}}
	l := &Layer{Type: &Type{Table: t}}
	if err := b.restrict(l, d, specs, true); err != nil {
		return nil, err
	}
	if len(b.tree.Env) > 0 {
		return nil, errNotConstant
	}
	return l.Where, nil
}

// fill sets the relation's field to the related rows: all in the order of
// their keys, or the one that a has-one shows.
func (rel *relative) fill(v reflect.Value, rows []Row) error {
	field := fieldAt(v, rel.field.index)
	if !rel.field.many {
		if len(rows) == 0 {
			return nil
		}
		first := slices.MinFunc(rows, func(a, b Row) int { return compareRows(rel.order, a, b) })
		return rel.target.decode(rel.Table, first, pointed(field))
	}
	field.Set(reflect.MakeSlice(field.Type(), len(rows), len(rows)))
	for i, row := range rows {
		if err := rel.target.decode(rel.Table, row, pointed(field.Index(i))); err != nil {
			return err
		}
	}
	return nil
}

// pointed follows a pointer, which it makes.
func pointed(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return v.Elem()
	}
	return v
}

func compareRows(order []Order, a, b Row) int {
	for _, o := range order {
		c := a[o.Column].Compare(b[o.Column])
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// builtIn makes count, sum, min and max.
func (r *Registry) builtIn(f *fieldDecl) (*Aggregate, error) {
	relation, goName, _ := strings.Cut(f.tags.of[0], ".")
	rel, err := r.relative(f, relation, f.tags.filter)
	if err != nil {
		return nil, err
	}
	a := &Aggregate{Sources: []Source{rel.Source}}
	if f.tags.built == "count" {
		if f.kind != Int || goName != "" {
			return nil, f.fault("tag count: it counts the rows of a relation into an integer: write count:%s, and make the field an int", relation)
		}
		a.Value = func(_ Row, related [][]Row) Value { return IntValue(int64(len(related[0]))) }
		return a, nil
	}
	of := rel.target.field(goName)
	switch {
	case of == nil || !of.stored():
		return nil, f.fault("tag %s: %s has no column by the field %q: write %s:%s.FIELD", f.tags.built, rel.target.name, goName, f.tags.built, relation)
	case of.kind != f.kind:
		return nil, f.fault("tag %s: the column is %s and the field is %s: make them alike", f.tags.built, of.kind, f.kind)
	case f.tags.built == "sum" && f.kind != Int && f.kind != Float:
		return nil, f.fault("tag sum: %s has no sum: use an integer or a float", f.kind)
	case f.tags.built != "sum" && !f.nullable:
		return nil, f.fault("tag %s: of no rows it is null: make the field a pointer", f.tags.built)
	}
	column, err := r.compared(rel.Table, rel.target, of.column)
	if err != nil {
		return nil, f.fault("tag %s: %w", f.tags.built, err)
	}
	switch f.tags.built {
	case "sum":
		a.Value = func(_ Row, related [][]Row) Value { return sumOf(f.kind, related[0], column) }
	case "min":
		a.Value = func(_ Row, related [][]Row) Value { return extreme(related[0], column, -1) }
	default:
		a.Value = func(_ Row, related [][]Row) Value { return extreme(related[0], column, 1) }
	}
	return a, nil
}

// sumOf leaves NULL out, as SQL does; of nothing it is 0.
func sumOf(k Kind, rows []Row, column int) Value {
	if k == Int {
		var sum int64
		for _, row := range rows {
			sum += row[column].Int()
		}
		return IntValue(sum)
	}
	var sum float64
	for _, row := range rows {
		sum += row[column].Float()
	}
	return FloatValue(sum)
}

// extreme is the greatest value when side is 1, the least when it is -1.
func extreme(rows []Row, column, side int) Value {
	var best Value
	for _, row := range rows {
		if v := row[column]; !v.IsNull() && (best.IsNull() || cmp.Compare(v.Compare(best), 0) == side) {
			best = v
		}
	}
	return best
}

// hide adds the hidden layers for what the types of the layers compute of
// related rows, below all that is shown.
func (b *builder) hide() error {
	for _, l := range slices.Clone(b.tree.Layers) {
		for _, f := range l.Type.Fields {
			a := l.Type.Table.Columns[f.Column].Aggregate
			if a == nil {
				continue
			}
			for i, s := range a.Sources {
				place, err := b.registry.place("#"+s.Table.Name, s.Table)
				if err != nil {
					return err
				}
				l.Children = append(l.Children, b.add(&Layer{Path: fmt.Sprintf("%s=%s.%d", l.Path, f.Name, i), Type: place,
					Parent: l, Relation: HasMany, Link: s.Link, Where: s.Where, Hidden: true}))
			}
		}
	}
	return nil
}
