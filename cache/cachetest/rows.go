package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/cache"
)

// rows come back as they were written.
func (k *kit) rows() {
	s := k.open()
	other := k.join(s)
	e := k.hot(s, "1", "g1")
	if rows := k.read(other, e); len(rows) != 0 {
		k.Errorf("an entry begins with rows: %v", rows)
	}
	var all []cache.Row
	for i, id := range []string{"plain", "", "\x00", "\xff\xfe", "a.b$c", strings.Repeat("i", cache.MaxID)} {
		all = append(all, cache.Row{ID: id, Version: uint64(i), Since: uint64(2 * i), Data: []byte{0, 255, byte(i)}})
	}
	all = append(all,
		cache.Row{ID: "late", Version: 1<<53 - 1, Since: 1<<53 - 1, Data: []byte("x")},
		cache.Row{ID: "empty", Version: 1},
	)
	k.write(s, e, all...)
	k.write(s, e)
	if n := len(k.read(other, e)); n != len(all) {
		k.Errorf("%d rows, want %d", n, len(all))
	}
	for _, r := range all {
		k.wantRow(other, e, r)
	}
	stop := errors.New("enough")
	calls := 0
	err := s.Read(k.Context(), e.Key, e.Generation, func(cache.Row) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		k.Errorf("a read goes on after an error: %d calls, %v", calls, err)
	}
}

// generations keep rows apart, as entries do.
func (k *kit) generations() {
	s := k.open()
	k.wantError("write to no entry", s.Write(k.Context(), key("1"), "g1", []cache.Row{{ID: "r"}}), cache.ErrGone)
	e := k.hot(s, "1", "g1")
	neighbour := k.hot(s, "2", "g1")
	k.write(s, e, cache.Row{ID: "r", Version: 9, Data: []byte("old")})
	k.write(s, neighbour, cache.Row{ID: "r", Version: 1, Data: []byte("other")})
	e.State, e.Generation = cache.Heating, "g2"
	old, e := e, k.swap(s, e)
	old.Generation = "g1"
	if rows := k.read(s, e); len(rows) != 0 {
		k.Errorf("a new generation begins with %v", rows)
	}
	k.write(s, e, cache.Row{ID: "r", Version: 2, Data: []byte("new")})
	k.wantRow(s, e, cache.Row{ID: "r", Version: 2, Data: []byte("new")})
	_, err := readAll(k.Context(), s, old)
	k.wantError("read an old generation", err, cache.ErrGone)
	k.wantError("write an old generation", s.Write(k.Context(), e.Key, "g1", []cache.Row{{ID: "r", Version: 10}}), cache.ErrGone)
	k.wantRow(s, e, cache.Row{ID: "r", Version: 2, Data: []byte("new")})
	k.wantRow(s, neighbour, cache.Row{ID: "r", Version: 1, Data: []byte("other")})
	// A change of state leaves the rows.
	e.State = cache.Hot
	k.wantRow(s, k.swap(s, e), cache.Row{ID: "r", Version: 2, Data: []byte("new")})
}

// wiped is removed while others write to it: nothing of that comes back.
func (k *kit) wiped() {
	s := k.open()
	other := k.join(s)
	for round := range 5 {
		generation := fmt.Sprint("g", round)
		e := k.hot(s, "1", generation)
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					err := other.Write(k.Context(), e.Key, generation, []cache.Row{{ID: fmt.Sprint(i, n), Version: 1, Data: []byte("x")}})
					if errors.Is(err, cache.ErrGone) {
						return
					}
					if err != nil {
						k.Errorf("write: %v", err)
						return
					}
				}
			})
		}
		e.State = cache.Cold
		k.swap(s, e)
		wg.Wait()
		_, err := readAll(k.Context(), s, e)
		k.wantError("read what was removed", err, cache.ErrGone)
		next := k.hot(s, "1", generation+"b")
		if rows := k.read(s, next); len(rows) != 0 {
			k.Errorf("the next generation has %d rows", len(rows))
		}
		next.State = cache.Cold
		k.swap(s, next)
	}
}

