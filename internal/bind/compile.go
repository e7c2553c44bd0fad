package bind

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// AllFields stands for all fields in Spec.Fields.
const AllFields = "__all__"

// MaxRows is the number of rows that a subscription begins with at most.
const MaxRows = 10_000

// Compile checks a binding and has the registry follow its table, with the rows as
// they were. The trees of all channels have to be in the registry already. An
// error names the binding, the field and the mend.
func Compile(reg *schema.Registry, spec *Spec) (*Model, error) {
	m := &Model{Spec: spec, Stream: spec.Stream, Name: spec.Model, Limit: spec.Limit}
	if err := m.compile(reg); err != nil {
		return nil, fmt.Errorf("binding %q of %s: %w", spec.Stream, spec.GoType, err)
	}
	return m, nil
}

func (m *Model) compile(reg *schema.Registry) error {
	if err := m.Spec.check(); err != nil {
		return err
	}
	var err error
	if m.Type, err = reg.Model(m.Spec.GoType); err != nil {
		return err
	}
	m.Table = m.Type.Table
	m.All = reg.Whole(m.Table)
	if m.Name == "" {
		m.Name = modelName(m.Spec.GoType)
	}
	m.tail = `,"model":` + string(quoted(m.Name)) + `}`
	if m.Limit == 0 {
		m.Limit = MaxRows
	}
	names, err := m.names()
	if err != nil {
		return err
	}
	if err := m.pick(reg, names); err != nil {
		return err
	}
	if err := m.sort(reg); err != nil {
		return err
	}
	return m.offers(names)
}

// check finds what is missing, or cannot be.
func (s *Spec) check() error {
	switch {
	case !wire.ValidStream(s.Stream):
		return errors.New("no Stream: give a name of 1 to 64 of A-Z a-z 0-9 . _ -")
	case len(s.Fields) == 0:
		return errors.New("no Fields: name the fields that are told and may be written, or all by mux.AllFields")
	case slices.Contains(s.Fields, AllFields) && len(s.Fields) > 1:
		return errors.New("mux.AllFields stands for all Fields: leave out the others, or it")
	case s.Groups == nil:
		return errors.New("GroupNames is missing: give a function that returns the groups of a row")
	case s.Permit == nil && (s.Create != nil || s.Update != nil || s.Delete != nil):
		return errors.New("HasPermission is missing, so that nothing may be written: give it, or leave out Create, Update and Delete")
	case s.Limit < 0 || s.Limit > MaxRows:
		return fmt.Errorf("a Limit of %d: give 1 to %d, or 0 for the most", s.Limit, MaxRows)
	default:
		return nil
	}
}

// modelName is "app.message" for a struct Message of a package app. A program's
// package is named for its folder.
func modelName(t reflect.Type) string {
	folder := t.PkgPath()
	if folder == "main" {
		folder = program()
	}
	return strings.ToLower(path.Base(folder) + "." + t.Name())
}

// program is the import path of the running program, as far as it is known.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" || info.Path == "command-line-arguments" {
		return "main"
	}
	return info.Path
}

// names are the names of the declared fields.
func (m *Model) names() ([]string, error) {
	if slices.Contains(m.Spec.Fields, AllFields) {
		return m.all()
	}
	names := m.Spec.Fields
	for i, name := range names {
		switch known := m.field(name) != nil; {
		case slices.Contains(names[:i], name):
			return nil, fmt.Errorf("field %q is named twice in Fields: leave one out", name)
		case m.isKey(name):
			return nil, fmt.Errorf("field %q in Fields is the key, which is told as pk and never written: leave it out", name)
		case !known && !slices.Contains(m.Type.Betweens(), name):
			return nil, m.unknown(name)
		}
	}
	return names, nil
}

// all are the names of all fields but the key. The key of a relation whose column
// is a field of its own is told by that, and what tells deleted rows is not told.
func (m *Model) all() ([]string, error) {
	if name := m.Type.Related(); name != "" {
		return nil, fmt.Errorf("field %q: %w, and name the fields in the place of mux.AllFields", name, m.Type.Unbound(name))
	}
	var names []string
	seen := map[int]bool{}
	for _, f := range m.fields() {
		link := slices.ContainsFunc(m.Type.Links, func(l schema.Field) bool { return l.Name == f.Name })
		if m.isKey(f.Name) || f.Column == m.Type.SoftDelete() || link && seen[f.Column] {
			continue
		}
		seen[f.Column] = true
		names = append(names, f.Name)
	}
	names = append(names, m.Type.Betweens()...)
	if len(names) == 0 {
		return nil, errors.New("the struct has no field but the key: add one")
	}
	return names, nil
}

// fields are all that could be declared, relations last.
func (m *Model) fields() []schema.Field {
	all := slices.Concat(m.Type.Fields, m.Type.WriteOnly, m.Type.Links)
	return slices.DeleteFunc(all, func(f schema.Field) bool { return f.Hidden })
}

func (m *Model) field(name string) *schema.Field {
	for _, f := range m.fields() {
		if f.Name == name {
			return &f
		}
	}
	return nil
}

