package write

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// Change is a write as the app's functions see it. It is used while they run,
// by one goroutine.
type Change struct {
	offer *Offer
	op    Op
	// sent has the names of data by their columns, but for those that the server
	// has set to its own values.
	sent map[int]string
	// faults are what is wrong with single values.
	faults map[string]string
	names  []string // of data, in the order of the fields
	old    schema.Row
	// values are the client's. Next is the row as it would be, but for its derived
	// columns; given are the columns of it to set.
	values []feed.Assignment
	next   schema.Row
	given  map[int]bool
	// decided tells that the channel has permitted the change as it is.
	decided bool
}

func newChange(o *Offer, op Op) *Change {
	return &Change{offer: o, op: op, sent: map[int]string{}, given: map[int]bool{}, faults: map[string]string{}}
}

// Type is the type of the row.
func (c *Change) Type() *schema.Type { return c.offer.Type }

// Old is the row as it is, nil for one that is created.
func (c *Change) Old() schema.Row { return c.old }

// New is the row as it would be, with its computed columns. What the database
// sets by itself, as defaults, is not in it.
func (c *Change) New() schema.Row { return c.Type().Table.Complete(slices.Clone(c.next)) }

// Has tells whether the client sets a field, by its name on the wire or in Go. It
// panics when there is none: a name that is misspelt must permit nothing.
func (c *Change) Has(field string) bool {
	known := c.stored(field) != nil
	for _, f := range c.offer.Fields {
		if f.GoName == field && slices.Contains(c.names, f.Name) {
			return true
		}
		known = known || f.GoName == field || f.Name == field
	}
	if !known {
		panic(fmt.Sprintf("Data.Has: %s has no field %q that is stored, or that clients may set", c.Type().Name, field))
	}
	return slices.Contains(c.names, field)
}

// Fields are the names on the wire of what the client sets.
func (c *Change) Fields() []string { return slices.Clone(c.names) }

// Set sets a field to a value of the server's own.
func (c *Change) Set(field string, value any) error {
	f := c.stored(field)
	switch {
	case c.decided:
		return fmt.Errorf("set %s of %s: the permission function has returned", field, c.Type().Name)
	case f == nil:
		return fmt.Errorf("set %s of %s: there is no such stored field", field, c.Type().Name)
	case c.op == Delete:
		return fmt.Errorf("set %s of %s: the row is to be deleted", field, c.Type().Name)
	case c.op == Save && c.isKey(f.Column):
		return fmt.Errorf("set %s of %s: the key of a row does not change", field, c.Type().Name)
	}
	v, err := f.Value(value)
	if err != nil {
		return fmt.Errorf("set %s: %w", c.Type().Name, err)
	}
	c.set(f.Column, v)
	return nil
}

// stored finds a field by its Go name, else by its name on the wire.
func (c *Change) stored(name string) *schema.StoredField {
	for _, match := range []func(f schema.StoredField) bool{
		func(f schema.StoredField) bool { return f.GoName == name },
		func(f schema.StoredField) bool { return f.Name == name },
	} {
		if i := slices.IndexFunc(c.offer.stored, match); i >= 0 {
			return &c.offer.stored[i]
		}
	}
	return nil
}

func (c *Change) isKey(column int) bool {
	t := c.Type().Table
	return column == t.Key || slices.Contains(t.Columns[t.Key].Parts, column)
}

// set sets a column to a value of the server's, which needs no permission.
func (c *Change) set(column int, v schema.Value) {
	delete(c.sent, column)
	c.given[column] = true
	c.next[column] = v
}

// parse reads the client's data. Unknown names are an error; what is wrong with
// values is told once it is known that the row may be written.
func (c *Change) parse(data map[string]json.RawMessage) error {
	if c.op == Delete && len(data) > 0 {
		return rpc.Errorf("bad_request", "delete has no data")
	}
	read, err := c.read(data, c.offer.Fields)
	if err != nil {
		return err
	}
	for _, v := range read {
		known, twice := c.sent[v.Column]
		switch {
		case v.fault != "":
			c.faults[v.name] = v.fault
		case twice:
			c.faults[v.name] = "is " + known + " by another name"
		}
		c.sent[v.Column] = v.name
		c.values, c.names = append(c.values, v.Assignment), append(c.names, v.name)
	}
	return nil
}