// guards let the later statement count.
func (k *kit) guards() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	five := cache.Row{ID: "r", Version: 5, Data: []byte("five")}
	k.write(s, e, five)
	k.write(s, e, cache.Row{ID: "r", Version: 4, Since: 4, Data: []byte("four")}, cache.Row{ID: "other", Version: 1})
	k.wantRow(s, e, five)
	k.wantRow(s, e, cache.Row{ID: "other", Version: 1})
	k.write(s, e, cache.Row{ID: "r", Version: 5, Since: 5, Data: []byte("again")})
	k.wantRow(s, e, five)
	k.write(s, e, cache.Row{ID: "r", Version: 6})
	k.wantRow(s, e, cache.Row{ID: "r", Version: 6})
	k.write(s, e, five)
	k.wantRow(s, e, cache.Row{ID: "r", Version: 6})
}

// since is kept by rows that say nothing of it.
func (k *kit) since() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	for _, c := range []struct{ version, since, want uint64 }{
		{1, 0, 0}, {3, 3, 3}, {4, 0, 3}, {2, 2, 3}, {9, 8, 8}, {9, 0, 8}, {10, 0, 8}, {11, 2, 2},
	} {
		k.write(s, e, cache.Row{ID: "r", Version: c.version, Since: c.since})
		if got := k.read(s, e)["r"].Since; got != c.want {
			k.Errorf("after version %d since %d the row is since %d, want %d", c.version, c.since, got, c.want)
		}
	}
}

// anyOrder has several write the same statements in orders of their own.
func (k *kit) anyOrder() {
	s := k.open()
	stores := []cache.Store{s, k.join(s), k.join(s)}
	e := k.hot(s, "1", "g1")
	const ids, versions = 20, 30
	var all []cache.Row
	for id := range ids {
		for v := 1; v <= versions; v++ {
			all = append(all, cache.Row{ID: strconv.Itoa(id), Version: uint64(v), Since: uint64(v), Data: fmt.Appendf(nil, "%d@%d", id, v)})
		}
	}
	var wg sync.WaitGroup
	for i, store := range stores {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		wg.Go(func() {
			batches := map[int][]cache.Row{}
			for _, n := range random.Perm(len(all)) {
				// One batch names a row once.
				batches[int(all[n].Version)] = append(batches[int(all[n].Version)], all[n])
			}
			for _, v := range random.Perm(versions) {
				if err := store.Write(k.Context(), e.Key, e.Generation, batches[v+1]); err != nil {
					k.Errorf("write: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for id := range ids {
		k.wantRow(s, e, cache.Row{ID: strconv.Itoa(id), Version: versions, Since: versions, Data: fmt.Appendf(nil, "%d@%d", id, versions)})
	}
}

// sizes go up to what every store keeps.
func (k *kit) sizes() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	large := cache.Row{ID: strings.Repeat("\xff", cache.MaxID), Version: 1, Data: bytes.Repeat([]byte{0xfe}, cache.MaxData)}
	k.write(s, e, large)
	k.wantRow(s, e, large)
	err := s.Write(k.Context(), e.Key, e.Generation, []cache.Row{{ID: "r", Version: 1, Data: make([]byte, k.h.TooLarge)}})
	k.wantError("write a row that is too large", err, cache.ErrTooLarge)
	k.wantRow(s, e, large)
}

// manyRows come in one call.
func (k *kit) manyRows() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	const many = 5000
	rows := make([]cache.Row, many)
	for i := range rows {
		rows[i] = cache.Row{ID: strconv.Itoa(i), Version: 1, Data: bytes.Repeat([]byte{byte(i)}, 100)}
	}
	k.write(s, e, rows...)
	for i := range rows {
		rows[i].Version, rows[i].Data = 2, []byte{byte(i)}
	}
	k.write(s, e, rows[:many/2]...)
	got := k.read(s, e)
	for i := range rows {
		want := cache.Row{ID: strconv.Itoa(i), Version: 2, Data: []byte{byte(i)}}
		if i >= many/2 {
			want.Version, want.Data = 1, bytes.Repeat([]byte{byte(i)}, 100)
		}
		if !sameRow(got[want.ID], want) {
			k.Fatalf("row %d is %+v", i, got[want.ID])
		}
	}
}

// copies are the caller's: the store keeps its own.
func (k *kit) copies() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	data := []byte("mine")
	k.write(s, e, cache.Row{ID: "r", Version: 1, Data: data})
	copy(data, "your")
	copy(k.read(s, e)["r"].Data, "hers")
	k.wantRow(s, e, cache.Row{ID: "r", Version: 1, Data: []byte("mine")})
}

// calls are all that a store answers.
func (k *kit) calls(s cache.Store, ctx context.Context, e cache.Entry) map[string]func() error { //nolint:revive // the store is what the calls are of
	return map[string]func() error{
		"get":   func() error { _, err := s.Get(ctx, e.Key); return err },
		"swap":  func() error { _, err := s.Swap(ctx, e); return err },
		"write": func() error { return s.Write(ctx, e.Key, e.Generation, []cache.Row{{ID: "x", Version: 1}}) },
		"read":  func() error { return s.Read(ctx, e.Key, e.Generation, func(cache.Row) error { return nil }) },
		"beat":  func() error { return s.Beat(ctx, cache.Node{ID: "a", Number: 1}) },
		"node":  func() error { _, err := s.Node(ctx, "a"); return err },
		"list":  func() error { return s.List(ctx, cache.Filter{}, func(cache.Entry) error { return nil }) },
	}
}

// callsEnd with their context.
func (k *kit) callsEnd() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	for name, call := range k.calls(s, ctx, e) {
		k.wantError(name+" of a context that has ended", call(), context.Canceled)
	}
	for name, call := range k.calls(s, k.Context(), e) {
		if err := call(); err != nil {
			k.Errorf("%s: %v", name, err)
		}
		e = k.get(s, e.Key)
	}
}

// closed ends all calls.
func (k *kit) closed() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	for range 2 {
		if err := s.Close(); err != nil {
			k.Fatalf("close: %v", err)
		}
	}
	for name, call := range k.calls(s, k.Context(), e) {
		k.wantError(name+" of a closed store", call(), cache.ErrClosed)
	}
}