// isKey tells whether a field is the key, or a part of it.
func (m *Model) isKey(name string) bool {
	f := m.field(name)
	key := m.Table.Key
	return f != nil && (f.Column == key || slices.Contains(m.Table.Columns[key].Parts, f.Column))
}

func (m *Model) unknown(name string) error {
	if err := m.Type.Unbound(name); err != nil {
		return fmt.Errorf("field %q in Fields: %w", name, err)
	}
	var known []string
	for _, f := range m.fields() {
		if !m.isKey(f.Name) {
			known = append(known, f.Name)
		}
	}
	known = append(known, m.Type.Betweens()...)
	return fmt.Errorf("field %q in Fields: the struct has none of this name: use %s", name, strings.Join(known, ", "))
}

// pick finds the fields that are told of a row.
func (m *Model) pick(reg *schema.Registry, names []string) error {
	for _, f := range m.Type.Fields {
		if slices.Contains(names, f.Name) && !f.Hidden {
			m.told = append(m.told, memberOf(f, false))
		}
	}
	for _, f := range m.Type.Links {
		if slices.Contains(names, f.Name) {
			m.told = append(m.told, memberOf(f, true))
		}
	}
	for _, name := range m.Type.Betweens() {
		if !slices.Contains(names, name) {
			continue
		}
		way, err := reg.Between(m.Type, name, m.Spec.Permit != nil)
		if err != nil {
			return err
		}
		m.ways = append(m.ways, way)
	}
	return nil
}

// sort reads the order of a subscription's rows, by columns that a client is told.
func (m *Model) sort(reg *schema.Registry) error {
	for _, column := range m.Spec.OrderBy {
		plain := strings.TrimPrefix(column, "-")
		told := slices.ContainsFunc(m.told, func(f member) bool { return m.Table.Columns[f.Column].Name == plain })
		if !told && m.Table.Columns[m.Table.Key].Name != plain {
			return fmt.Errorf("OrderBy: column %q is not told, so that no client could keep the order: name its field in Fields, or use another", plain)
		}
	}
	var err error
	if m.Order, err = reg.SortModel(m.Type, m.Spec.OrderBy); err != nil {
		return fmt.Errorf("OrderBy: %w", err)
	}
	return nil
}

// offers finds what may be written.
func (m *Model) offers(names []string) error {
	if m.Spec.Permit == nil {
		return nil
	}
	if column := m.Type.SoftDelete(); m.Spec.Delete == nil && column >= 0 && m.Table.Columns[column].Kind != schema.Time {
		c := m.Table.Columns[column]
		return fmt.Errorf("column %s tells deleted rows and is %s: make it a time, or give Delete", c.Name, c.Kind)
	}
	fields := slices.DeleteFunc(m.Type.ModelFields(), func(f schema.WriteField) bool { return !slices.Contains(names, f.Name) })
	validate, err := write.Validator(m.Type)
	if err != nil {
		return err
	}
	m.offer = write.Alone(m.Type, fields, validate)
	return nil
}

// Writable tells whether clients may write at all.
func (m *Model) Writable() bool { return m.offer != nil }

// Binding is what generated code tells of the model.
func (m *Model) Binding() *schema.Binding {
	key := m.Type.Fields[m.Type.Key]
	b := &schema.Binding{
		Stream: m.Stream, Model: m.Name, Package: m.Spec.GoType.PkgPath(), Type: m.Type,
		Key: written(&key), Writable: m.Writable(), Serialized: m.Spec.Serialize != nil,
	}
	for _, f := range m.told {
		b.Fields = append(b.Fields, written(&f.Field))
		if f.key {
			b.Keys = append(b.Keys, f.Name)
		}
		if m.offer == nil || !slices.ContainsFunc(m.offer.Fields, func(w schema.WriteField) bool { return w.Name == f.Name }) {
			b.ReadOnly = append(b.ReadOnly, f.Name)
		}
	}
	for _, w := range m.ways {
		b.Fields = append(b.Fields, schema.WriteField{
			Name: w.Name, Shown: w.Name, Column: -1, Kind: schema.JSON, GoType: w.GoType, GoName: w.GoName, Element: w.Key.Kind,
		})
		b.Keys = append(b.Keys, w.Name)
		if m.offer == nil {
			b.ReadOnly = append(b.ReadOnly, w.Name)
		}
	}
	if m.offer != nil {
		only := slices.DeleteFunc(slices.Clone(m.offer.Fields), func(w schema.WriteField) bool { return w.Shown != "" })
		b.Fields = append(b.Fields, only...)
	}
	for i, o := range m.Order {
		name := key.Name
		for _, f := range m.told {
			if f.Column == o.Column {
				name = f.Name
				break
			}
		}
		if strings.HasPrefix(m.Spec.OrderBy[i], "-") {
			name = "-" + name
		}
		b.OrderBy = append(b.OrderBy, name)
	}
	return b
}

// written is a field as the manifest has it.
func written(f *schema.Field) schema.WriteField {
	return schema.WriteField{
		Name: f.Name, Shown: f.Name, Column: f.Column, Kind: f.Kind, Nullable: f.Nullable, AsString: f.AsString,
		GoType: f.GoType, GoName: f.GoName,
	}
}
