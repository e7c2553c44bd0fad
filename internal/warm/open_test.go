package warm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// TestSnapshot brings an entry up to date by what the feed has told.
func TestSnapshot(t *testing.T) {
	k := newKit(t, Config{})
	k.entry(cache.Entry{State: cache.Cooling, Through: 100}, k.book(90)...)
	s := k.open()
	if s == nil || s.Position() != 100 || s.Epoch() != "e" || !s.Holds() {
		t.Fatalf("opened %+v", s)
	}
	k.expect(s, "", 1, `["1 Leaves"]`)
	k.expect(s, "", 2, "unknown")
	k.expect(s, "poems", 1, `["1 Song"]`)
	k.expect(s, "poems.verses", 1, `["1 I celebrate"]`)
	k.expect(s, "poems.verses", 2, "unknown")
	k.expect(s, "poems.verses.writer", 1, "unknown")

	k.commit(101,
		k.put("verses", "id", 1, "text", "I celebrate myself", "poem_id", 1, "writer_id", 1),
		k.put("verses", "id", 2, "text", "And sing", "poem_id", 1),
		k.put("writers", "id", 1, "name", "Walt"),
		k.put("poems", "id", 2, "title", "Came from afar", "book_id", 1),
	)
	s = k.open()
	k.expect(s, "poems", 1, `["1 Song" "2 Came from afar"]`)
	k.expect(s, "poems.verses", 1, `["1 I celebrate myself" "2 And sing"]`)
	k.expect(s, "poems.verses.writer", 1, `["1 Walt"]`)
	k.expect(s, "poems.verses", 2, "unknown")

	k.commit(102, memdb.Remove(k.of["verses"], schema.IntValue(1)), memdb.Remove(k.of["writers"], schema.IntValue(1)))
	s = k.open()
	k.expect(s, "poems.verses", 1, `["2 And sing"]`)
	k.expect(s, "poems.verses.writer", 1, `[]`)
	if !s.Saw(&feed.Commit{Position: 102}) || s.Saw(&feed.Commit{Position: 103}) {
		t.Error("a snapshot at 102 has seen what was up to then")
	}
}

// TestRowsWrittenAhead are known, and what stands below them when it was known
// all the time.
func TestRowsWrittenAhead(t *testing.T) {
	k := newKit(t, Config{})
	k.commit(103)
	all := k.book(90)
	poem := func(id int, at, since uint64) stated {
		return stated{k.held(k.row("poems", "id", id, "title", "new", "book_id", 1), "poems", at, k.layer("poems")), since}
	}
	all[1] = poem(1, 102, 95)
	k.entry(cache.Entry{State: cache.Cooling, Through: 101}, append(all, poem(2, 102, 102))...)
	s := k.open()
	k.expect(s, "poems", 1, `["1 new" "2 new"]`)
	k.expect(s, "poems.verses", 1, `["1 I celebrate"]`)
	k.expect(s, "poems.verses", 2, "unknown") // its verses may not be written
}

