package cachetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/cache"
)

// entries puts an entry, changes all of it, and removes it.
func (k *kit) entries() {
	s := k.open()
	other := k.join(s)
	if e := k.get(s, key("1")); e != (cache.Entry{Key: key("1")}) {
		k.Errorf("an entry that nobody has made is %+v", e)
	}
	now := time.UnixMilli(1_700_000_000_123)
	first := k.swap(s, cache.Entry{
		Key: key("1"), State: cache.Heating, Generation: "g1", Holder: "a", Since: now, Expires: time.Now().Add(time.Hour),
	})
	k.wantEntry(other, first)
	second := first
	second.State, second.Holder, second.Through, second.Rows = cache.Cooling, "", 1<<53-1, 12
	second.Since, second.Expires = now.Add(time.Second), time.Now().Add(2*time.Hour)
	k.wantEntry(s, k.swap(other, second))
	third := k.get(s, key("1"))
	third.State = cache.Cold
	if gone := k.swap(s, third); gone != (cache.Entry{Key: key("1")}) {
		k.Errorf("a removed entry is %+v", gone)
	}
	if e := k.get(other, key("1")); e != (cache.Entry{Key: key("1")}) {
		k.Errorf("after it was removed the entry is %+v", e)
	}
}

func (k *kit) wantEntry(s cache.Store, want cache.Entry) {
	k.Helper()
	got := k.get(s, want.Key)
	times := got.Since.Equal(want.Since) && got.Expires.Equal(want.Expires)
	plain := want
	plain.Since, plain.Expires = got.Since, got.Expires
	if !times || got != plain || got.Revision == 0 {
		k.Errorf("the entry is %+v, want %+v", got, want)
	}
}

