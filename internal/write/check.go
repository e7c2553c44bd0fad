package write

import (
	"context"
	"errors"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// readable refuses data of which a value is not what its field takes.
func (t *turn) readable(context.Context) error {
	if len(t.change.faults) == 0 {
		return nil
	}
	return rpc.InFields("invalid", t.change.faults)
}

// permit asks the channel.
func (t *turn) permit(ctx context.Context) error {
	return guard(string(t.request.Op)+" of "+t.Type.Name, func() error {
		return t.Permit[t.request.Op](ctx, t.stream.Channel, t.change)
	})
}

// validate asks the app about the row as it would be.
func (t *turn) validate(ctx context.Context) error {
	t.change.decided = true
	if t.Validate == nil || t.request.Op == Delete {
		return nil
	}
	return guard("Validate of "+t.Type.Name, func() error { return t.Validate(ctx, t.change.New()) })
}

// unseen refuses a write of a row that has other values than the client saw.
// What is never sent was not seen: to ask for it would be to guess it.
func (t *turn) unseen(context.Context) error {
	if len(t.request.Seen) == 0 || t.change.old == nil {
		return nil
	}
	sent := slices.DeleteFunc(slices.Clone(t.Fields), func(f schema.WriteField) bool { return f.Shown == "" })
	values, err := t.change.read(t.request.Seen, sent)
	if err != nil {
		return err
	}
	other := map[string]string{}
	for _, v := range values {
		if v.fault != "" || t.change.old[v.Column] != v.Value {
			other[v.name] = "has another value by now"
		}
	}
	if len(other) == 0 {
		return nil
	}
	return rpc.InFields("conflict", other)
}

// denied is the one answer for rows that do not exist and for those outside of
// the tree; an error of the database stays what it is.
func denied(err error) error {
	if err != nil {
		return err
	}
	return rpc.Errorf("denied", "the row is not in the stream's tree")
}

// guard makes an error of a panic in the app's code.
func guard(op string, ask func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked(op, p)
		}
	}()
	return ask()
}

// Refused is what a client is told of a commit that a constraint of the database
// refused; any other error stays what it is.
func (w *Writer) Refused(r *Request, err error) error {
	if o := w.offers[r.Type]; o != nil {
		return o.refused(r, err)
	}
	return err
}

// refused is what a client is told of a statement that a constraint refused. A
// column is named only by what clients call it.
func (o *Offer) refused(r *Request, err error) error {
	refused := (*feed.ConstraintError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	code, text := "invalid", "is not what the database accepts"
	switch refused.Constraint {
	case feed.Unique:
		code, text = "conflict", "exists already"
	case feed.NotNull:
		text = "is missing"
	case feed.ForeignKey:
		if text = "leads to what does not exist"; r.Op == Delete {
			code, text = "conflict", "the row is referred to by others"
		}
	case feed.Check:
	}
	name := o.nameOf(refused.Column, r)
	if name == "" || r.Op == Delete {
		return rpc.Errorf(code, "%s", text)
	}
	return rpc.InFields(code, map[string]string{name: text})
}

// nameOf is what clients call a column, by preference as the request does; ""
// for one that they do not know.
func (o *Offer) nameOf(column int, r *Request) string {
	name := ""
	for _, f := range o.Fields {
		if _, sent := r.Data[f.Name]; f.Column == column && (sent || name == "") {
			name = f.Name
		}
	}
	return name
}