// TestWhatHasLeft is of use for as long as the feed tells what became of it.
func TestWhatHasLeft(t *testing.T) {
	k := newKit(t, Config{})
	k.commit(103)
	gone := func(at uint64) []stated {
		all := k.book(90)
		all[2].At, all[2].Member, all[2].Open = at, false, nil
		return all
	}
	e := k.entry(cache.Entry{State: cache.Cooling, Through: 101}, gone(102)...)
	k.expect(k.open(), "poems.verses", 1, `["1 I celebrate"]`)
	e.State = cache.Cold
	if _, err := k.store.Swap(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	k.entry(cache.Entry{State: cache.Cooling, Through: 102}, gone(101)...)
	k.expect(k.open(), "poems.verses", 1, `[]`)
}

// TestMissing fills what the source does not carry from the entry; what is not
// known is not told.
func TestMissing(t *testing.T) {
	k := newKit(t, Config{})
	k.entry(cache.Entry{State: cache.Cooling, Through: 100}, k.book(90)...)
	lean := func(id int) feed.Change {
		ch := k.put("verses", "id", id, "poem_id", 1)
		ch.Missing, ch.Blind = []int{1}, true
		return ch
	}
	k.commit(101, lean(1))
	k.expect(k.open(), "poems.verses", 1, `["1 I celebrate"]`)
	k.commit(102, lean(2))
	k.expect(k.open(), "poems.verses", 1, errPartial.Error())
	k.commit(103, k.put("verses", "id", 2, "text", "whole", "poem_id", 1))
	k.commit(104, lean(2))
	k.expect(k.open(), "poems.verses", 1, `["1 I celebrate" "2 whole"]`)
}

// TestUseless leaves entries to the database that cannot be brought up to date,
// or are damaged.
func TestUseless(t *testing.T) {
	for name, c := range map[string]struct {
		entry  cache.Entry
		damage func(k *kit, e cache.Entry, all []stated) []stated
	}{
		"written before the feed began": {entry: cache.Entry{State: cache.Cooling, Through: 99}},
		"held by an unknown node":       {entry: cache.Entry{State: cache.Hot, Holder: "x", Through: 99}},
		"a dead node's, half heated":    {entry: cache.Entry{State: cache.Heating, Holder: "x", Through: 100}},
		"rows are lost": {entry: cache.Entry{State: cache.Cooling, Through: 100}, damage: func(k *kit, e cache.Entry, _ []stated) []stated {
			e.Rows = 4
			if _, err := k.store.Swap(k.Context(), e); err != nil {
				k.Fatal(err)
			}
			return nil
		}},
		"a row is damaged": {entry: cache.Entry{State: cache.Cooling, Through: 100}, damage: func(k *kit, e cache.Entry, _ []stated) []stated {
			if err := k.store.Write(k.Context(), e.Key, "g", []cache.Row{{ID: "?", Version: 1, Data: []byte("?")}}); err != nil {
				k.Fatal(err)
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, Config{Wait: 50 * time.Millisecond})
			all := k.book(90)
			e := k.entry(c.entry, all...)
			if c.damage != nil {
				c.damage(k, e, all)
			}
			if s := k.open(); s != nil {
				t.Errorf("opened %+v", s)
			}
			if st := k.cache.Stats(); st.Opened != 0 || st.Missed != 1 {
				t.Errorf("counted %+v", st)
			}
		})
	}
}

// TestHolder believes a node how far it has written, unless the entry has gone
// to another one meanwhile.
func TestHolder(t *testing.T) {
	store := &hooked{before: func(string) {}}
	k := newKit(t, Config{Store: store})
	store.Store = k.store
	beat := func(id string, through uint64) {
		if err := k.store.Beat(t.Context(), cache.Node{ID: id, Number: 1, Through: through, Expires: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	beat("a", 100)
	e := k.entry(cache.Entry{State: cache.Hot, Holder: "a", Through: 90}, k.book(90)...)
	if s := k.open(); s == nil || s.least != 100 {
		t.Fatalf("opened %+v", s)
	}
	// Node a lets go of the entry, and writes others further.
	k.commit(110, k.put("poems", "id", 2, "title", "late", "book_id", 1))
	again := true
	store.before = func(method string) {
		if method != "Node" || !again {
			return
		}
		again = false
		e.Holder, e.Through, e.State = "", 100, cache.Cooling
		if _, err := k.store.Swap(t.Context(), e); err != nil {
			t.Error(err)
		}
		beat("a", 120)
	}
	k.commit(120)
	if s := k.open(); s == nil || s.least != 100 {
		t.Fatalf("opened %+v", s)
	}
}

// TestAhead waits for the feed to tell of what an entry has, for so long.
func TestAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{})
		k.entry(cache.Entry{State: cache.Cooling, Through: 105}, k.book(104)...)
		opened := make(chan *Snapshot, 1)
		go func() { opened <- k.open() }()
		synctest.Wait()
		k.cache.Advance(104)
		synctest.Wait()
		select {
		case <-opened:
			t.Fatal("it did not wait for the feed")
		default:
		}
		k.commit(105)
		if s := <-opened; s == nil || s.Position() != 105 {
			t.Errorf("opened %+v", s)
		}
		k.cache.Start("e", 100)
		began := time.Now()
		if s := k.open(); s != nil || time.Since(began) > 3*time.Second {
			t.Errorf("opened %+v after %v", s, time.Since(began))
		}
	})
}

// TestHeating waits for who heats an entry.
func TestHeating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{})
		if err := k.store.Beat(t.Context(), cache.Node{ID: "a", Number: 1, Expires: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		e := k.entry(cache.Entry{State: cache.Heating, Holder: "a"}, k.book(90)...)
		opened := make(chan *Snapshot, 1)
		go func() { opened <- k.open() }()
		<-time.After(time.Second)
		e.State, e.Through = cache.Hot, 100
		if _, err := k.store.Swap(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if s := <-opened; s == nil {
			t.Error("who waited for the heating got nothing")
		}
	})
}

// TestForgetting finds that what it needed of the feed is forgotten.
func TestForgetting(t *testing.T) {
	k := newKit(t, Config{Changes: 2})
	k.entry(cache.Entry{State: cache.Cooling, Through: 100}, k.book(90)...)
	s := k.open()
	for i := range 3 {
		if !s.Holds() {
			t.Fatalf("after %d changes it does not hold", i)
		}
		k.commit(uint64(101+i), k.put("writers", "id", i, "name", "x"))
	}
	if s.Holds() {
		t.Error("what is forgotten holds")
	}
	if s := k.open(); s != nil {
		t.Error("an entry of before is of use")
	}
}

// history tells what was committed.
type history struct {
	feed.Historian

	commits  []*feed.Commit
	complete bool
	err      error
}

func (h *history) History(_ context.Context, _ string, after feed.Position, fn func(*feed.Commit) error) (bool, error) {
	for _, c := range h.commits {
		if c.Position > after {
			if err := fn(c); err != nil {
				return false, err
			}
		}
	}
	return h.complete, h.err
}

var errBroken = errors.New("broken")

// TestLate writes nothing that a node holds which others take for dead.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{})
		e := k.entry(cache.Entry{State: cache.Hot, Holder: k.cache.node, Through: 90}, k.book(90)...)
		s := &scope{channel: k.cache.channels[k.tree], key: e.Key, entry: e, recorded: true}
		flush := func() error {
			s.rows = []cache.Row{{ID: "came and went", Version: 95, Data: []byte{1}}}
			return k.cache.flush(t.Context(), s)
		}
		k.cache.tell(t.Context(), k.cache.node, 90, k.cache.cfg.Lease)
		<-time.After(k.cache.cfg.Lease)
		if err := flush(); !errors.Is(err, errLate) || len(s.rows) != 1 {
			t.Errorf("flush: %v, %d rows are left", err, len(s.rows))
		}
		k.cache.tell(t.Context(), k.cache.node, 95, k.cache.cfg.Lease)
		if err := flush(); !errors.Is(err, errLate) {
			t.Errorf("flush after a word that came too late: %v", err)
		}
		k.cache.rename()
		if err := flush(); err != nil || len(s.rows) != 0 {
			t.Errorf("flush: %v, %d rows are left", err, len(s.rows))
		}
	})
}
