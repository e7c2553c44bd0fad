package feedtest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// writeALot runs writers that each commit some transactions, and returns when
// all are through. The transactions insert, change, move and delete.
func (f *fixture) writeALot(writers, transactions int) {
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for range transactions {
				f.writeOnce(random)
			}
		})
	}
	all.Wait()
}

func (f *fixture) writeOnce(random *rand.Rand) {
	tx, err := f.DB.Begin()
	if err != nil {
		f.t.Errorf("begin: %v", err)
		return
	}
	defer tx.Rollback()
	ids := make([]int, 1+random.IntN(4))
	for i := range ids {
		ids[i] = random.IntN(30)
	}
	slices.Sort(ids) // else writers wait for each other
	for _, id := range ids {
		sql := [...]string{
			"INSERT INTO items VALUES (?, 1, 'new', 'h') ON CONFLICT (id) DO UPDATE SET name = 'again'",
			"UPDATE items SET name = name || '.' WHERE id = ?",
			"DELETE FROM items WHERE id = ?",
			"UPDATE items SET hidden = hidden || '.' WHERE id = ?",
		}[random.IntN(4)]
		if _, err := tx.Exec(f.bind(sql), id); err != nil {
			f.t.Errorf("%s: %v", sql, err)
			return
		}
	}
	if random.IntN(8) == 0 {
		return // rolled back
	}
	if err := tx.Commit(); err != nil {
		f.t.Errorf("commit: %v", err)
	}
}

// testJoin takes snapshots while others write: what a snapshot read, and the
// commits that it did not see, make the final state.
func testJoin(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	type taken struct {
		state State
		feed.Snapshot
	}
	var snapshots []taken
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.writeALot(2, 40)
	}()
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		state, snapshot := f.read(source)
		snapshots = append(snapshots, taken{state, snapshot})
		if epoch := recorder.Starts(1)[0].Epoch; snapshot.Epoch() != epoch {
			t.Fatalf("a snapshot has epoch %s, the feed %s", snapshot.Epoch(), epoch)
		}
		if len(snapshots) > 20 { // keep a few old ones and the newest
			snapshots[10].Close()
			snapshots = append(snapshots[:10], snapshots[11:]...)
		}
	}
	recorder.Reach(source)
	final, _ := f.read(source)
	for _, s := range snapshots {
		later := s.state.Clone()
		unseen := false
		for _, commit := range recorder.Commits() {
			if s.Saw(commit) {
				if unseen && !f.Dialect.Concurrent {
					t.Fatalf("a snapshot at %d saw commit %d after one that it did not see", s.Position(), commit.Position)
				}
				continue
			}
			unseen = true
			later.Catch(commit)
		}
		f.same("a snapshot and the commits after it differ from the end", later, final)
		s.Close()
	}
}

// testRestart stops and follows again: the epoch and the order go on.
func testRestart(t *testing.T, f *fixture) {
	source := f.open()
	first, stop := Record(t, source)
	f.exec("INSERT INTO items VALUES (1, 1, 'a', 'h')")
	head := first.Reach(source)
	stop()
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	f.exec("INSERT INTO items VALUES (2, 1, 'b', 'h')")

	source, second := f.follow()
	start := second.Starts(1)[0]
	if before := first.Starts(1)[0].Epoch; start.Epoch != before {
		t.Errorf("a restart changes the epoch from %s to %s", before, start.Epoch)
	}
	if start.Head <= head {
		t.Errorf("a restart begins at %d, but %d was fed and a commit followed", start.Head, head)
	}
	if commits := second.Commits(); len(commits) > 0 {
		t.Errorf("a restart feeds what was before it: %v", commits)
	}
	f.exec("INSERT INTO items VALUES (3, 1, 'c', 'h')")
	second.Reach(source)
	state := make(State)
	for _, commit := range second.Commits() {
		state.Follow(t, commit)
	}
	if rows := state[f.items]; len(rows) != 1 || rows[schema.IntValue(3)] == nil {
		t.Errorf("fed %v after a restart, want row 3", show(state))
	}
}

// testLossy loses continuity: the feed says so and goes on from there.
func testLossy(t *testing.T, f *fixture) {
	if f.Dialect.Lossy == nil {
		return
	}
	source, recorder := f.follow()
	f.exec("INSERT INTO items VALUES (1, 1, 'a', 'h')")
	recorder.Reach(source)
	f.Dialect.Lossy(t, f.DB, "items")
	starts := recorder.Starts(2)
	if starts[1].Epoch == starts[0].Epoch && !f.Dialect.Lasting || starts[1].Reason == "" {
		t.Errorf("a loss must begin an epoch and tell why: %+v", starts)
	}
	state, snapshot := f.read(source)
	if snapshot.Epoch() != recorder.Starts(2)[1].Epoch {
		t.Errorf("a snapshot has epoch %s after %+v", snapshot.Epoch(), starts)
	}
	f.exec("INSERT INTO items VALUES (2, 1, 'b', 'h')")
	f.exec("UPDATE items SET name = 'z' WHERE id = 1")
	recorder.Reach(source)
	for _, commit := range recorder.Commits() {
		if !snapshot.Saw(commit) {
			state.Follow(t, commit)
		}
	}
	snapshot.Close()
	read, _ := f.read(source)
	f.same("fed differs from read", state, read)
}
