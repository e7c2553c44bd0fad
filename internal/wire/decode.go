package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// StateFrame is the payload of a state frame as a client receives it.
type StateFrame struct {
	V uint64 `json:"v"`
	// Snapshot is empty for patches.
	Snapshot string               `json:"snapshot"`
	Set      [][2]json.RawMessage `json:"set"`
	Upd      [][]json.RawMessage  `json:"upd"`
	Del      [][2]json.RawMessage `json:"del"`
}

// Decoder reads state frames by the types that a hello has announced into the
// types of one tree. What either side does not know of is left out, as a client
// does. It is immutable.
type Decoder struct{ types []remote }

// remote is an announced type with what it is here; typ is nil for one that is
// unknown here, and so are the entries of fields that are.
type remote struct {
	typ    *schema.Type
	fields []*schema.Field
}

// NewDecoder returns a decoder of a hello's types. The places of a list are
// read as those of the channel that the server opened, whatever tree calls
// them; it is an error when they say more than the tree knows.
func NewDecoder(announced []Type, tree *schema.Tree, channel string) (*Decoder, error) {
	local := map[string]*schema.Type{}
	for _, l := range tree.Layers {
		if !l.Hidden {
			local[l.Type.Name] = l.Type
		}
	}
	var list *schema.Type
	if tree.Root.Relation == schema.List {
		list = tree.Root.Type
		delete(local, list.Name)
		local["@"+channel] = list
	}
	d := &Decoder{types: make([]remote, len(announced))}
	for i, a := range announced {
		// Where several packages use a name the server puts theirs in front.
		typ := local[a.Name]
		if typ == nil {
			typ = local[a.Name[strings.LastIndexByte(a.Name, '.')+1:]]
		}
		if typ == nil {
			continue
		}
		d.types[i] = remote{typ, fieldsOf(typ, a.Fields)}
		if at := slices.Index(d.types[i].fields, nil); at >= 0 && typ == list {
			return nil, fmt.Errorf("the rows of %s have places by %s, which its tree here does not know: give it the order of the channel", channel, a.Fields[at])
		}
	}
	return d, nil
}

// fieldsOf finds the announced fields. One that is shown there may only place
// rows here.
func fieldsOf(t *schema.Type, names []string) []*schema.Field {
	fields := make([]*schema.Field, len(names))
	for i, name := range names {
		at := slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == name })
		if at < 0 {
			at = slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == "@"+name })
		}
		if at >= 0 {
			fields[i] = &t.Fields[at]
		}
	}
	return fields
}

