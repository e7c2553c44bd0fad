package write

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// Alone offers fields of a [schema.Registry.Model] for Draft, to whoever decides by
// themselves whether a row may be written: it stands in no tree. Validate is nil
// for none.
func Alone(model *schema.Type, fields []schema.WriteField, validate func(context.Context, schema.Row) error) *Offer {
	return &Offer{
		Writable: &schema.Writable{Type: model, Save: true, Create: true, Delete: true, Fields: fields},
		Validate: validate, stored: model.ModelColumns(),
	}
}

// Draft is a change to a row as the client's data has it, which is of fields of the
// offer; old is nil for a row that is created. What is no value of its field leaves
// the row as it was: Valid tells of it.
func (o *Offer) Draft(op Op, data map[string]json.RawMessage, old schema.Row) (*Change, error) {
	c := newChange(o, op)
	if err := c.parse(data); err != nil {
		return nil, err
	}
	c.begin(old)
	if old == nil {
		c.makeKey()
	}
	return c, nil
}

// Valid tells whether the values are what their fields take, and then whether the
// row as it would be is valid to the app.
func (c *Change) Valid(ctx context.Context) error {
	if len(c.faults) > 0 {
		return rpc.InFields("invalid", c.faults)
	}
	if c.offer.Validate == nil || c.op == Delete {
		return nil
	}
	return guard("Validate of "+c.Type().Name, func() error { return c.offer.Validate(ctx, c.New()) })
}

// ErrNoKey tells that a created row cannot be told apart from others.
var ErrNoKey = errors.New("the row has no key")

// Make makes the statement of the change and returns the key of the row. A row that
// is deleted softly stays in the table.
func (c *Change) Make(ctx context.Context, tx feed.Tx) (schema.Value, error) {
	table := c.Type().Table
	if c.op == Create {
		key, err := tx.Insert(ctx, table, c.assignments())
		if err == nil && key.IsNull() {
			err = fmt.Errorf("create %s: %w", c.Type().Name, ErrNoKey)
		}
		return key, err
	}
	key := c.old[table.Key]
	if c.op == Save {
		if set := c.assignments(); len(set) > 0 {
			return key, tx.Update(ctx, table, key, set)
		}
		return key, nil
	}
	if column := c.Type().SoftDelete(); column >= 0 {
		now := []feed.Assignment{{Column: column, Value: schema.TimeValue(time.Now())}}
		return key, tx.Update(ctx, table, key, now)
	}
	return key, tx.Delete(ctx, table, key)
}

// Refused is what a client is told of a statement or a commit that a constraint of
// the database refused; any other error stays what it is.
func (o *Offer) Refused(op Op, data map[string]json.RawMessage, err error) error {
	return o.refused(&Request{Op: op, Type: o.Type.Name, Data: data}, err)
}