// keys tells apart what differs in one member, whatever the texts.
func (k *kit) keys() {
	s := k.open()
	all := []cache.Key{
		{Epoch: "e", Channel: "c", Schema: "s", Anchor: "a", Env: "v"},
		{Epoch: "e", Channel: "c", Schema: "s", Anchor: "a"},
		{Epoch: "e", Channel: "c", Schema: "s"},
		{Epoch: "e", Channel: "c", Schema: "s", Env: "a"},
		{Epoch: "ec", Channel: "", Schema: "s"},
		{Epoch: "e", Channel: "cs", Schema: ""},
		{Epoch: "e/c", Channel: "c", Schema: "s"}, {Epoch: "e", Channel: "c/c", Schema: "s"},
		{Epoch: "e:c", Channel: "s"}, {Epoch: "e", Channel: "c:s"},
		{Epoch: "e\x00c", Channel: "s"}, {Epoch: "e", Channel: "\x00cs"},
		{Epoch: "e", Channel: "c", Schema: "s", Anchor: `"ä.$%{}*?[]\`},
		{Epoch: "e", Channel: "c", Schema: "s", Anchor: "A"},
		{Epoch: "e", Channel: "c", Schema: "s", Anchor: "a "},
	}
	for i, key := range all {
		k.swap(s, cache.Entry{Key: key, State: cache.Hot, Generation: fmt.Sprint("g", i), Through: uint64(i)})
	}
	for i, key := range all {
		if e := k.get(s, key); e.Through != uint64(i) || e.Key != key {
			k.Errorf("entry %d (%+v) is %+v", i, key, e)
		}
	}
}

// compareAndSet refuses whoever does not know the present entry.
func (k *kit) compareAndSet() {
	s := k.open()
	other := k.join(s)
	first := k.hot(s, "1", "g1")
	_, err := other.Swap(k.Context(), cache.Entry{Key: key("1"), State: cache.Heating, Generation: "g2"})
	k.wantError("make an entry that is there", err, cache.ErrConflict)
	second := k.swap(other, first)
	if second.Revision == first.Revision {
		k.Error("a change has not changed the revision")
	}
	for _, state := range []cache.State{cache.Hot, cache.Cold} {
		first.State = state
		_, err = s.Swap(k.Context(), first)
		k.wantError("swap an older entry for "+state.String(), err, cache.ErrConflict)
	}
	k.wantEntry(s, second)
	_, err = s.Swap(k.Context(), cache.Entry{Key: key("2"), State: cache.Hot, Generation: "g", Revision: second.Revision})
	k.wantError("swap an entry that is not there", err, cache.ErrConflict)
}

// oneWins has many change one entry at once, time after time.
func (k *kit) oneWins() {
	s := k.open()
	stores := []cache.Store{s, k.join(s), k.join(s)}
	present := cache.Entry{Key: key("1")}
	for round := range 20 {
		var won atomic.Int32
		var mu sync.Mutex
		var next cache.Entry
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				e := present
				e.State, e.Generation, e.Holder = cache.Hot, "g", strconv.Itoa(i)
				got, err := stores[i%len(stores)].Swap(k.Context(), e)
				switch {
				case err == nil:
					won.Add(1)
					mu.Lock()
					next = got
					mu.Unlock()
				case !errors.Is(err, cache.ErrConflict):
					k.Errorf("swap: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			k.Fatalf("round %d: %d have won, want one", round, won.Load())
		}
		k.wantEntry(s, next)
		present = next
	}
}

// revisions are new also after the entry was gone.
func (k *kit) revisions() {
	s := k.open()
	seen := map[uint64]bool{}
	for range 20 {
		e := k.hot(s, "1", "g")
		again := k.swap(s, e)
		if seen[e.Revision] || seen[again.Revision] || e.Revision == 0 || again.Revision == 0 {
			k.Fatalf("revisions %d and %d: one is 0 or was there before", e.Revision, again.Revision)
		}
		seen[e.Revision], seen[again.Revision] = true, true
		again.State = cache.Cold
		k.swap(s, again)
	}
}

// expiry makes entries cold by themselves.
func (k *kit) expiry() {
	s := k.open()
	e := k.hot(s, "1", "g1")
	k.write(s, e, cache.Row{ID: "r", Version: 1, Data: []byte("x")})
	e.State, e.Holder, e.Expires = cache.Cooling, "", time.Now().Add(time.Hour)
	e = k.swap(s, e)
	k.wantRow(s, e, cache.Row{ID: "r", Version: 1, Data: []byte("x")})
	e.Expires = time.Now().Add(30 * time.Millisecond)
	e = k.swap(s, e)
	k.eventually("the end of an entry", func() bool { return k.get(s, key("1")).State == cache.Cold })
	if cold := k.get(s, key("1")); cold != (cache.Entry{Key: key("1")}) {
		k.Errorf("an expired entry is %+v", cold)
	}
	k.wantList(s, cache.Filter{})
	k.wantError("write to an expired entry", s.Write(k.Context(), e.Key, "g1", []cache.Row{{ID: "r", Version: 2}}), cache.ErrGone)
	_, err := readAll(k.Context(), s, e)
	k.wantError("read an expired entry", err, cache.ErrGone)
	_, err = s.Swap(k.Context(), e)
	k.wantError("swap an expired entry", err, cache.ErrConflict)
	again := k.hot(s, "1", "g2")
	if rows := k.read(s, again); len(rows) != 0 {
		k.Errorf("a new entry has the rows %v of an expired one", rows)
	}
}

// nodes tell of themselves.
func (k *kit) nodes() {
	s := k.open()
	other := k.join(s)
	if n, err := s.Node(k.Context(), "a"); err != nil || n != (cache.Node{}) {
		k.Errorf("a node that nobody knows is %+v, %v", n, err)
	}
	soon, late := time.UnixMilli(time.Now().Add(-time.Minute).UnixMilli()), time.UnixMilli(time.Now().Add(time.Hour).UnixMilli())
	for _, c := range []struct{ tell, want cache.Node }{
		{cache.Node{ID: "a", Number: 1, Through: 5, Expires: late}, cache.Node{ID: "a", Number: 1, Through: 5, Expires: late}},
		{cache.Node{ID: "a", Number: 2, Through: 1<<53 - 1, Expires: soon}, cache.Node{ID: "a", Number: 2, Through: 1<<53 - 1, Expires: soon}},
		{cache.Node{ID: "a", Number: 2, Through: 6, Expires: late}, cache.Node{ID: "a", Number: 2, Through: 1<<53 - 1, Expires: late}},
		{cache.Node{ID: "b", Number: 1, Through: 0, Expires: late}, cache.Node{ID: "b", Number: 1, Through: 0, Expires: late}},
	} {
		if err := s.Beat(k.Context(), c.tell); err != nil {
			k.Fatalf("beat: %v", err)
		}
		n, err := other.Node(k.Context(), c.tell.ID)
		if err != nil || n.ID != c.want.ID || n.Number != c.want.Number || n.Through != c.want.Through || !n.Expires.Equal(c.want.Expires) {
			k.Errorf("after %+v the node is %+v, %v, want %+v", c.tell, n, err, c.want)
		}
	}
}

// forgotten tells a node that the store does not have what it told before.
func (k *kit) forgotten() {
	s := k.open()
	late := time.Now().Add(time.Hour)
	k.wantError("tell the second first", s.Beat(k.Context(), cache.Node{ID: "a", Number: 2, Expires: late}), cache.ErrConflict)
	for number := range uint64(3) {
		if err := s.Beat(k.Context(), cache.Node{ID: "a", Number: number + 1, Through: 7, Expires: late}); err != nil {
			k.Fatalf("beat: %v", err)
		}
	}
	for _, number := range []uint64{1, 2, 5, 1000} {
		k.wantError(fmt.Sprintf("tell %d after 3", number), s.Beat(k.Context(), cache.Node{ID: "a", Number: number, Through: 9}), cache.ErrConflict)
	}
	if n, err := s.Node(k.Context(), "a"); err != nil || n.Number != 3 || n.Through != 7 || n.Expires.Before(time.Now()) {
		k.Errorf("the node is %+v, %v, want what it told third", n, err)
	}
}

// list selects by channel and anchor.
func (k *kit) list() {
	s := k.open()
	for _, name := range []struct{ channel, anchor string }{{"A", "1"}, {"A", "2"}, {"B", "1"}, {"B", ""}} {
		key := key(name.anchor)
		key.Channel = name.channel
		k.swap(s, cache.Entry{Key: key, State: cache.Hot, Generation: "g"})
	}
	k.wantList(s, cache.Filter{}, "A/1", "A/2", "B/", "B/1")
	k.wantList(s, cache.Filter{Channel: "A"}, "A/1", "A/2")
	k.wantList(s, cache.Filter{Anchor: "1"}, "A/1", "B/1")
	k.wantList(s, cache.Filter{Channel: "B", Anchor: "1"}, "B/1")
	k.wantList(s, cache.Filter{Channel: "C"})
	stop := errors.New("enough")
	calls := 0
	err := s.List(k.Context(), cache.Filter{}, func(cache.Entry) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		k.Errorf("a list goes on after an error: %d calls, %v", calls, err)
	}
	// What is listed may be removed on the way.
	err = s.List(k.Context(), cache.Filter{Channel: "A"}, func(e cache.Entry) error {
		e.State = cache.Cold
		_, err := s.Swap(k.Context(), e)
		return err
	})
	if err != nil {
		k.Error(err)
	}
	k.wantList(s, cache.Filter{}, "B/", "B/1")
}