// Missing names what the tree knows and the hello has not announced: types, and
// fields as "Type.field". The places of a list are left out, as NewDecoder sees
// to them.
func (d *Decoder) Missing(tree *schema.Tree) []string {
	var missing []string
	for _, l := range tree.Layers {
		if l.Hidden || l.Relation == schema.List {
			continue
		}
		at := slices.IndexFunc(d.types, func(r remote) bool { return r.typ == l.Type })
		if at < 0 {
			missing = append(missing, l.Type.Name)
			continue
		}
		for i := range l.Type.Fields {
			if f := &l.Type.Fields[i]; !slices.Contains(d.types[at].fields, f) {
				missing = append(missing, l.Type.Name+"."+f.Name)
			}
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// Apply applies a frame's rows to a store: deletions, then whole rows, then
// changed fields. After an error, which names what is wrong with the frame,
// the store is of no use.
func (d *Decoder) Apply(f *StateFrame, into *state.Store) error {
	for _, r := range f.Del {
		if err := d.remove(r, into); err != nil {
			return fmt.Errorf("del %s: %w", r, err)
		}
	}
	for _, r := range f.Set {
		if err := d.set(r, into); err != nil {
			return fmt.Errorf("set %s: %w", r, err)
		}
	}
	for _, r := range f.Upd {
		if err := d.update(r, into); err != nil {
			return fmt.Errorf("upd %s: %w", r, err)
		}
	}
	return nil
}

// Adopt makes of the rows that another decoder of the same hello has read what
// this one would have read. It is an error when this one knows a field that
// the other does not.
func (d *Decoder) Adopt(from *Decoder, rows *state.Store) (*state.Store, error) {
	own := state.NewStore()
	for i := range d.types {
		to, of := &d.types[i], &from.types[i]
		if to.typ == nil {
			continue
		}
		for at, f := range to.fields {
			if f != nil && (of.typ == nil || of.fields[at] == nil) {
				return nil, fmt.Errorf("%s.%s was not read", to.typ.Name, f.Name)
			}
		}
		rows.Each(of.typ, func(row schema.Row) { own.Set(to.adopt(of, row)) })
	}
	return own, nil
}

// adopt makes an instance of a row of another's type.
func (r *remote) adopt(of *remote, row schema.Row) state.Instance {
	mine := make(schema.Row, len(r.typ.Table.Columns))
	for at, f := range r.fields {
		if f != nil {
			mine[f.Column] = row[of.fields[at].Column]
		}
	}
	return state.Instance{Ref: state.Ref{Type: r.typ, Key: mine[r.typ.Table.Key]}, Row: mine}
}

func (d *Decoder) remote(id json.RawMessage) (*remote, error) {
	var i int
	if err := json.Unmarshal(id, &i); err != nil || i < 0 || i >= len(d.types) {
		return nil, fmt.Errorf("hello has no type %s", id)
	}
	return &d.types[i], nil
}

func (r *remote) ref(key json.RawMessage) (state.Ref, error) {
	v, err := r.typ.Fields[r.typ.Key].ParseWire(key)
	return state.Ref{Type: r.typ, Key: v}, err
}

func (d *Decoder) remove(in [2]json.RawMessage, into *state.Store) error {
	r, err := d.remote(in[0])
	if err != nil || r.typ == nil {
		return err
	}
	ref, err := r.ref(in[1])
	into.Delete(ref)
	return err
}

func (d *Decoder) set(in [2]json.RawMessage, into *state.Store) error {
	r, err := d.remote(in[0])
	if err != nil || r.typ == nil {
		return err
	}
	var values []json.RawMessage
	if err := json.Unmarshal(in[1], &values); err != nil {
		return err
	}
	row := make(schema.Row, len(r.typ.Table.Columns))
	for i, raw := range values {
		if err := r.assign(row, i, raw); err != nil {
			return err
		}
	}
	into.Set(state.Instance{Ref: state.Ref{Type: r.typ, Key: row[r.typ.Table.Key]}, Row: row})
	return nil
}

func (d *Decoder) update(in []json.RawMessage, into *state.Store) error {
	if len(in) < 2 || len(in)%2 != 0 {
		return fmt.Errorf("%d elements, want type, key and pairs", len(in))
	}
	r, err := d.remote(in[0])
	if err != nil || r.typ == nil {
		return err
	}
	ref, err := r.ref(in[1])
	row := slices.Clone(into.Get(ref))
	if err != nil || row == nil {
		return err
	}
	for i := 2; i < len(in); i += 2 {
		var at int
		if err := json.Unmarshal(in[i], &at); err != nil || at < 0 {
			return fmt.Errorf("field %s is no index", in[i])
		}
		if err := r.assign(row, at, in[i+1]); err != nil {
			return err
		}
	}
	into.Set(state.Instance{Ref: ref, Row: row})
	return nil
}

// assign sets an announced field, if it is known here.
func (r *remote) assign(row schema.Row, at int, raw json.RawMessage) error {
	if at >= len(r.fields) || r.fields[at] == nil {
		return nil
	}
	f := r.fields[at]
	v, err := f.ParseWire(raw)
	if err != nil {
		return fmt.Errorf("field %s: %w", f.Name, err)
	}
	row[f.Column] = v
	return nil
}
