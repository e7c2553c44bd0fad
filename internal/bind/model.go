package bind

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// Model is a binding that has met the schema: what is told of a row, to whom, and
// what may be written of it. It is safe for concurrent use, once all that is
// declared is in the registry.
type Model struct {
	Spec *Spec
	// Stream is the binding's, Name that of the model in what is told.
	Stream, Name string
	Type         *schema.Type
	Table        *schema.Table
	// All is the column of the table by which a query asks for all rows. Order and
	// Limit are of the rows that a subscription begins with.
	All   int
	Order []schema.Order
	Limit int

	// told are the members of the data, in the order of the struct.
	told []member
	// ways are the many-to-many relations, which come after them: see full.
	ways []*schema.Between
	// offer is what may be written; nil when nothing may.
	offer *write.Offer
	// tail is what ends each payload.
	tail string
}

// member is one member of the data.
type member struct {
	schema.Field

	// start is its name with the colon; key tells that it is the key of what a
	// relation leads to.
	start string
	key   bool
}

func memberOf(f schema.Field, key bool) member { return member{f, string(quoted(f.Name)) + ":", key} }

// maxExact is the largest integer up to which JavaScript's numbers are exact.
const maxExact = 1<<53 - 1

// AppendKey appends a key as JSON: an integer as a number, as a string only
// beyond ±(2^53-1), where JavaScript has no exact numbers; a UUID and a text as a
// string, and a key of several columns as its text in routes.
func AppendKey(dst []byte, key schema.Value) []byte {
	f := schema.Field{Kind: key.Kind()}
	f.AsString = key.Kind() == schema.Int && (key.Int() > maxExact || key.Int() < -maxExact)
	return f.AppendJSON(dst, key)
}

// Key is a row's key as JSON, see [AppendKey].
func (m *Model) Key(row schema.Row) json.RawMessage { return AppendKey(nil, row[m.Table.Key]) }

// Gone tells whether a row is none for the binding: there is none, or it is
// deleted softly.
func (m *Model) Gone(row schema.Row) bool {
	if row == nil {
		return true
	}
	column := m.Type.SoftDelete()
	return column >= 0 && !row[column].IsNull()
}

// Groups are the groups that a row belongs to, each once; none when it is
// [Model.Gone]. An error is of GroupNames: it panicked, or a name is none.
func (m *Model) Groups(row schema.Row) ([]string, error) {
	if m.Gone(row) {
		return nil, nil
	}
	value, err := m.decode(row)
	if err != nil {
		return nil, err
	}
	var names []string
	err = m.guard("GroupNames", func() error {
		names = m.Spec.Groups(value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	groups := make([]string, 0, len(names))
	for _, name := range names {
		if err := broker.CheckGroup(name); err != nil {
			return nil, m.fault("GroupNames: %w", err)
		}
		if !slices.Contains(groups, name) {
			groups = append(groups, name)
		}
	}
	return groups, nil
}

// Encode is the data that is told of a row, as JSON: what Serialize makes of it,
// else an object of the declared fields. An error says that a value cannot be
// told as it is declared, or is Serialize's. The row is full.
func (m *Model) Encode(row schema.Row) (json.RawMessage, error) {
	if m.Spec.Serialize != nil {
		return m.serialize(row)
	}
	dst := make([]byte, 0, 32*(len(m.told)+1))
	dst = append(dst, '{')
	for i := range m.told {
		f := &m.told[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, f.start...)
		var err error
		if dst, err = f.append(dst, row[f.Column]); err != nil {
			return nil, m.fault("row %s: %w", row[m.Table.Key], err)
		}
	}
	dst, err := m.appendKeys(dst, row)
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

// Told is the payload that tells of a row: action, pk, data and model. That of a
// deletion has no data.
func (m *Model) Told(op Op, row schema.Row) (json.RawMessage, error) {
	return m.tell(op, row[m.Table.Key], row)
}

// tell is Told of a row of which, for a deletion, only the key is known.
func (m *Model) tell(op Op, key schema.Value, row schema.Row) (json.RawMessage, error) {
	dst := strconv.AppendQuote([]byte(`{"action":`), string(op))
	dst = AppendKey(append(dst, `,"pk":`...), key)
	if op != Delete {
		data, err := m.Encode(row)
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, `,"data":`...), data...)
	}
	return append(dst, m.tail...), nil
}

// quoted is a text as JSON.
func quoted(text string) []byte {
	f := schema.Field{Kind: schema.Text}
	return f.AppendJSON(nil, schema.TextValue(text))
}

// millis is the length of a time's text up to its milliseconds.
const millis = len("2006-01-02T15:04:05.000")

func (f *member) append(dst []byte, v schema.Value) ([]byte, error) {
	if f.key && !v.IsNull() {
		return AppendKey(dst, v), nil
	}
	if err := f.Check(v); err != nil {
		return nil, err
	}
	if v.Kind() == schema.Time {
		return append(append(append(dst, '"'), v.Str()[:millis]...), `Z"`...), nil
	}
	return f.AppendJSON(dst, v), nil
}

func (m *Model) serialize(row schema.Row) (data json.RawMessage, err error) {
	value, err := m.decodeFull(row)
	if err != nil {
		return nil, err
	}
	err = m.guard("Serialize", func() error {
		made, err := m.Spec.Serialize(value)
		if err != nil {
			return err
		}
		data, err = json.Marshal(made)
		return err
	})
	if err != nil {
		return nil, m.fault("Serialize: row %s: %w", row[m.Table.Key], err)
	}
	return data, nil
}

// decode is a row as a *T.
func (m *Model) decode(row schema.Row) (any, error) {
	into := reflect.New(m.Type.GoType).Interface()
	if err := m.Type.Decode(row, into); err != nil {
		return nil, m.fault("%w", err)
	}
	return into, nil
}

// guard makes an error of a panic in the author's code.
func (m *Model) guard(what string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked(what+" of binding "+m.Stream, p)
		}
	}()
	return call()
}

func (m *Model) fault(format string, args ...any) error {
	return fmt.Errorf("binding %s: %w", m.Stream, fmt.Errorf(format, args...))
}
