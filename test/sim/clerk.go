package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// desk is where servers ask about calls, and tell what they did about them. It
// may be in another process.
type desk interface {
	// order is what a call asks for, nil for what is none.
	order(id string) *order
	// reached tells that a call is at a moment, and returns when a connection that
	// was to break there is broken.
	reached(ctx context.Context, id string, at cut)
	// report tells of an execution that has ended.
	report(x *execution)
	// count tells of streams that were opened or closed.
	count(n int)
	// fail tells that something is wrong with the simulation.
	fail(err error)
}

// order is what a server has to know of a call.
type order struct {
	ID string
	// Write tells a write from an action. Key is what the server sets a new row's
	// key to, by columns.
	Write bool
	Key   map[string]any
	// Route and User tell the writer's tree, Layer the way to what is written, Row
	// the key of what is saved, "" else.
	Route            oracle.Route
	User, Layer, Row string
	// Statement is what an action does, Fail how it ends, Result what it returns.
	Statement, Fail, Result string
}

// execution is one time that a server carries a call out.
type execution struct {
	// ID is the call's.
	ID string
	// From and To are where PostgreSQL's log ended before it and after.
	From, To uint64
	// Committed tells that one of its transactions was, Claimed that one was
	// before.
	Committed, Claimed bool
	// Outside tells that the row was outside of the writer's tree as a transaction
	// ended, where the log tells all but that.
	Outside bool
	Result  string
	Code    string // of the error, "" for none
	Message string

	call *call
	// before and after are what the last transaction began with and what it did,
	// committed or not; nil where that is not known.
	before, after *oracle.Data
	// window are states of which one or the other may be what it began with.
	window []*oracle.Data
}

// clerk is what a server's channels ask, and what sees its transactions. It is
// safe for concurrent use.
type clerk struct {
	desk

	schema *model.Schema
	// structs are each channel's, see world.Structs.
	structs []map[*model.Layer]*model.Layer
	// history gets the states that transactions see; nil where the log tells all.
	history *history
	// where tells where the log ends; nil where transactions see it themselves.
	where func(ctx context.Context) uint64
}

type executionKey struct{}

// job is an execution with its order.
type job struct {
	*execution

	order *order
}

// around notes the executions of calls.
func (c *clerk) around(next pando.Handler) pando.Handler {
	return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
		o := c.asked(r)
		if o == nil {
			return next(ctx, r)
		}
		x := &execution{ID: o.ID, From: c.at(ctx)}
		value, err := next(context.WithValue(ctx, executionKey{}, job{x, o}), r)
		x.Result, x.To = string(value), c.at(context.WithoutCancel(ctx))
		if err != nil {
			x.Code, x.Message = "internal", err.Error()
			if coded, ok := errors.AsType[*pando.Error](err); ok {
				x.Code = coded.Code
			}
		}
		c.report(x)
		return value, err
	}
}

// at is where the log ends.
func (c *clerk) at(ctx context.Context) uint64 {
	if c.where == nil {
		return 0
	}
	return c.where(ctx)
}

// asked is the order of a request, nil for none. A write has its name among its
// data, from where it is taken away.
func (c *clerk) asked(r *pando.Request) *order {
	var raw json.RawMessage
	switch {
	case r.Write != nil:
		raw = r.Write.Data[callMember]
		delete(r.Write.Data, callMember)
	case r.Action != "" && len(r.Args) > 0:
		raw = r.Args[0]
	}
	var id string
	if json.Unmarshal(raw, &id) != nil {
		return nil
	}
	return c.order(id)
}

const callMember = "~call"

// Opened implements world.Hooks.
func (c *clerk) Opened() { c.count(1) }

// Closed implements world.Hooks.
func (c *clerk) Closed() { c.count(-1) }

// Permit implements world.Hooks: by who may.
func (c *clerk) Permit(ctx context.Context, w *model.Writable, op, user string, set world.Setter) error {
	x, ok := executed(ctx)
	if !ok || !x.order.Write {
		return errors.New("sim: a write that nobody has made")
	}
	c.reached(ctx, x.ID, cutInside)
	if !slices.Contains(w.Permits(op), user) {
		return pando.Errorf(codeForbidden, "user %q may not", user)
	}
	if op == "create" {
		for column, v := range x.order.Key {
			if err := set(column, v); err != nil {
				return err
			}
		}
	}
	return c.enterLedger(ctx, pando.TxOf(ctx), x.ID, "")
}

