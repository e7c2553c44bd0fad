package memcache_test

import (
	"errors"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
	"github.com/pando-sync/pando/cache/memcache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	cachetest.Run(t, cachetest.Harness{
		New:      func(testing.TB) cache.Store { return memcache.New(memcache.Config{}) },
		TooLarge: cache.MaxData + 1,
	})
}

// TestFull forgets whole entries, those that cool first, and takes on new ones.
func TestFull(t *testing.T) {
	s := memcache.New(memcache.Config{MaxBytes: 10_000})
	defer s.Close()
	key := func(i int) cache.Key { return cache.Key{Channel: "c", Anchor: strconv.Itoa(i)} }
	state := func(i int) cache.State {
		e, err := s.Get(t.Context(), key(i))
		if err != nil {
			t.Fatal(err)
		}
		return e.State
	}
	write := func(i int, st cache.State) error {
		if _, err := s.Swap(t.Context(), cache.Entry{Key: key(i), State: st, Generation: "g"}); err != nil {
			t.Fatal(err)
		}
		return s.Write(t.Context(), key(i), "g", []cache.Row{{ID: "r", Version: 1, Data: make([]byte, 4000)}})
	}
	for i, st := range []cache.State{cache.Hot, cache.Cooling} {
		if err := write(i, st); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(2, cache.Hot); err != nil {
		t.Fatal(err)
	}
	if state(0) != cache.Hot || state(1) != cache.Cold || state(2) != cache.Hot {
		t.Errorf("states %v, %v, %v: want the one that was cooling to be forgotten", state(0), state(1), state(2))
	}
	if err := write(3, cache.Hot); err != nil && !errors.Is(err, cache.ErrGone) {
		t.Fatal(err)
	}
	hot := 0
	for i := range 4 {
		if state(i) == cache.Hot {
			hot++
		}
	}
	if hot != 2 {
		t.Errorf("%d entries are hot, want as many as fit", hot)
	}
	s.Wipe()
	for i := range 4 {
		if state(i) != cache.Cold {
			t.Errorf("entry %d has outlived the wipe", i)
		}
	}
}

// TestCopy changes a store and its copy apart, whose revisions never meet, and
// goes back to the copy.
func TestCopy(t *testing.T) {
	s := memcache.New(memcache.Config{})
	defer s.Close()
	key := cache.Key{Channel: "c", Anchor: "1"}
	first, err := s.Swap(t.Context(), cache.Entry{Key: key, State: cache.Hot, Generation: "g"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(s *memcache.Store, version uint64) {
		t.Helper()
		if err := s.Write(t.Context(), key, "g", []cache.Row{{ID: "r", Version: version}}); err != nil {
			t.Fatal(err)
		}
	}
	version := func(s *memcache.Store) (v uint64) {
		t.Helper()
		err := s.Read(t.Context(), key, "g", func(r cache.Row) error { v = r.Version; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	write(s, 1)
	older := s.Copy()
	defer older.Close()
	write(s, 2)
	if got, was := version(s), version(older); got != 2 || was != 1 {
		t.Errorf("the store has version %d, its copy %d: want 2 and 1", got, was)
	}
	second, err := s.Swap(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	other, err := older.Swap(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if second.Revision == other.Revision {
		t.Error("a store and its copy have given the same revision")
	}
	write(older, 3)
	s.Restore(older)
	write(older, 4)
	if e, err := s.Get(t.Context(), key); err != nil || e.Revision != other.Revision || version(s) != 3 {
		t.Errorf("the restored store has %+v, %v and version %d", e, err, version(s))
	}
}