// value is one value of a request; fault is what is wrong with it.
type value struct {
	feed.Assignment

	name, fault string
}

// read reads values by the fields that they are of, in the order of the fields.
func (c *Change) read(data map[string]json.RawMessage, fields []schema.WriteField) ([]value, error) {
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !slices.ContainsFunc(fields, func(f schema.WriteField) bool { return f.Name == name }) {
			return nil, rpc.Errorf("unknown_write", "%s of %s does not offer the field %q", c.op, c.Type().Name, name)
		}
	}
	var values []value
	for i := range fields {
		f := &fields[i]
		raw, ok := data[f.Name]
		if !ok {
			continue
		}
		v := value{name: f.Name}
		v.Column = f.Column
		var err error
		if v.Value, err = f.Parse(c.Type(), raw); err != nil {
			v.fault = err.Error()
		}
		values = append(values, v)
	}
	return values, nil
}

// begin puts the client's values on the row as it is, nil for a new one. Those that
// are faulty are left out: they are told of before anything is written.
func (c *Change) begin(old schema.Row) {
	c.old, c.next = old, slices.Clone(old)
	if old == nil {
		c.next = make(schema.Row, len(c.Type().Table.Columns))
	}
	for i, v := range c.values {
		if c.faults[c.names[i]] != "" {
			continue
		}
		c.next[v.Column], c.given[v.Column] = v.Value, true
	}
}

// stand sets what makes a new row one of the layer: the link to its parent, and
// what the client does not set of the values that the conditions ask for. A key
// that is a UUID is made.
func (c *Change) stand(l *schema.Layer, parent schema.Row, s *Stream) {
	if parent != nil {
		c.setLink(l.Link, parent[l.Parent.Type.Table.Key])
	}
	for at := l; at != nil; at = at.Through {
		for i := range at.Where {
			c.meet(&at.Where[i], s.Env)
		}
		if at.UserKey >= 0 && !c.given[at.UserKey] {
			c.set(at.UserKey, s.User)
		}
	}
	c.makeKey()
}

// makeKey makes a key that is a UUID.
func (c *Change) makeKey() {
	t := c.Type().Table
	if t.Columns[t.Key].Kind == schema.UUID && !c.given[t.Key] {
		c.set(t.Key, newUUID())
	}
}

// meet sets the value that an equality asks for.
func (c *Change) meet(cond *schema.Condition, env []schema.Value) {
	if cond.Op != schema.Eq && cond.Op != schema.In || len(cond.Operands) != 1 || c.given[cond.Column] {
		return
	}
	c.set(cond.Column, cond.Operands[0].In(env))
}

// setLink sets a link, of several columns too.
func (c *Change) setLink(column int, key schema.Value) {
	parts := c.Type().Table.Columns[column].Parts
	if parts == nil {
		c.set(column, key)
		return
	}
	for i, v := range key.Parts() {
		c.set(parts[i], v)
	}
}

// assignments are the columns to set, ascending.
func (c *Change) assignments() []feed.Assignment {
	var set []feed.Assignment
	for _, column := range slices.Sorted(maps.Keys(c.given)) {
		set = append(set, feed.Assignment{Column: column, Value: c.next[column]})
	}
	return set
}

// sentIn is the name by which the client sets one of the columns.
func (c *Change) sentIn(columns []int) (string, bool) {
	for _, column := range columns {
		if name, ok := c.sent[column]; ok {
			return name, true
		}
	}
	return "", false
}

// leads is where a link leads of the row as it would be, NULL for nowhere.
func (c *Change) leads(l *link) schema.Value {
	if len(l.parts) == 1 && l.parts[0] == l.column {
		return c.next[l.column]
	}
	parts := make([]schema.Value, len(l.parts))
	for i, p := range l.parts {
		if parts[i] = c.next[p]; parts[i].IsNull() {
			return schema.Value{}
		}
	}
	return schema.TupleValue(parts...)
}

// newUUID returns a random UUID, version 4.
func newUUID() schema.Value {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	v, _ := schema.UUID.FromDriver(raw)
	return v
}