// MayLink implements world.Hooks.
func (*clerk) MayLink(_ context.Context, w *model.Writable, user string) error {
	if !slices.Contains(w.CanLink, user) {
		return pando.Errorf("denied", "user %q may not link there", user)
	}
	return nil
}

const (
	codeForbidden = "forbidden"
	codeTeapot    = "teapot"
)

// Act implements world.Actions.
func (c *clerk) Act(ctx context.Context, tx *sql.Tx, id string) (string, error) {
	x, ok := executed(ctx)
	if !ok || x.ID != id {
		return "", errors.New("sim: an action that nobody has called")
	}
	if err := c.enterLedger(ctx, tx, id, x.order.Result); err != nil {
		return "", err
	}
	if _, err := tx.ExecContext(ctx, x.order.Statement); err != nil {
		return "", err
	}
	c.reached(ctx, id, cutInside)
	switch x.order.Fail {
	case "error":
		return "", pando.Errorf(codeTeapot, "as it was asked for")
	case "panic":
		panic("as it was asked for")
	default:
		return x.order.Result, nil
	}
}

// Hold implements world.Actions.
func (*clerk) Hold(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (c *clerk) enterLedger(ctx context.Context, tx *sql.Tx, id, result string) error {
	if tx == nil {
		return errors.New("sim: no transaction")
	}
	insert := "INSERT INTO sim_ledger (call, result) VALUES (?, ?)"
	if c.schema.Database == model.Postgres {
		insert = "INSERT INTO sim_ledger (call, result) VALUES ($1, $2)"
	}
	_, err := tx.ExecContext(ctx, insert, id, result)
	return err
}

func executed(ctx context.Context) (job, bool) {
	x, ok := ctx.Value(executionKey{}).(job)
	return x, ok
}

// seen is one transaction of the library's.
type seen struct {
	x             *execution // nil for none
	order         *order
	before, after *oracle.Data
}

// Begun implements perturb.Witness. What it reads is a committed state, of which
// its writer may not have told yet.
func (c *clerk) Begun(ctx context.Context, tx *sql.Tx) any {
	s := &seen{before: c.look(tx)}
	if x, ok := executed(ctx); ok {
		s.x, s.order = x.execution, x.order
	}
	if s.before != nil && c.history != nil {
		c.history.note(s.before)
	}
	return s
}

// Claimed implements perturb.Witness.
func (*clerk) Claimed(of any, _ []byte) {
	if s := transaction(of); s.x != nil {
		s.x.Claimed = true
	}
}

// Ending implements perturb.Witness.
func (c *clerk) Ending(of any, tx *sql.Tx) { transaction(of).after = c.look(tx) }

// Ended implements perturb.Witness.
func (c *clerk) Ended(of any, committed bool) {
	s := transaction(of)
	if committed && s.after == nil && c.history != nil {
		c.fail(errors.New("sim: a transaction was committed that had ended"))
		return
	}
	if committed && c.history != nil {
		c.history.add(s.after)
	}
	if s.x == nil || s.x.Committed && !committed {
		return // the one before had been committed, and the library asks what became of it
	}
	if s.x.Committed {
		c.fail(fmt.Errorf("sim: call %s was committed twice by one execution", s.x.ID))
	}
	if c.history != nil {
		s.x.before, s.x.after = s.before, s.after
	} else {
		s.x.Outside = s.x.Outside || c.outside(s)
	}
	if committed {
		s.x.Committed = true
		c.reached(context.Background(), s.x.ID, cutAfterCommit)
	}
}

func transaction(of any) *seen {
	s, _ := of.(*seen)
	return s
}

// outside tells whether a row that was written is outside of the writer's tree.
func (c *clerk) outside(s *seen) bool {
	o := s.order
	if !o.Write || s.before == nil || s.after == nil {
		return false
	}
	channel, structs := c.schema.Channels[o.Route.Channel], c.structs[o.Route.Channel]
	l := structs[channel.At(o.Layer)]
	key := o.Row
	if key == "" {
		key = added(c.schema.Table(l.Table), s.before, s.after)
	}
	return !s.after.Members(o.Route, o.User, structs)[oracle.Member{Struct: l, Key: key}]
}

// look reads everything in a transaction, nil when that has ended.
func (c *clerk) look(tx *sql.Tx) *oracle.Data {
	d, err := oracle.ReadIn(context.Background(), tx, c.schema)
	if err != nil && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, sql.ErrConnDone) {
		return nil // it was rolled back within
	}
	return d
}

// briefly is how long a server waits for a connection to be cut.
const briefly = 20 * time.Millisecond
