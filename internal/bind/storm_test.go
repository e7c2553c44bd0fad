package bind_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/servers"
)

// storm has writers and clients do as they like at the same time.
type storm struct {
	*actual

	next    atomic.Int64 // the next row's key, which no row has again
	viewers []*viewer
	// slow is how a transaction begins that may wait for a standby, "" for none.
	slow string
}

// TestAStormConverges has writers, who also roll back, and clients who subscribe,
// join, leave and read slowly meet on each database; once all is at rest every
// subscription has the rows of its groups.
func TestAStormConverges(t *testing.T) {
	onReal(t, func(r *actual) {
		s := &storm{actual: r}
		s.run(150)
		s.compare()
	})
}

// TestAStormConvergesWithAnAbsentStandby has commits be told long before reads see
// them, again and again.
func TestAStormConvergesWithAnAbsentStandby(t *testing.T) {
	server, r := withStandby(t)
	s := &storm{actual: r, slow: "SET LOCAL synchronous_commit = on"}
	done, toggled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(toggled)
		ticker := time.NewTicker(150 * time.Millisecond)
		defer ticker.Stop()
		for absent := true; ; absent = !absent {
			standby(t, server, absent)
			select {
			case <-done:
				standby(t, server, false)
				return
			case <-ticker.C:
			}
		}
	}()
	s.run(60)
	close(done)
	<-toggled
	s.compare()
}

