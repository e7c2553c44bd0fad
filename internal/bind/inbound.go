package bind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Receive carries out a message of a client, a JSON object of action, pk and data,
// in a transaction of its own, and returns what others are told of it: of a row
// that an update has taken away, that it is deleted.
//
// # Order of checks
//
//  1. The action is one of [Op], and the fields of data are declared, else
//     "bad_request" or "invalid".
//  2. The row exists, else "not_found". It is locked.
//  3. HasPermission permits it, else "denied".
//  4. The values are what their fields take, and the row as it would be is valid
//     to the app, else "invalid".
//  5. The statement, or the binding's own function; what a constraint refuses is
//     "conflict" or "invalid".
func (m *Model) Receive(
	ctx context.Context, transact Transact, user token.Identity, payload json.RawMessage,
) (json.RawMessage, error) {
	r, err := m.parse(payload)
	if err != nil {
		return nil, err
	}
	if m.offer == nil {
		return nil, rpc.Errorf("denied", "nothing of %s may be written", m.Name)
	}
	reply, err := transact(ctx, func(ctx context.Context, tx feed.Tx) (json.RawMessage, error) {
		t := &turn{Model: m, tx: tx, user: user, request: r}
		return t.run(ctx)
	})
	if err != nil {
		return nil, m.fault("%s: %w", r.op, m.offer.Refused(writes[r.op], r.data, err))
	}
	return reply, nil
}

// request is a client's message.
type request struct {
	op   Op
	key  schema.Value // NULL for what is no key
	data map[string]json.RawMessage
	// keys are those of the many-to-many relations, nil for each that is not in data.
	keys [][]schema.Value
}

// writes are the operations as package write has them.
var writes = map[Op]write.Op{Create: write.Create, Update: write.Save, Delete: write.Delete}

// parse reads a message and checks what it says by itself.
func (m *Model) parse(payload json.RawMessage) (*request, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return nil, rpc.Errorf("bad_request", "a message is an object of action, pk and data")
	}
	r := &request{}
	if err := json.Unmarshal(members["action"], &r.op); err != nil || writes[r.op] == "" {
		return nil, rpc.Errorf("bad_request", "action is one of create, update, delete, subscribe and unsubscribe")
	}
	if r.op != Create {
		if text := members["pk"]; text == nil || string(text) == "null" {
			return nil, rpc.Errorf("bad_request", "pk is missing: %s is of one row", r.op)
		}
		r.key = m.parseKey(members["pk"])
	}
	if r.op == Delete {
		return r, nil
	}
	if err := json.Unmarshal(members["data"], &r.data); err != nil || r.data == nil {
		return nil, rpc.Errorf("bad_request", "data is missing, or no object")
	}
	if err := m.declared(r); err != nil {
		return nil, err
	}
	return r, m.takeKeys(r)
}

// maxKey bounds the text of a key.
const maxKey = 1 << 10

// parseKey reads a key as AppendKey writes it; an integer may always be a string.
// What is no key is NULL: the key of no row.
func (m *Model) parseKey(raw json.RawMessage) schema.Value {
	if len(raw) > maxKey {
		return schema.Value{}
	}
	key, err := m.Type.Fields[m.Type.Key].ParseWire(raw)
	if err != nil {
		return schema.Value{}
	}
	return key
}

// declared refuses data of fields that are not declared, or not to be written. The
// key of a row that is created is dropped: the database gives it.
func (m *Model) declared(r *request) error {
	faults := map[string]string{}
	for name := range r.data {
		if r.op == Create && m.keyNamed(name) {
			delete(r.data, name)
			continue
		}
		offered := m.offer == nil || m.way(name) >= 0 || slices.ContainsFunc(m.offer.Fields, func(f schema.WriteField) bool { return f.Name == name })
		if !offered {
			faults[name] = "is no field that may be written"
		}
	}
	if len(faults) > 0 {
		return rpc.InFields("invalid", faults)
	}
	return nil
}

// keyNamed tells whether a member of data is the key, or a part of it, and not a
// declared field.
func (m *Model) keyNamed(name string) bool {
	return m.isKey(name) || name == "pk" && m.field(name) == nil
}

// turn is one message under way, in one attempt at its transaction.
type turn struct {
	*Model

	tx      feed.Tx
	user    token.Identity
	request *request
	change  *write.Change
	// tied are the rows of the tables between that lead from the row as it is.
	tied [][]schema.Row
}

