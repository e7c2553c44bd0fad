package feedtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// writerCases are what a feed.Writer must do.
var writerCases = []testCase{
	{"RoundTrip", testRoundTrip},
	{"WrittenKeys", testWrittenKeys},
	{"GivenKeys", testGivenKeys},
	{"OwnView", testOwnView},
	{"Defaults", testDefaults},
	{"Constraints", testConstraints},
	{"Deferred", testDeferred},
	{"OneCommit", testOneCommit},
	{"Rollback", testRollback},
	{"ContextEnd", testContextEnd},
	{"EndedByAuthor", testEndedByAuthor},
	{"Locks", testLocks},
	{"Counters", testCounters},
	{"Claims", testClaims},
	{"ClaimsAtOnce", testClaimsAtOnce},
}

// writer returns a source of the fixture as a writer.
func (f *fixture) writer(source feed.Source) feed.Writer {
	f.t.Helper()
	w, ok := source.(feed.Writer)
	if !ok {
		f.t.Fatalf("%T is no feed.Writer", source)
	}
	return w
}

// begin opens a transaction that the end of the test ends, if nothing else has.
func (f *fixture) begin(w feed.Writer) feed.Tx {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	tx, err := w.Begin(ctx)
	if err != nil {
		cancel()
		f.t.Fatalf("Begin: %v", err)
	}
	f.t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			f.t.Errorf("Rollback at the end: %v", err)
		}
		cancel()
	})
	return tx
}

// commit commits what fn does.
func (f *fixture) commit(w feed.Writer, fn func(tx feed.Tx)) {
	f.t.Helper()
	tx := f.begin(w)
	fn(tx)
	if err := tx.Commit(); err != nil {
		f.t.Fatalf("Commit: %v", err)
	}
}

// insert inserts a row of the named values and returns its key.
func (f *fixture) insert(tx feed.Tx, table *schema.Table, values map[string]schema.Value) schema.Value {
	f.t.Helper()
	key, err := tx.Insert(context.Background(), table, assign(table, values))
	if err != nil {
		f.t.Fatalf("Insert into %s: %v", table.Name, err)
	}
	return key
}

func (f *fixture) update(tx feed.Tx, table *schema.Table, key schema.Value, values map[string]schema.Value) {
	f.t.Helper()
	if err := tx.Update(context.Background(), table, key, assign(table, values)); err != nil {
		f.t.Fatalf("Update of %s %s: %v", table.Name, key, err)
	}
}

func (f *fixture) remove(tx feed.Tx, table *schema.Table, key schema.Value) {
	f.t.Helper()
	if err := tx.Delete(context.Background(), table, key); err != nil {
		f.t.Fatalf("Delete from %s %s: %v", table.Name, key, err)
	}
}

// assign names columns in their order.
func assign(table *schema.Table, values map[string]schema.Value) []feed.Assignment {
	var set []feed.Assignment
	for i := range table.Columns {
		if v, ok := values[table.Columns[i].Name]; ok {
			set = append(set, feed.Assignment{Column: i, Value: v})
		}
	}
	return set
}

// rows returns what the transaction sees of a query, by key.
func (f *fixture) rows(tx feed.Tx, q feed.Query, lock feed.Lock) map[schema.Value]schema.Row {
	f.t.Helper()
	rows := make(map[schema.Value]schema.Row)
	err := tx.Rows(context.Background(), q, lock, func(row schema.Row) error {
		rows[row[q.Table.Key]] = slices.Clone(row)
		return nil
	})
	if err != nil {
		f.t.Fatalf("Rows of a transaction: %v", err)
	}
	return rows
}

// checkFed compares what was fed since the start of an empty database with what
// is read.
func (f *fixture) checkFed(source feed.Source, recorder *Recorder) State {
	f.t.Helper()
	recorder.Reach(source)
	fed := State{}
	for _, table := range f.tables {
		fed[table] = map[schema.Value]schema.Row{}
	}
	for _, commit := range recorder.Commits() {
		fed.Follow(f.t, commit)
	}
	read, snapshot := f.read(source)
	snapshot.Close()
	f.same("fed differs from read", fed, read)
	return read
}

func number(i int64) schema.Value { return schema.IntValue(i) }
func text(s string) schema.Value  { return schema.TextValue(s) }

// named are the values of a row of group 1.
func named(more map[string]schema.Value) map[string]schema.Value {
	more["grp"] = number(1)
	return more
}

// wait waits for a channel, or fails.
func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(deadline):
		t.Fatalf("waited in vain until %s", what)
		panic("unreachable")
	}
}
