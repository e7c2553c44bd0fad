package feedtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// testConstraints meets each sort of constraint, by insert and by update.
func testConstraints(t *testing.T, f *fixture) {
	types := f.Dialect.Types
	table := f.table("guarded", 0, col("id", schema.Int), col("grp", schema.Int), col("name", schema.Text), null("size", schema.Int), null("item_id", schema.Int))
	f.exec("CREATE TABLE guarded (id " + types[schema.Int] + " PRIMARY KEY, grp " + types[schema.Int] + ", name " + types[schema.Text] + " NOT NULL UNIQUE, size " +
		types[schema.Int] + " CHECK (size > 0), item_id " + types[schema.Int] + " REFERENCES items (id), UNIQUE (size, item_id))")
	f.exec("INSERT INTO items VALUES (1, 1, 'a', 'h')")
	f.exec("INSERT INTO guarded VALUES (1, 1, 'a', 1, 1)")
	f.exec("INSERT INTO guarded VALUES (2, 1, 'b', 2, 1)")
	source := f.open()
	w := f.writer(source)
	before := f.readOnce(source)
	for name, c := range map[string]struct {
		set  map[string]schema.Value
		want feed.Constraint
		// column is where the constraint is, empty for none; a database that does
		// not tell has none.
		column string
	}{
		"unique":      {map[string]schema.Value{"name": text("a")}, feed.Unique, "name"},
		"key":         {map[string]schema.Value{"id": number(1), "name": text("c")}, feed.Unique, "id"},
		"together":    {map[string]schema.Value{"name": text("c"), "size": number(1), "item_id": number(1)}, feed.Unique, ""},
		"not null":    {map[string]schema.Value{"name": {}}, feed.NotNull, "name"},
		"check":       {map[string]schema.Value{"name": text("c"), "size": number(0)}, feed.Check, ""},
		"foreign key": {map[string]schema.Value{"name": text("c"), "item_id": number(99)}, feed.ForeignKey, ""},
	} {
		for _, update := range []bool{false, true} {
			tx := f.begin(w)
			var err error
			if update {
				err = tx.Update(context.Background(), table, number(2), assign(table, c.set))
			} else {
				if _, ok := c.set["id"]; !ok {
					c.set["id"] = number(3)
				}
				_, err = tx.Insert(context.Background(), table, assign(table, named(c.set)))
				if c.set["id"] == number(3) {
					delete(c.set, "id")
				}
			}
			want := -1
			if c.column != "" {
				want = column(table, c.column)
			}
			met, ok := errors.AsType[*feed.ConstraintError](err)
			if !ok {
				t.Errorf("%s: %v is no *feed.ConstraintError", name, err)
			} else if met.Constraint != c.want || met.Column != want && met.Column != -1 || met.Err == nil {
				t.Errorf("%s: constraint %d, column %d: %v; want %d, %d", name, met.Constraint, met.Column, err, c.want, want)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
	tx := f.begin(w)
	var met *feed.ConstraintError
	if err := tx.Delete(context.Background(), f.items, number(1)); !errors.As(err, &met) || met.Constraint != feed.ForeignKey {
		t.Errorf("delete of a row that others refer to: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	f.same("what was refused left something", f.readOnce(source), before)
}

// readOnce is read without the snapshot.
func (f *fixture) readOnce(source feed.Source) State {
	f.t.Helper()
	state, snapshot := f.read(source)
	snapshot.Close()
	return state
}

// testDeferred meets a constraint that is looked at when the transaction ends.
func testDeferred(t *testing.T, f *fixture) {
	types := f.Dialect.Types
	table := f.table("late", 0, col("id", schema.Int), col("grp", schema.Int), null("item_id", schema.Int))
	f.exec("CREATE TABLE late (id " + types[schema.Int] + " PRIMARY KEY, grp " + types[schema.Int] + ", item_id " + types[schema.Int] + " REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED)")
	source, recorder := f.follow()
	w := f.writer(source)
	tx := f.begin(w)
	f.insert(tx, table, named(map[string]schema.Value{"id": number(1), "item_id": number(5)}))
	err := tx.Commit()
	var met *feed.ConstraintError
	if !errors.Is(err, feed.ErrRolledBack) || !errors.As(err, &met) || met.Constraint != feed.ForeignKey {
		t.Errorf("Commit: %v, want a foreign key's constraint, and to know that it was rolled back", err)
	}
	f.commit(w, func(tx feed.Tx) {
		f.insert(tx, table, named(map[string]schema.Value{"id": number(1), "item_id": number(6)}))
		f.insert(tx, f.items, named(map[string]schema.Value{"id": number(6)}))
	})
	if rows := f.checkFed(source, recorder)[table]; len(rows) != 1 || rows[number(1)][2] != number(6) {
		t.Errorf("rows are %v", rows)
	}
}

// testOneCommit wants all of a transaction in one commit, and nothing of what it
// notes for itself.
func testOneCommit(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	w := f.writer(source)
	tx := f.begin(w)
	if _, _, err := tx.Claim(context.Background(), feed.Claim{Owner: "ann", Key: "k", Print: "p"}); err != nil {
		t.Fatal(err)
	}
	f.insert(tx, f.items, named(map[string]schema.Value{"id": number(1), "name": text("a")}))
	for i := range int64(50) {
		f.insert(tx, f.children, named(map[string]schema.Value{"id": number(i), "item_id": number(1)}))
	}
	if _, err := tx.SQL().Exec("INSERT INTO words VALUES ('by hand', 1, 'x')"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Reply(context.Background(), []byte("reply")); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	head := recorder.Reach(source)
	commits := recorder.Commits()
	if len(commits) != 1 || len(commits[0].Changes) != 52 {
		t.Fatalf("one transaction of 52 changes came as %d commits", len(commits))
	}
	if commits[0].Position > head {
		t.Errorf("the head after Commit is %d, before its position %d", head, commits[0].Position)
	}
	f.commit(w, func(tx feed.Tx) {
		if _, _, err := tx.Claim(context.Background(), feed.Claim{Owner: "ann", Key: "l"}); err != nil {
			t.Fatal(err)
		}
	})
	f.exec("INSERT INTO items VALUES (2, 1, 'b', 'h')")
	recorder.Reach(source)
	if commits := recorder.Commits(); len(commits) != 2 || len(commits[1].Changes) != 1 {
		t.Errorf("a claim is fed: %d commits", len(commits))
	}
	f.checkFed(source, recorder)
}

// testRollback leaves nothing of a transaction, neither in tables nor in the
// feed nor of its claim.
func testRollback(t *testing.T, f *fixture) {
	f.exec("INSERT INTO items VALUES (1, 1, 'a', 'h')")
	source, recorder := f.follow()
	w := f.writer(source)
	before := f.readOnce(source)
	tx := f.begin(w)
	claim := feed.Claim{Owner: "ann", Key: "k"}
	if _, _, err := tx.Claim(context.Background(), claim); err != nil {
		t.Fatal(err)
	}
	f.update(tx, f.items, number(1), map[string]schema.Value{"name": text("b")})
	f.insert(tx, f.items, named(map[string]schema.Value{"id": number(2)}))
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Errorf("a second Rollback: %v", err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("Commit after Rollback is no error")
	}
	f.same("a rollback left something", f.readOnce(source), before)
	f.commit(w, func(tx feed.Tx) {
		if _, done, err := tx.Claim(context.Background(), claim); done || err != nil {
			t.Errorf("a rollback left its claim: %t %v", done, err)
		}
		f.insert(tx, f.words, named(map[string]schema.Value{"word": text("w")}))
	})
	recorder.Reach(source)
	if commits := recorder.Commits(); len(commits) != 1 || len(commits[0].Changes) != 1 {
		t.Errorf("fed %d commits, want one of one change", len(commits))
	}
	if err := f.begin(w).Reply(context.Background(), nil); err == nil {
		t.Error("a reply without a claim is no error")
	}
}

// testContextEnd ends transactions by their contexts: one that is open, one
// that waits for it, and one that was not begun.
func testContextEnd(t *testing.T, f *fixture) {
	source := f.open()
	w := f.writer(source)
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := w.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.insert(tx, f.items, named(map[string]schema.Value{"id": number(1)}))
	if !f.Dialect.Concurrent {
		f.giveUpWaiting(w)
	}
	cancel()
	third := f.begin(w)
	f.insert(third, f.items, named(map[string]schema.Value{"id": number(1), "name": text("third")}))
	if err := third.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, feed.ErrRolledBack) || !errors.Is(err, context.Canceled) {
		t.Errorf("Commit after the context ended: %v", err)
	}
	if _, err := tx.Insert(context.Background(), f.items, assign(f.items, named(map[string]schema.Value{"id": number(2)}))); err == nil {
		t.Error("Insert after the context ended is no error")
	}
	if err := tx.Rollback(); err != nil {
		t.Errorf("Rollback after the context ended: %v", err)
	}
	if _, err := w.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin after its context ended: %v", err)
	}
	if rows := f.readOnce(source)[f.items]; len(rows) != 1 || rows[number(1)][2] != text("third") {
		t.Errorf("rows are %v", rows)
	}
}

// giveUpWaiting ends the context of a Begin that waits for another transaction.
func (f *fixture) giveUpWaiting(w feed.Writer) {
	f.t.Helper()
	waiting, stop := context.WithCancel(context.Background())
	defer stop()
	waited := make(chan error)
	go func() {
		_, err := w.Begin(waiting)
		waited <- err
	}()
	stop()
	if err := wait(f.t, "Begin gives up waiting", waited); !errors.Is(err, context.Canceled) {
		f.t.Errorf("Begin after its context ended: %v", err)
	}
}

// testEndedByAuthor has an action commit by itself what Pando is to commit.
func testEndedByAuthor(t *testing.T, f *fixture) {
	source := f.open()
	w := f.writer(source)
	tx := f.begin(w)
	f.insert(tx, f.items, named(map[string]schema.Value{"id": number(1)}))
	if err := tx.SQL().Commit(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err == nil || errors.Is(err, feed.ErrRolledBack) {
		t.Errorf("Commit of what is committed: %v", err)
	}
	f.commit(w, func(tx feed.Tx) { f.insert(tx, f.items, named(map[string]schema.Value{"id": number(2)})) })
	if rows := f.readOnce(source)[f.items]; len(rows) != 2 {
		t.Errorf("rows are %v", rows)
	}
}

// testLocks changes a row that a transaction has read, by another transaction
// and by a plain statement: they wait for its end and go on from what it left.
func testLocks(t *testing.T, f *fixture) {
	f.exec("INSERT INTO items VALUES (1, 1, '', 'h')")
	first, second := f.writer(f.open()), f.writer(f.open())
	want := ""
	for _, lock := range []feed.Lock{feed.Shared, feed.Exclusive} {
		for range 5 {
			f.contend(first, second, lock, want)
			now := f.readOnce(first)[f.items][number(1)][2].Str()
			if now != want+".ts" && now != want+".st" {
				t.Fatalf("after %q the row is %q", want, now)
			}
			want = now
		}
	}
}

// contend changes the first item, whose name is known, three times at once.
func (f *fixture) contend(first, second feed.Writer, lock feed.Lock, name string) {
	f.t.Helper()
	tx := f.begin(first)
	var others sync.WaitGroup
	defer others.Wait()
	defer tx.Rollback()
	item := feed.Query{Table: f.items, Values: []schema.Value{number(1)}}
	if read := f.rows(tx, item, lock)[number(1)]; read == nil || read[2] != text(name) {
		f.t.Fatalf("read %v, want %q", read, name)
	}
	var ended atomic.Bool
	others.Go(func() {
		err := attempt(second, func(ctx context.Context, tx feed.Tx) error {
			var seen schema.Row
			err := tx.Rows(ctx, item, feed.Exclusive, func(row schema.Row) error {
				seen = row
				return nil
			})
			if err != nil {
				return err
			}
			if !ended.Load() {
				return errors.New("two transactions have one row")
			}
			return tx.Update(ctx, f.items, number(1), assign(f.items, map[string]schema.Value{"name": text(seen[2].Str() + "t")}))
		})
		if err != nil {
			f.t.Error(err)
		}
	})
	others.Go(func() {
		if _, err := f.DB.Exec("UPDATE items SET name = name || 's' WHERE id = 1"); err != nil || !ended.Load() {
			f.t.Errorf("a row that a transaction has read was changed: %v", err)
		}
	})
	f.update(tx, f.items, number(1), map[string]schema.Value{"name": text(name + ".")})
	ended.Store(true)
	if err := tx.Commit(); err != nil {
		f.t.Fatal(err)
	}
}

// attempt commits what fn does, in any goroutine.
func attempt(w feed.Writer, fn func(ctx context.Context, tx feed.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	tx, err := w.Begin(ctx)
	if err != nil {
		return err
	}
	if err := fn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// testCounters adds one many times at once: no transaction fails, and none is
// lost.
func testCounters(t *testing.T, f *fixture) {
	f.exec("INSERT INTO pairs VALUES (1, 'c', 0, 'n')")
	const each = 15
	count := 0
	var all sync.WaitGroup
	for range 2 {
		w := f.writer(f.open())
		for range 3 {
			count += each
			all.Go(func() {
				for range each {
					if err := f.addOne(w); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	if got := f.counter(f.open()); got != int64(count) {
		t.Errorf("counted %d, want %d", got, count)
	}
}

var counted = schema.TupleValue(schema.IntValue(1), schema.TextValue("c"))

func (f *fixture) addOne(w feed.Writer) error {
	return attempt(w, func(ctx context.Context, tx feed.Tx) error {
		var count int64
		q := feed.Query{Table: f.pairs, Column: f.pairs.Key, Values: []schema.Value{counted}}
		err := tx.Rows(ctx, q, feed.Exclusive, func(row schema.Row) error {
			count = row[column(f.pairs, "grp")].Int()
			return nil
		})
		return errors.Join(err, tx.Update(ctx, f.pairs, counted, assign(f.pairs, map[string]schema.Value{"grp": number(count + 1)})))
	})
}

func (f *fixture) counter(source feed.Source) (count int64) {
	f.t.Helper()
	snapshot, err := source.Snapshot(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	defer snapshot.Close()
	return f.query(snapshot, feed.Query{Table: f.pairs, Column: f.pairs.Key, Values: []schema.Value{counted}})[counted][column(f.pairs, "grp")].Int()
}

// testClaims claims requests one after another.
func testClaims(t *testing.T, f *fixture) {
	w := f.writer(f.open())
	claim := feed.Claim{Owner: "ann", Key: "k1", Print: "p1"}
	f.commit(w, func(tx feed.Tx) {
		f.claim(tx, claim, "", false)
		if err := tx.Reply(context.Background(), []byte("first reply")); err != nil {
			t.Fatal(err)
		}
	})
	bytes := make([]byte, 100_000)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	for i, c := range []struct {
		claim feed.Claim
		reply string
	}{
		{feed.Claim{Owner: "ann", Key: "k2", Print: "p1"}, string(bytes)},
		{feed.Claim{Owner: "bob", Key: "k1", Print: "p1"}, "bob's"},
		{feed.Claim{Owner: "", Key: "k1", Print: ""}, "nobody's"},
	} {
		f.commit(w, func(tx feed.Tx) {
			f.claim(tx, c.claim, "", false)
			if err := tx.Reply(context.Background(), []byte(c.reply)); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		})
		f.commit(f.writer(f.open()), func(tx feed.Tx) { f.claim(tx, c.claim, c.reply, true) })
	}
	tx := f.begin(w)
	f.claim(tx, claim, "first reply", true)
	claim.Print = "p2"
	if _, _, err := tx.Claim(context.Background(), claim); !errors.Is(err, feed.ErrOtherRequest) {
		t.Errorf("another request with the same key: %v", err)
	}
}

// claim claims a request and wants the stored reply, or none.
func (f *fixture) claim(tx feed.Tx, c feed.Claim, want string, wantDone bool) {
	f.t.Helper()
	reply, done, err := tx.Claim(context.Background(), c)
	if err != nil || done != wantDone || string(reply) != want {
		f.t.Fatalf("claim of %+v: %t %.40q %v, want %t %.40q", c, done, reply, err, wantDone, want)
	}
}

// errFirst takes back the first transaction that claims a request.
var errFirst = errors.New("the first")

// testClaimsAtOnce sends one request many times at once: it is applied once,
// and all get its reply. The first that claims it rolls back.
func testClaimsAtOnce(t *testing.T, f *fixture) {
	source := f.open()
	writers := []feed.Writer{f.writer(source), f.writer(f.open())}
	var tried, applied atomic.Int64
	request := func(ctx context.Context, tx feed.Tx) error {
		reply, done, err := tx.Claim(ctx, feed.Claim{Owner: "ann", Key: "k", Print: "p"})
		switch {
		case err != nil:
			return err
		case done && string(reply) != "applied":
			return fmt.Errorf("the reply is %q", reply)
		case done:
			return nil
		}
		n := tried.Add(1)
		_, err = tx.Insert(ctx, f.items, assign(f.items, named(map[string]schema.Value{"id": number(n)})))
		switch {
		case err != nil:
			return err
		case n == 1:
			return errFirst
		}
		applied.Add(1)
		return tx.Reply(ctx, []byte("applied"))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 2 {
				if err := attempt(writers[i%2], request); err != nil && !errors.Is(err, errFirst) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if rows := f.readOnce(source)[f.items]; applied.Load() != 1 || len(rows) != 1 || rows[number(2)] == nil {
		t.Errorf("applied %d times, %d rows", applied.Load(), len(rows))
	}
}