// withStandby is an Outbound over a server of the test's own.
func withStandby(t *testing.T) (*servers.PostgresServer, *actual) {
	t.Helper()
	servers.Need(t, "postgres")
	server, err := servers.Postgres(t.Context(), servers.PostgresOptions{Conf: map[string]string{"synchronous_commit": "local"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	url, drop, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return server, newPostgres(t, url)
}

// standby has transactions that ask for it wait for a standby that is not there.
func standby(t *testing.T, server *servers.PostgresServer, absent bool) {
	name := ""
	if absent {
		name = "nobody"
	}
	if err := server.SetConf(context.WithoutCancel(t.Context()), "synchronous_standby_names", name); err != nil {
		t.Error(err)
	}
}

// commitsWait returns once commits wait for the standby: the server's processes hear
// of it one after the other.
func commitsWait(t *testing.T, server *servers.PostgresServer) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := server.Exec(ctx, "SET synchronous_commit = on", "SELECT pg_logical_emit_message(true, 'probe', '')")
		late := ctx.Err() != nil
		cancel()
		if late {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run has all of them take some steps.
func (s *storm) run(steps int) {
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { s.writes(rand.New(rand.NewPCG(uint64(i), 1)), steps) })
	}
	for i := range 8 {
		groups := map[string]bool{"a": true}
		v := &viewer{
			client: s.connect("a"), groups: groups, exact: true,
			rows: map[int64]int64{}, seen: map[int64]int64{}, gone: map[int64]bool{},
		}
		if i%2 == 0 {
			v.bound = 3
		}
		s.viewers = append(s.viewers, v)
		wg.Go(func() { s.lives(v, rand.New(rand.NewPCG(uint64(i), 2)), steps) })
	}
	wg.Wait()
}

// writes makes transactions.
func (s *storm) writes(r *rand.Rand, steps int) {
	rooms := []string{"a", "b", "a b", "b c", ""}
	for range steps {
		var statements []string
		if s.slow != "" && r.IntN(3) == 0 {
			statements = append(statements, s.slow)
		}
		for range 1 + r.IntN(3) {
			room, id := rooms[r.IntN(len(rooms))], r.Int64N(s.next.Load()+1)
			switch r.IntN(5) {
			case 0, 1:
				statements = append(statements, fmt.Sprintf("INSERT INTO notes (id, rooms, text) VALUES (%d, '%s', 'x')", s.next.Add(1), room))
			case 2:
				statements = append(statements, fmt.Sprintf("UPDATE notes SET rooms = '%s', rev = rev + 1 WHERE id = %d", room, id))
			case 3:
				// Only one writer locks several, or they would wait for each other.
				statements = append(statements, fmt.Sprintf("UPDATE notes SET text = 'y', rev = rev + 1 WHERE id = %d", id))
			default:
				statements = append(statements, fmt.Sprintf("DELETE FROM notes WHERE id = %d", id))
			}
		}
		s.attempt(r.IntN(6) > 0, statements)
	}
}

// attempt runs a transaction, which a deadlock may end.
func (s *storm) attempt(commit bool, statements []string) {
	ctx := context.WithoutCancel(s.t.Context())
	tx, err := s.sql.BeginTx(ctx, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			if !strings.Contains(err.Error(), "deadlock") {
				s.t.Errorf("%s: %v", statement, err)
			}
			return
		}
	}
	if !commit {
		return
	}
	if err := tx.Commit(); err != nil {
		s.t.Error(err)
	}
}

// lives has a client do what it likes.
func (s *storm) lives(v *viewer, r *rand.Rand, steps int) {
	for range steps {
		group := []string{"a", "b", "c"}[r.IntN(3)]
		switch r.IntN(12) {
		case 0:
			s.subscribes(v)
		case 1:
			v.exact, v.groups[group] = false, true
			s.join(v.client, group)
		case 2:
			v.exact = false
			delete(v.groups, group)
			s.leave(v.client, group)
		default:
			for range r.IntN(50) {
				runtime.Gosched()
			}
			s.read(v)
		}
	}
	s.subscribes(v)
}

// subscribes subscribes, and reads until that is answered.
func (s *storm) subscribes(v *viewer) {
	v.known = false
	done := v.subscribe()
	until(s.t, func() bool {
		s.read(v)
		select {
		case err := <-done:
			if v.subscribed = err == nil; err != nil {
				s.t.Errorf("subscribing: %v", err)
			}
			return true
		default:
			return false
		}
	})
}

func (s *storm) read(v *viewer) {
	for _, m := range v.read() {
		var said said
		if err := json.Unmarshal(m, &said); err != nil {
			s.t.Errorf("%s: %v", m, err)
			return
		}
		v.take(&said)
	}
}

// compare waits until every client has what the database has.
func (s *storm) compare() {
	s.t.Helper()
	for i, v := range s.viewers {
		want := s.rowsOf(v.groups)
		if !until(s.t, func() bool { s.read(v); return v.known && maps.Equal(v.rows, want) }) {
			s.t.Errorf("client %d in %v has %v, known %v; want %v", i, v.groups, v.rows, v.known, want)
		}
	}
}

// rowsOf are the rows that are in one of some groups, by key, as their revisions.
func (s *storm) rowsOf(groups map[string]bool) map[int64]int64 {
	s.t.Helper()
	rows, err := s.sql.QueryContext(s.t.Context(), "SELECT id, rooms, rev FROM notes")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	in := map[int64]int64{}
	for rows.Next() {
		var id, rev int64
		var rooms sql.RawBytes
		if err := rows.Scan(&id, &rooms, &rev); err != nil {
			s.t.Fatal(err)
		}
		for g := range strings.FieldsSeq(string(rooms)) {
			if groups[g] {
				in[id] = rev
			}
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return in
}

// TestACommitThatWaitsForAStandbyIsPartOfASubscription which begins while nobody
// but the feed knows of it.
func TestACommitThatWaitsForAStandbyIsPartOfASubscription(t *testing.T) {
	server, r := withStandby(t)
	r.exec("INSERT INTO notes (id, rooms, text) VALUES (1, 'red', 'a'), (2, 'red', 'a')")
	first := r.connect("red")
	begin := func(c *client) {
		t.Helper()
		if err := <-c.subscribe(); err != nil {
			t.Fatal(err)
		}
	}
	begin(first)
	r.reads("before", first, snapshot(row(1, "red", "a"), row(2, "red", "a")))
	t.Cleanup(func() { standby(t, server, false) })
	standby(t, server, true)
	commitsWait(t, server)
	released := make(chan error, 1)
	go func() {
		_, err := r.sql.ExecContext(context.WithoutCancel(t.Context()), "BEGIN; SET LOCAL synchronous_commit = on; UPDATE notes SET text = 'waits' WHERE id = 1; COMMIT")
		released <- err
	}()
	r.reads("told of what waits", first, message("update", 1, "red", "waits"))
	begin(first)
	r.reads("subscribed again", first, snapshot(row(1, "red", "waits"), row(2, "red", "a")))
	second := r.connect("red")
	begin(second)
	r.reads("subscribed meanwhile", second, snapshot(row(1, "red", "waits"), row(2, "red", "a")))
	r.exec("UPDATE notes SET text = 'goes' WHERE id = 2")
	for _, c := range []*client{first, second} {
		r.reads("what does not wait", c, message("update", 2, "red", "goes"))
	}
	select {
	case err := <-released:
		t.Fatalf("the commit did not wait: %v", err)
	default:
	}
	standby(t, server, false)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	r.exec("DELETE FROM notes WHERE id = 1")
	for _, c := range []*client{first, second} {
		r.reads("after it was released", c, message("delete", 1, "", ""))
	}
}

// TestALargeCommitIsTold row by row, though it comes in parts.
func TestALargeCommitIsTold(t *testing.T) {
	onReal(t, func(r *actual) {
		const rows = 12_000
		c := r.connect("a")
		if err := <-c.subscribe(); err != nil {
			t.Fatal(err)
		}
		r.reads("nothing yet", c, snapshot())
		tells := func(action string) {
			t.Helper()
			seen := map[int64]bool{}
			until(r.t, func() bool {
				for _, m := range c.read() {
					var said said
					if err := json.Unmarshal(m, &said); err != nil || said.Action != action || seen[said.PK] {
						t.Fatalf("told %.200s, again %v, want %s", m, seen[said.PK], action)
					}
					seen[said.PK] = true
				}
				return len(seen) == rows
			})
			if len(seen) != rows {
				t.Errorf("told %s of %d rows, want %d", action, len(seen), rows)
			}
		}
		r.exec(fmt.Sprintf("INSERT INTO notes (id, rooms, text) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i, 'a', 'x' FROM n", rows))
		tells("create")
		r.exec("UPDATE notes SET rooms = 'a b', rev = rev + 1")
		tells("update")
		r.exec("UPDATE notes SET rooms = 'b'")
		tells("delete")
	})
}
