package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/internal/servers"
)

// Ledger is committed only in states in which its entries are Turn and -Turn.
type Ledger struct {
	ID      int64   `json:"id"`
	Turn    int64   `json:"turn"`
	Entries []Entry `json:"entries" pando:"order:id"`
}

// Entry is one side of a ledger.
type Entry struct {
	ID     int64 `json:"id"`
	Amount int64 `json:"amount"`
}

// LedgerChannel shows a ledger to everyone.
type LedgerChannel struct {
	pando.Channel[Ledger, struct{}]
}

// HasPermission lets everyone in.
func (*LedgerChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// CanDeleteEntry lets everyone.
func (*LedgerChannel) CanDeleteEntry(context.Context, Entry) error { return nil }

// ledgers is how many there are.
const ledgers = 12

// tables are what a database of ledgers is made by.
var tables = []string{
	"CREATE TABLE ledgers (id bigint PRIMARY KEY, turn bigint NOT NULL)",
	"CREATE TABLE entries (id bigint PRIMARY KEY, ledger_id bigint NOT NULL, side bigint NOT NULL, amount bigint NOT NULL)",
	"CREATE INDEX entries_ledger ON entries (ledger_id)",
}

// books are the ledgers of a database, as those have them who write.
type books struct {
	db  *sql.DB
	dsn string
	// begun is, for each ledger, the last turn whose commit was begun.
	begun [ledgers + 1]atomic.Int64
}

// newBooks makes a database of a server.
func newBooks(t *testing.T, server *servers.PostgresServer) *books {
	t.Helper()
	dsn, drop, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, drop)
	b := &books{db: open(t, dsn), dsn: dsn}
	b.fill(t)
	return b
}

// fill makes the tables, and ledgers that have had no turn.
func (b *books) fill(t *testing.T) {
	t.Helper()
	b.exec(t, tables...)
	for id := 1; id <= ledgers; id++ {
		b.exec(t, fmt.Sprintf("INSERT INTO ledgers VALUES (%d, 0)", id),
			fmt.Sprintf("INSERT INTO entries VALUES (%d, %d, 1, 0), (%d, %[2]d, -1, 0)", 2*id, id, 2*id+1))
	}
}

func (b *books) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := b.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// alone are the parts of a node that follows the database itself.
func (b *books) alone() parts { return parts{handle: b.dsn, replication: b.dsn} }

// begin has a transaction that gives ledgers a turn, and is yet to commit.
func (b *books) begin(ctx context.Context, ids ...int) (*sql.Tx, error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		for _, statement := range []string{
			"UPDATE ledgers SET turn = turn + 1 WHERE id = %d", "UPDATE entries SET amount = amount + side WHERE ledger_id = %d",
		} {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(statement, id)); err != nil {
				return nil, errors.Join(err, tx.Rollback())
			}
		}
	}
	return tx, nil
}

// try gives a ledger a turn. Of an error it is not known whether the turn was
// committed, unless it came before the commit was begun.
func (b *books) try(ctx context.Context, id int) error {
	tx, err := b.begin(ctx, id)
	if err != nil {
		return err
	}
	var turn int64
	if err := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT turn FROM ledgers WHERE id = %d", id)).Scan(&turn); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	b.begun[id].Store(turn)
	return tx.Commit()
}

// turn gives a ledger a turn.
func (b *books) turn(t *testing.T, id int) {
	t.Helper()
	if err := b.try(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// eventually gives a ledger a turn once the database takes it.
func (b *books) eventually(t *testing.T, id int) {
	t.Helper()
	until(t, "the database takes a turn", func() bool { return b.try(t.Context(), id) == nil })
}

// last is a ledger's turn as the database has it.
func (b *books) last(t *testing.T, id int) (turn int64) {
	t.Helper()
	until(t, "the database is read", func() bool {
		return b.db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT turn FROM ledgers WHERE id = %d", id)).Scan(&turn) == nil
	})
	return turn
}

// watcher is a client that shows a ledger, and looks at each state of it.
type watcher struct {
	client *client.Client
	books  *books
	id     int

	mu sync.Mutex // guards what follows
	// turn is what it shows, -1 before the first state.
	turn  int64
	wrong []string
}

// watch begins to show a ledger. What is wrong fails the test at its end.
func (b *books) watch(t *testing.T, f *front, id int) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &watcher{client: client.New(f.url, client.Options{Logger: slog.New(slog.DiscardHandler)}), books: b, id: id, turn: -1}
	var running sync.WaitGroup
	running.Go(func() { w.follow(ctx) })
	t.Cleanup(func() {
		cancel()
		w.client.Close()
		running.Wait()
		for _, wrong := range w.wrong {
			t.Error(wrong)
		}
	})
	return w
}

func (w *watcher) follow(ctx context.Context) {
	stream, err := client.Open[Ledger](ctx, w.client, fmt.Sprintf("ledgers/%d", w.id))
	if err != nil {
		w.blamef(ctx, "open ledger %d: %v", w.id, err)
		return
	}
	for state, err := range stream.Updates(ctx) {
		if err != nil {
			w.blamef(ctx, "follow ledger %d: %v", w.id, err)
			return
		}
		w.look(ctx, &state)
	}
}

// look takes a state, and blames what was never committed or was before.
func (w *watcher) look(ctx context.Context, l *Ledger) {
	switch {
	case l.ID != int64(w.id) || len(l.Entries) != 2 || l.Entries[0].Amount != l.Turn || l.Entries[1].Amount != -l.Turn:
		w.blamef(ctx, "ledger %d shows %+v, which was never committed", w.id, *l)
	case l.Turn > w.books.begun[w.id].Load():
		w.blamef(ctx, "ledger %d shows turn %d, which nobody has committed", w.id, l.Turn)
	}
	w.mu.Lock()
	before := w.turn
	w.turn = l.Turn
	w.mu.Unlock()
	if l.Turn < before {
		w.blamef(ctx, "ledger %d goes back from turn %d to %d", w.id, before, l.Turn)
	}
}

// blamef notes what is wrong, unless the test has ended.
func (w *watcher) blamef(ctx context.Context, format string, args ...any) {
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// shown is the turn that it shows, -1 for none.
func (w *watcher) shown() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.turn
}

// shows waits until it shows a turn.
func (w *watcher) shows(t *testing.T, turn int64) {
	t.Helper()
	until(t, fmt.Sprintf("ledger %d shows turn %d", w.id, turn), func() bool { return w.shown() == turn })
}

// agrees waits until it shows what the database has.
func (w *watcher) agrees(t *testing.T) {
	t.Helper()
	w.shows(t, w.books.last(t, w.id))
}