func (t *turn) run(ctx context.Context) (json.RawMessage, error) {
	var old schema.Row
	if t.request.op != Create {
		var err error
		if old, err = t.row(ctx, t.request.key); err != nil {
			return nil, err
		}
		if t.Gone(old) {
			return nil, rpc.Errorf("not_found", "there is no such row")
		}
	}
	var err error
	if t.tied, err = t.ties(ctx, t.request.key); err != nil {
		return nil, err
	}
	change, err := t.offer.Draft(writes[t.request.op], t.request.data, old)
	if err != nil {
		return nil, err
	}
	t.change = change
	if err := t.permit(ctx, old); err != nil {
		return nil, err
	}
	if err := change.Valid(ctx); err != nil {
		return nil, err
	}
	if err := t.exist(ctx); err != nil {
		return nil, err
	}
	key, err := t.make(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.tie(ctx, key); err != nil {
		return nil, err
	}
	return t.reply(ctx, key)
}

// row reads and locks the row with a key, nil for none.
func (t *turn) row(ctx context.Context, key schema.Value) (schema.Row, error) {
	if key.IsNull() {
		return nil, nil
	}
	var found schema.Row
	q := feed.Query{Table: t.Table, Column: t.Table.Key, Values: []schema.Value{key}}
	err := t.tx.Rows(ctx, q, feed.Exclusive, func(row schema.Row) error {
		found = row
		return nil
	})
	return found, err
}

// permit asks HasPermission about the row as it is and as it would be.
func (t *turn) permit(ctx context.Context, old schema.Row) error {
	var before, after any
	var err error
	if old != nil {
		if before, err = t.decodeFull(t.full(old, t.keysOf(t.tied))); err != nil {
			return err
		}
	}
	if t.request.op != Delete {
		if after, err = t.decodeFull(t.next()); err != nil {
			return err
		}
	}
	var may bool
	err = t.guard("HasPermission", func() (err error) {
		may, err = t.Spec.Permit(ctx, t.user, t.request.op, before, after)
		return err
	})
	if err == nil && !may {
		return rpc.Errorf("denied", "%s is not permitted", t.request.op)
	}
	return err
}

// make does what was asked for, by the binding's own function where it has one, and
// returns the row's key.
func (t *turn) make(ctx context.Context) (schema.Value, error) {
	key := t.request.key
	switch s := t.Spec; {
	case t.request.op == Create && s.Create != nil:
		return t.create(ctx)
	case t.request.op == Update && s.Update != nil:
		return key, t.guard("Update", func() error { return s.Update(ctx, t.user, keyOf(key), t.change) })
	case t.request.op == Delete && s.Delete != nil:
		return key, t.guard("Delete", func() error { return s.Delete(ctx, t.user, keyOf(key)) })
	}
	if t.request.op == Create && t.Table.Columns[t.Table.Key].Parts != nil {
		return key, errTuple
	}
	if t.request.op == Delete {
		if err := t.untie(ctx); err != nil {
			return key, err
		}
	}
	key, err := t.change.Make(ctx, t.tx)
	if errors.Is(err, write.ErrNoKey) {
		return key, fmt.Errorf("%w: give the binding a function Create, which returns it", err)
	}
	return key, err
}

// errTuple tells of keys that no database makes, and no client sends.
var errTuple = errors.New("the key is of several columns, which the database does not make: give the binding a function Create, which returns it")

// create calls the binding's own Create, and reads the key that it returns.
func (t *turn) create(ctx context.Context) (key schema.Value, err error) {
	var made any
	err = t.guard("Create", func() (err error) {
		made, err = t.Spec.Create(ctx, t.user, t.change)
		return err
	})
	if err != nil {
		return schema.Value{}, err
	}
	if key, err = t.Type.KeyOf(made); err != nil {
		return schema.Value{}, fmt.Errorf("the binding's Create has returned the key %v: %w", made, err)
	}
	return key, nil
}

// keyOf is a key as the binding's functions get it, as database/sql takes it.
func keyOf(key schema.Value) any {
	if key.Kind() == schema.Tuple {
		return key.String()
	}
	return key.Driver()
}

// reply tells of the row as it is now, in the words in which others are told.
func (t *turn) reply(ctx context.Context, key schema.Value) (json.RawMessage, error) {
	if t.request.op == Delete {
		return t.tell(Delete, key, nil)
	}
	row, err := t.read(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case !t.Gone(row):
		return t.tell(t.request.op, key, row)
	case t.request.op == Create:
		return nil, fmt.Errorf("the row with the key %s, which was to be created, is not there", key)
	default:
		return t.tell(Delete, key, nil)
	}
}
