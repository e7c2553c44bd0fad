package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/client"
)

// TestRollingRestart replaces both nodes of a board, one after the other, while
// clients read and write through a balancer: no write fails or is made twice, no
// client goes back to an older state, and all end with what the database has.
func TestRollingRestart(t *testing.T) {
	onBrokers(t, "rolling", func(c *cluster) {
		nodes := []*node{c.start(), c.start()}
		front := balance(c.t)
		front.use(c.t, nodes...)
		server := httptest.NewServer(front)
		c.t.Cleanup(server.Close)
		load := c.load(server.URL)
		for i := range nodes {
			fresh := c.start()
			front.use(c.t, append(slices.Clone(nodes), fresh)...)
			load.more(c.t)
			old := nodes[i]
			old.stop()
			nodes[i] = fresh
			front.use(c.t, nodes...)
			load.more(c.t)
		}
		load.end(c.t)
	})
}

// The clients of the load, half of whom write.
const (
	watchers = 8
	writers  = watchers / 2
)

// load is clients at work.
type load struct {
	c       *cluster
	streams []*client.Stream[Board]
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	written map[string]bool
	gaps    []time.Duration
	slowest time.Duration
	faults  []string
	grown   chan struct{} // closed and made anew with each write
}

// load connects clients, who begin to write until end.
func (c *cluster) load(url string) *load {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	c.t.Cleanup(stop)
	l := &load{c: c, stop: stop, written: map[string]bool{}, grown: make(chan struct{})}
	secret := c.token("ada")
	for i := range watchers {
		s := follow[Board](c.t, c.connect(url, secret), "boards/1")
		l.streams = append(l.streams, s)
		l.work.Go(func() { l.watch(ctx, s) })
		if i < writers {
			l.work.Go(func() { l.write(ctx, s, i) })
		}
	}
	return l
}

// write adds cards, one after the other.
func (l *load) write(ctx context.Context, s *client.Stream[Board], writer int) {
	for i := 0; ctx.Err() == nil; i++ {
		title := fmt.Sprintf("card %d of writer %d", i, writer)
		begun := time.Now()
		// A write that has begun is finished.
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		_, err := s.Create(bound, "Card", fields{"title": title, "position": i}, client.In("List", writer+1, "cards"))
		if err == nil {
			// An answer that has come is returned, also when the connection breaks
			// before its effects do: then they come with the next one.
			_, err = s.Wait(bound, func(b Board) bool { return cardOf(&b, title) != nil })
		}
		cancel()
		l.note(func() {
			if err != nil {
				l.faults = append(l.faults, fmt.Sprintf("%s: %v", title, err))
			}
			l.written[title] = true
			l.slowest = max(l.slowest, time.Since(begun))
			close(l.grown)
			l.grown = make(chan struct{})
		})
	}
}

func cardOf(b *Board, title string) *Card {
	_, card := find(b, title)
	return card
}

// watch measures for how long a stream may be stale, and checks that no card that
// was there goes.
func (l *load) watch(ctx context.Context, s *client.Stream[Board]) {
	var since time.Time
	defer func() {
		if !since.IsZero() { // it was noticed to be over, or ends the test otherwise
			l.note(func() { l.gaps = append(l.gaps, time.Since(since)) })
		}
	}()
	most := 0
	for ctx.Err() == nil {
		changed := s.Changed()
		stale, cards := s.Stale(), 0
		for _, list := range s.State().Lists {
			cards += len(list.Cards)
		}
		switch {
		case stale && since.IsZero():
			since = time.Now()
		case !stale && !since.IsZero():
			l.note(func() { l.gaps = append(l.gaps, time.Since(since)) })
			since = time.Time{}
		}
		if err := s.Err(); err != nil || cards < most {
			l.note(func() {
				l.faults = append(l.faults, fmt.Sprintf("a client had %d cards and has %d: %v", most, cards, err))
			})
			return
		}
		most = max(most, cards)
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (l *load) note(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// more waits until all have come to a node again, and for some writes after that.
func (l *load) more(t *testing.T) {
	t.Helper()
	for _, s := range l.streams {
		eventually(t, s, "a node", func(Board) bool { return !s.Stale() })
	}
	deadline := time.After(patience)
	for range 2 * writers {
		var grown chan struct{}
		l.note(func() { grown = l.grown })
		select {
		case <-grown:
		case <-deadline:
			t.Fatal("nothing is written any more")
		}
	}
}

// end stops the writers, and holds what all have seen against the database.
func (l *load) end(t *testing.T) {
	t.Helper()
	want := l.quiesce(t)
	for _, s := range l.streams {
		eventually(t, s, "the database's state", func(Board) bool { return bytes.Equal(canonical(t, s.JSON()), want) })
	}
	for _, fault := range l.faults {
		t.Error(fault)
	}
	var cards, titles int
	must(t, l.c.db.QueryRowContext(t.Context(),
		`SELECT count(*), count(DISTINCT title) FROM cards WHERE title LIKE 'card % of writer %'`).Scan(&cards, &titles))
	if cards != len(l.written) || titles != cards {
		t.Errorf("the database has %d cards of %d titles, %d were written", cards, titles, len(l.written))
	}
	if len(l.gaps) < watchers {
		t.Errorf("%d times a client was sent elsewhere: not all have come to another node", len(l.gaps))
	}
	slices.Sort(l.gaps)
	t.Logf("%d writes, the slowest %s; %d gaps: median %s, longest %s", len(l.written), l.slowest.Round(time.Millisecond),
		len(l.gaps), l.gaps[len(l.gaps)/2].Round(time.Millisecond), l.gaps[len(l.gaps)-1].Round(time.Millisecond))
}

// quiesce ends the load and returns what the board is then, read by a client that
// has seen nothing before.
func (l *load) quiesce(t *testing.T) []byte {
	t.Helper()
	l.stop()
	l.work.Wait()
	fresh := l.c.start()
	s := follow[Board](t, l.c.connect(fresh.url, l.c.token("ada")), "boards/1")
	return canonical(t, s.JSON())
}

// canonical has the keys of objects in one order.
func canonical(t *testing.T, text []byte) []byte {
	t.Helper()
	var v any
	must(t, json.Unmarshal(text, &v))
	out, err := json.Marshal(v)
	must(t, err)
	return out
}
