// Package cachetest is the conformance suite of caches: every implementation of
// cache.Store passes it.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/cache"
)

// Harness is what the suite needs of an implementation.
type Harness struct {
	// New returns an empty store, closed by the suite.
	New func(t testing.TB) cache.Store
	// Join returns another Store over the same data, as another process has one;
	// nil where the data lives in one Store, which then stands for all.
	Join func(t testing.TB, s cache.Store) cache.Store
	// TooLarge is the size of Data that is too large for a row.
	TooLarge int
}

// patience is how long a step may take before the test fails.
const patience = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*kit)
	}{
		{"Entries", (*kit).entries},
		{"Keys", (*kit).keys},
		{"CompareAndSet", (*kit).compareAndSet},
		{"OneWins", (*kit).oneWins},
		{"RevisionsNeverComeAgain", (*kit).revisions},
		{"Rows", (*kit).rows},
		{"Generations", (*kit).generations},
		{"WipedGenerationTakesNothing", (*kit).wiped},
		{"LaterStatementsCount", (*kit).guards},
		{"SinceIsKept", (*kit).since},
		{"AnyOrder", (*kit).anyOrder},
		{"Sizes", (*kit).sizes},
		{"ManyRows", (*kit).manyRows},
		{"RowsAreCopies", (*kit).copies},
		{"Expiry", (*kit).expiry},
		{"Nodes", (*kit).nodes},
		{"ForgottenNodes", (*kit).forgotten},
		{"List", (*kit).list},
		{"CallsEnd", (*kit).callsEnd},
		{"Close", (*kit).closed},
		{"Concurrency", (*kit).concurrency},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&kit{T: t, h: h}) })
	}
}

// kit is one test.
type kit struct {
	*testing.T

	h Harness
}

func (k *kit) open() cache.Store {
	k.Helper()
	s := k.h.New(k)
	k.Cleanup(func() { _ = s.Close() })
	return s
}

// join returns another process's store.
func (k *kit) join(s cache.Store) cache.Store {
	k.Helper()
	if k.h.Join == nil {
		return s
	}
	other := k.h.Join(k, s)
	k.Cleanup(func() { _ = other.Close() })
	return other
}

func key(anchor string) cache.Key {
	return cache.Key{Epoch: "db.1", Channel: "BoardChannel", Schema: "5ce3a", Anchor: anchor}
}

// swap changes an entry, which must succeed.
func (k *kit) swap(s cache.Store, e cache.Entry) cache.Entry {
	k.Helper()
	got, err := s.Swap(k.Context(), e)
	if err != nil {
		k.Fatalf("swap %+v: %v", e, err)
	}
	return got
}

// hot makes an entry of a generation.
func (k *kit) hot(s cache.Store, anchor, generation string) cache.Entry {
	k.Helper()
	return k.swap(s, cache.Entry{Key: key(anchor), State: cache.Hot, Generation: generation, Holder: "node", Through: 7})
}

func (k *kit) get(s cache.Store, key cache.Key) cache.Entry {
	k.Helper()
	e, err := s.Get(k.Context(), key)
	if err != nil {
		k.Fatalf("get %+v: %v", key, err)
	}
	return e
}

func (k *kit) write(s cache.Store, e cache.Entry, rows ...cache.Row) {
	k.Helper()
	if err := s.Write(k.Context(), e.Key, e.Generation, rows); err != nil {
		k.Fatalf("write: %v", err)
	}
}

// read returns all rows of a generation by their IDs.
func (k *kit) read(s cache.Store, e cache.Entry) map[string]cache.Row {
	k.Helper()
	rows, err := readAll(k.Context(), s, e)
	if err != nil {
		k.Fatalf("read: %v", err)
	}
	return rows
}

func readAll(ctx context.Context, s cache.Store, e cache.Entry) (map[string]cache.Row, error) {
	rows := map[string]cache.Row{}
	err := s.Read(ctx, e.Key, e.Generation, func(r cache.Row) error {
		if _, twice := rows[r.ID]; twice {
			return fmt.Errorf("row %q comes twice", r.ID)
		}
		rows[r.ID] = r
		return nil
	})
	return rows, err
}

func (k *kit) wantRow(s cache.Store, e cache.Entry, want cache.Row) {
	k.Helper()
	got, found := k.read(s, e)[want.ID]
	if !found || !sameRow(got, want) {
		k.Errorf("row %q is %+v (found %t), want %+v", want.ID, got, found, want)
	}
}

func sameRow(a, b cache.Row) bool {
	return a.ID == b.ID && a.Version == b.Version && a.Since == b.Since && slices.Equal(a.Data, b.Data)
}

// wantError fails the test unless err wraps want.
func (k *kit) wantError(what string, err, want error) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (k *kit) wantList(s cache.Store, f cache.Filter, want ...string) {
	k.Helper()
	got := map[string]bool{}
	err := s.List(k.Context(), f, func(e cache.Entry) error {
		got[e.Key.Channel+"/"+e.Key.Anchor] = true
		return nil
	})
	if names := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(names, want) {
		k.Errorf("list of %+v: %q, %v, want %q", f, names, err, want)
	}
}

// eventually waits until ok.
func (k *kit) eventually(what string, ok func() bool) {
	k.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			k.Fatalf("%s has not come about", what)
		case <-tick.C:
		}
	}
}