// concurrency has several make, write, read and remove the same entries.
func (k *kit) concurrency() {
	s := k.open()
	var wg sync.WaitGroup
	for i := range 6 {
		store := k.join(s)
		random := rand.New(rand.NewPCG(2, uint64(i)))
		wg.Go(func() {
			for n := range 40 {
				if err := k.turn(store, random, fmt.Sprint(i, "-", n)); err != nil {
					k.Errorf("turn: %v", err)
				}
			}
		})
	}
	wg.Wait()
	k.eventually("an entry that nobody changes", func() bool {
		e := k.get(s, key("0"))
		again := k.get(s, key("0"))
		return e == again
	})
}

// turn does something to one of three entries. Every row tells of which
// generation it is.
func (k *kit) turn(s cache.Store, random *rand.Rand, name string) error {
	ctx := k.Context()
	e, err := s.Get(ctx, key(strconv.Itoa(random.IntN(3))))
	if err != nil {
		return err
	}
	switch random.IntN(4) {
	case 0:
		e.State, e.Generation, e.Since = cache.Hot, name, time.Now()
		_, err = s.Swap(ctx, e)
	case 1:
		e.State = cache.Cold
		_, err = s.Swap(ctx, e)
	case 2:
		err = s.Write(ctx, e.Key, e.Generation, []cache.Row{{ID: name, Version: 1, Data: []byte(e.Generation)}})
	default:
		var rows map[string]cache.Row
		rows, err = readAll(ctx, s, e)
		for _, r := range rows {
			if string(r.Data) != e.Generation {
				return fmt.Errorf("generation %s has a row of %s", e.Generation, r.Data)
			}
		}
	}
	if errors.Is(err, cache.ErrConflict) || errors.Is(err, cache.ErrGone) {
		return nil
	}
	return err
}
