package wire

import (
	"encoding/json"
	"errors"
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
// them.
func NewDecoder(announced []Type, tree *schema.Tree, channel string) *Decoder {
	local := map[string]*schema.Type{}
	for _, l := range tree.Layers {
		if !l.Hidden {
			local[l.Type.Name] = l.Type
		}
	}
	if tree.Root.Relation == schema.List {
		delete(local, tree.Root.Type.Name)
		local["@"+channel] = tree.Root.Type
	}
	d := &Decoder{types: make([]remote, len(announced))}
	for i, a := range announced {
		// Where several packages use a name the server puts theirs in front.
		typ := local[a.Name]
		if typ == nil {
			typ = local[a.Name[strings.LastIndexByte(a.Name, '.')+1:]]
		}
		if typ != nil {
			d.types[i] = remote{typ, fieldsOf(typ, a.Fields)}
		}
	}
	return d
}

func fieldsOf(t *schema.Type, names []string) []*schema.Field {
	fields := make([]*schema.Field, len(names))
	for i, name := range names {
		if at := slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == name }); at >= 0 {
			fields[i] = &t.Fields[at]
		}
	}
	return fields
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

func (d *Decoder) remote(id json.RawMessage) (*remote, error) {
	var i int
	if err := json.Unmarshal(id, &i); err != nil || i < 0 || i >= len(d.types) {
		return nil, fmt.Errorf("hello has no type %s", id)
	}
	return &d.types[i], nil
}

func (r *remote) ref(key json.RawMessage) (state.Ref, error) {
	v, err := parse(r.typ, &r.typ.Fields[r.typ.Key], key)
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
	v, err := parse(r.typ, f, raw)
	if err != nil {
		return fmt.Errorf("field %s: %w", f.Name, err)
	}
	row[f.Column] = v
	return nil
}

// parse reads a value of a field.
func parse(t *schema.Type, f *schema.Field, raw json.RawMessage) (schema.Value, error) {
	if f.Kind != schema.Tuple || string(raw) == "null" {
		return f.Kind.ParseWire(raw)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return schema.Value{}, errTuple
	}
	return parseTuple(t.Table, f.Column, text)
}

// ParseKey reads a key of a type as it stands in a route.
func ParseKey(t *schema.Type, text string) (schema.Value, error) {
	f := &t.Fields[t.Key]
	if f.Kind != schema.Tuple {
		return f.Kind.ParseText(text)
	}
	return parseTuple(t.Table, f.Column, text)
}

var errTuple = errors.New("want the texts of a tuple's parts with commas between them")

// tupleParts undoes the escapes that keep commas between parts apart from
// those in them.
var tupleParts = strings.NewReplacer("%25", "%", "%2C", ",")

// parseTuple reads the text of a tuple, whose parts are of its columns' kinds.
func parseTuple(t *schema.Table, column int, text string) (schema.Value, error) {
	parts := t.Columns[column].Parts
	texts := strings.Split(text, ",")
	if len(parts) == 0 && text == "" {
		texts = nil
	}
	if len(texts) != len(parts) {
		return schema.Value{}, errTuple
	}
	values := make([]schema.Value, len(parts))
	for i, p := range parts {
		v, err := t.Columns[p].Kind.ParseText(tupleParts.Replace(texts[i]))
		if err != nil {
			return schema.Value{}, fmt.Errorf("part %d: %w", i+1, err)
		}
		values[i] = v
	}
	return schema.TupleValue(values...), nil
}
