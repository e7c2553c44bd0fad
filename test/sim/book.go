package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// book has all calls of a seed: what was asked, what the servers did about it, as
// their transactions show, and what the callers were told. It is what the
// channels ask, and sees all transactions. It is safe for concurrent use.
type book struct {
	schema  *model.Schema
	history *history
	// structs are each channel's, see world.Structs.
	structs []map[*model.Layer]*model.Layer

	mu    sync.Mutex // guards what follows
	calls map[string]*call
	made  int
	// open is how many streams the servers have.
	open    int
	changed chan struct{} // closed and replaced as open changes
	failed  error         // of the book itself
	// nonces makes results that nobody could guess.
	nonces int
}

func newBook(s *model.Schema, h *history) *book {
	return &book{schema: s, history: h, calls: map[string]*call{}, changed: make(chan struct{})}
}

// createLedger makes the table where every call leaves a row that is committed
// with what it does.
const createLedger = "CREATE TABLE sim_ledger (call TEXT NOT NULL, result TEXT NOT NULL)"

// execution is one time that a server carries a call out.
type execution struct {
	call *call
	// before and after are what the last transaction began with and what it did,
	// committed or not; nil where that is not known.
	before, after *oracle.Data
	// committed tells that one was, claimed that it was one before.
	committed bool
	claimed   bool
	result    string
	code      string // of the error, "" for none
	message   string
}

type executionKey struct{}

// around notes the executions of calls.
func (b *book) around(next pando.Handler) pando.Handler {
	return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
		c := b.asked(r)
		if c == nil {
			return next(ctx, r)
		}
		x := &execution{call: c}
		value, err := next(context.WithValue(ctx, executionKey{}, x), r)
		x.result = string(value)
		if err != nil {
			x.code, x.message = "internal", err.Error()
			if coded, ok := errors.AsType[*pando.Error](err); ok {
				x.code = coded.Code
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		c.executions = append(c.executions, x)
		return value, err
	}
}

// asked is the call of a request, nil for none. A write has its name among its
// data, from where it is taken away.
func (b *book) asked(r *pando.Request) *call {
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
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[id]
}

const callMember = "~call"

// enter gives a call its name.
func (b *book) enter(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	c.id = strconv.Itoa(b.made)
	b.calls[c.id] = c
}

// Opened implements world.Hooks.
func (b *book) Opened() { b.count(1) }

// Closed implements world.Hooks.
func (b *book) Closed() { b.count(-1) }

func (b *book) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open += n
	close(b.changed)
	b.changed = make(chan struct{})
}

// streams is how many streams the servers have; changed is closed when that is
// another number.
func (b *book) streams() (open int, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open, b.changed
}

// Permit implements world.Hooks: by who may.
func (b *book) Permit(ctx context.Context, w *model.Writable, op, user string, set world.Setter) error {
	x := executed(ctx)
	if x == nil || x.call.write == nil {
		return errors.New("sim: a write that nobody has made")
	}
	x.call.reached(ctx, cutInside)
	if !slices.Contains(w.Permits(op), user) {
		return pando.Errorf(codeForbidden, "user %q may not", user)
	}
	if op == "create" {
		for column, v := range x.call.write.Key {
			if err := set(column, v); err != nil {
				return err
			}
		}
	}
	return enterLedger(ctx, pando.TxOf(ctx), x.call.id, "")
}

// MayLink implements world.Hooks.
func (*book) MayLink(_ context.Context, w *model.Writable, user string) error {
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
func (b *book) Act(ctx context.Context, tx *sql.Tx, id string) (string, error) {
	x := executed(ctx)
	if x == nil || x.call.id != id {
		return "", errors.New("sim: an action that nobody has called")
	}
	b.mu.Lock()
	b.nonces++
	result := fmt.Sprintf("result %d", b.nonces)
	b.mu.Unlock()
	if err := enterLedger(ctx, tx, id, result); err != nil {
		return "", err
	}
	if _, err := tx.ExecContext(ctx, x.call.statement.SQL); err != nil {
		return "", err
	}
	x.call.reached(ctx, cutInside)
	switch x.call.fail {
	case "error":
		return "", pando.Errorf(codeTeapot, "as it was asked for")
	case "panic":
		panic("as it was asked for")
	default:
		return result, nil
	}
}

// Hold implements world.Actions.
func (*book) Hold(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func enterLedger(ctx context.Context, tx *sql.Tx, id, result string) error {
	if tx == nil {
		return errors.New("sim: no transaction")
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO sim_ledger (call, result) VALUES (?, ?)", id, result)
	return err
}

func executed(ctx context.Context) *execution {
	x, _ := ctx.Value(executionKey{}).(*execution)
	return x
}

// seen is one transaction of the library's.
type seen struct {
	x             *execution // nil for none
	before, after *oracle.Data
}

// Begun implements perturb.Witness. What it reads is a committed state, of which
// its writer may not have told yet.
func (b *book) Begun(ctx context.Context, tx *sql.Tx) any {
	s := &seen{x: executed(ctx), before: b.look(tx)}
	if s.before != nil {
		b.history.note(s.before)
	}
	return s
}

// Claimed implements perturb.Witness.
func (*book) Claimed(of any, _ []byte) {
	if s := transaction(of); s.x != nil {
		s.x.claimed = true
	}
}

// Ending implements perturb.Witness.
func (b *book) Ending(of any, tx *sql.Tx) { transaction(of).after = b.look(tx) }

// Ended implements perturb.Witness.
func (b *book) Ended(of any, committed bool) {
	s := transaction(of)
	if committed && s.after == nil {
		b.fail(errors.New("sim: a transaction was committed that had ended"))
		return
	}
	if committed {
		b.history.add(s.after)
	}
	if s.x == nil || s.x.committed && !committed {
		return // the one before had been committed, and the library asks what became of it
	}
	if s.x.committed {
		b.fail(fmt.Errorf("sim: call %s was committed twice by one execution", s.x.call.id))
	}
	s.x.before, s.x.after = s.before, s.after
	if committed {
		s.x.committed = true
		s.x.call.reached(context.Background(), cutAfterCommit)
	}
}

func transaction(of any) *seen {
	s, _ := of.(*seen)
	return s
}

// look reads everything in a transaction, nil when that has ended.
func (b *book) look(tx *sql.Tx) *oracle.Data {
	d, err := oracle.ReadIn(context.Background(), tx, b.schema)
	if err != nil && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, sql.ErrConnDone) {
		return nil // it was rolled back within
	}
	return d
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = errors.Join(b.failed, err)
}

// readLedger reads what has been committed of each call.
func readLedger(ctx context.Context, db *sql.DB) (map[string][]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT call, result FROM sim_ledger")
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var id, result string
		if err := rows.Scan(&id, &result); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		all[id] = append(all[id], result)
	}
	return all, rows.Err()
}

// briefly is how long a server waits for a connection to be cut.
const briefly = 20 * time.Millisecond
