package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/pando-sync/pando/test/internal/model"
)

// book has all calls of a seed: what was asked, what the servers did about it, as
// their transactions show, and what the callers were told. It is the servers'
// desk. It is safe for concurrent use.
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

// enter gives a call its name.
func (b *book) enter(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	c.id = strconv.Itoa(b.made)
	b.calls[c.id] = c
}

// order implements desk. Every time it is asked for, an action has another
// result.
func (b *book) order(id string) *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.calls[id]
	if c == nil {
		return nil
	}
	b.nonces++
	o := &order{ID: id, Write: c.write != nil, Statement: c.statement.SQL, Fail: c.fail, Result: fmt.Sprintf("result %d", b.nonces)}
	if o.Write {
		o.Key, o.Route, o.User, o.Layer = c.write.Key, c.route, c.user, c.write.Offer.Layer
		if c.op != "create" {
			o.Row = c.write.ID
		}
	}
	return o
}

// reached implements desk.
func (b *book) reached(ctx context.Context, id string, at cut) {
	b.mu.Lock()
	c := b.calls[id]
	b.mu.Unlock()
	if c != nil {
		c.reached(ctx, at)
	}
}

// report implements desk.
func (b *book) report(x *execution) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x.call = b.calls[x.ID]; x.call != nil {
		x.call.executions = append(x.call.executions, x)
	}
}

// count implements desk.
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

// fail implements desk.
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
