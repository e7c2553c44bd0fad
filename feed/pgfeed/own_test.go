package pgfeed_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// deadline is how long anything that must happen may take on a busy machine.
const deadline = 30 * time.Second

// items is a table with a large column.
func items() *schema.Table {
	return &schema.Table{Name: "items", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int}, {Name: "grp", Kind: schema.Int}, {Name: "name", Kind: schema.Text, Nullable: true},
		{Name: "body", Kind: schema.Text, Nullable: true},
	}}
}

const createItems = "CREATE TABLE items (id bigint PRIMARY KEY, grp bigint NOT NULL, name text, body text)"

// open opens a source of the database, set up for the table.
func open(t testing.TB, url string, table *schema.Table, opts ...pgfeed.Option) *pgfeed.Source {
	t.Helper()
	source, err := pgfeed.Open(url, append([]pgfeed.Option{quiet}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := source.Setup(t.Context(), []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	return source
}

// database is a fresh database with the table items, and a handle of it.
func database(t testing.TB) (url string, exec func(statements ...string)) {
	t.Helper()
	url = servers.Database(t)
	db := openDB(t, url)
	exec = func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	exec(createItems)
	return url, exec
}

// own calls fn with the log, and fails when that takes too long.
func own(t *testing.T, source *pgfeed.Source, fn func(ctx context.Context, log feed.Log) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return source.Own(ctx, fn)
}

// nextCommit skips to the next part with data, and wants no reset before.
func nextCommit(ctx context.Context, t *testing.T, source *pgfeed.Source, log feed.Log) *feed.Commit {
	t.Helper()
	for {
		part, err := log.Next(ctx)
		if err != nil {
			t.Errorf("Next: %v", err)
			return &feed.Commit{}
		}
		if part.Reset != "" {
			t.Errorf("reset: %s", part.Reset)
		}
		if part.Data == nil {
			continue
		}
		commit, err := source.Decode(part)
		if err != nil {
			t.Errorf("Decode: %v", err)
			return &feed.Commit{}
		}
		return commit
	}
}

func TestOwnersTakeTurns(t *testing.T) {
	url, exec := database(t)
	first, second := open(t, url, items()), open(t, url, items())
	var term uint64
	var acked feed.Position
	err := own(t, first, func(ctx context.Context, log feed.Log) error {
		term = log.Term()
		part, err := log.Next(ctx)
		if err != nil || part.Reset == "" {
			t.Errorf("a new slot begins by %+v, %v, want a reset", part, err)
		}
		exec("INSERT INTO items VALUES (1, 1, 'a', '')", "INSERT INTO items VALUES (2, 1, 'b', '')")
		one := nextCommit(ctx, t, first, log)
		two := nextCommit(ctx, t, first, log)
		if one.Position <= log.Start() || two.Position <= one.Position {
			t.Errorf("positions are %d, %d after %d", one.Position, two.Position, log.Start())
		}
		acked = one.Position
		return log.Ack(acked)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = own(t, second, func(ctx context.Context, log feed.Log) error {
		if log.Term() <= term {
			t.Errorf("term %d comes after %d", log.Term(), term)
		}
		if log.Start() != acked {
			t.Errorf("the log goes on at %d, but %d was acknowledged", log.Start(), acked)
		}
		commit := nextCommit(ctx, t, second, log)
		if len(commit.Changes) != 1 || commit.Changes[0].Key != schema.IntValue(2) {
			t.Errorf("went on with %+v", commit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOwnWaits(t *testing.T) {
	url, _ := database(t)
	first, second := open(t, url, items()), open(t, url, items())
	owned, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- first.Own(t.Context(), func(context.Context, feed.Log) error {
			close(owned)
			<-release
			return nil
		})
	}()
	<-owned
	var released atomic.Bool
	go func() {
		done <- second.Own(t.Context(), func(context.Context, feed.Log) error {
			if !released.Load() {
				t.Error("two own the log")
			}
			return nil
		})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := second.Own(ctx, func(context.Context, feed.Log) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Own while another owns the log: %v", err)
	}
	released.Store(true)
	close(release)
	for range 2 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(deadline):
			t.Fatal("nobody owns the log")
		}
	}
}

// TestOwnerIsKilled ends the owner's connection: it learns that, and another
// goes on where it had acknowledged.
func TestOwnerIsKilled(t *testing.T) {
	url, exec := database(t)
	source := open(t, url, items())
	err := own(t, source, func(ctx context.Context, log feed.Log) error {
		if _, err := log.Next(ctx); err != nil {
			return err
		}
		exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()",
			"INSERT INTO items VALUES (1, 1, 'a', '')")
		for {
			if _, err := log.Next(ctx); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, feed.ErrLogLost) {
		t.Errorf("the owner ends with %v", err)
	}
	err = own(t, source, func(ctx context.Context, log feed.Log) error {
		if commit := nextCommit(ctx, t, source, log); len(commit.Changes) != 1 {
			t.Errorf("got %+v", commit)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOwnAfterChanges has the next owner told of what was rewritten while there
// was none.
func TestOwnAfterChanges(t *testing.T) {
	url, exec := database(t)
	source := open(t, url, items())
	first := func(what string) (reset string) {
		err := own(t, source, func(ctx context.Context, log feed.Log) error {
			exec("INSERT INTO items SELECT coalesce(max(id), 0) + 1, 1, 'a', '' FROM items")
			part, err := log.Next(ctx)
			if reset = part.Reset; reset != "" { // what comes after it tells that it is stored
				for at := part.Position; err == nil && part.Position <= at; {
					part, err = log.Next(ctx)
				}
			}
			return errors.Join(err, log.Ack(part.Position))
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return reset
	}
	if reset := first("begin"); reset == "" {
		t.Error("a new slot is no reset")
	}
	exec("ALTER TABLE items ADD COLUMN more int")
	if reset := first("add a column"); reset != "" {
		t.Errorf("reset: %s", reset)
	}
	exec("ALTER TABLE items ALTER COLUMN name TYPE text USING upper(name)")
	if reset := first("rewrite a table"); reset == "" {
		t.Error("a table that was rewritten is no reset")
	}
	if reset := first("again"); reset != "" {
		t.Errorf("reset: %s", reset)
	}
	exec("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
	if reset := first("drop the slot"); reset == "" {
		t.Error("a slot that was made anew is no reset")
	}
}

// TestOwnerForgetsReset has the next owner told of what was rewritten, too, where
// the one before has heard of it and ended before it was stored anywhere.
func TestOwnerForgetsReset(t *testing.T) {
	url, exec := database(t)
	source := open(t, url, items())
	next := func(store bool) error {
		return own(t, source, func(ctx context.Context, log feed.Log) error {
			exec("ALTER TABLE items ALTER COLUMN name TYPE text USING upper(name)")
			for reset := feed.Position(0); ; {
				part, err := log.Next(ctx)
				switch {
				case err != nil:
					return err
				case part.Reset != "" && !store:
					return nil
				case part.Reset != "":
					reset = part.Position
				case reset > 0 && part.Position > reset:
					return log.Ack(part.Position)
				}
			}
		})
	}
	if err := next(true); err != nil {
		t.Fatal(err)
	}
	if err := next(false); err != nil {
		t.Fatal(err)
	}
	err := own(t, source, func(ctx context.Context, log feed.Log) error {
		part, err := log.Next(ctx)
		if part.Reset == "" {
			t.Errorf("the log goes on with %+v", part)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
