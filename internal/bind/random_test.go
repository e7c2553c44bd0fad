package bind_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/schema"
)

// TestEveryConnectionConverges draws commits, delays, reads that fail, clients that
// come, subscribe, join, leave and read slowly. No row comes twice or goes back;
// once all is at rest who subscribes has the rows of its groups, and who does not was
// told each change exactly once.
func TestEveryConnectionConverges(t *testing.T) {
	drawn(t, 250, noteSpec, func(h *harness, seed uint64) {
		w := &crowd{harness: h, rand: rand.New(rand.NewPCG(seed, 7)), locked: map[int64]uint64{}, merges: seed%3 == 0}
		for range 6 {
			for range 40 {
				w.step()
			}
			if w.rest(); h.t.Failed() {
				return
			}
		}
	})
}

// drawn runs a test for each of some seeds, in a bubble of its own; fewer where time
// is short.
func drawn(t *testing.T, seeds uint64, spec func() *bind.Spec, test func(h *harness, seed uint64)) {
	t.Helper()
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			inBubble(t, spec(), func(h *harness) { test(h, seed) })
		})
	}
}

// crowd is a harness with clients that come and go.
type crowd struct {
	*harness

	rand    *rand.Rand
	viewers []*viewer
	// merges tells that several commits come as one, and are seen as they are made.
	merges bool
	// locked are the rows of commits that reads do not see.
	locked  map[int64]uint64
	waiting []*feed.Commit // to be delivered
}

// viewer is a client with what it has been told.
type viewer struct {
	*client

	groups     map[string]bool
	subscribed bool
	pending    <-chan error // of a subscription
	// rows are the revisions of the rows that it knows, seen the highest it was told
	// of each; gone are those that it was told are deleted.
	rows, staged map[int64]int64
	seen         map[int64]int64
	gone         map[int64]bool
	// known tells that rows is all of it; exact that no change of groups is under way.
	known, exact bool
	// witness tells that it never subscribes, changes groups or is slow: want is
	// what it has to be told, got what it was.
	witness   bool
	want, got []string
}

func (w *crowd) step() {
	switch n := w.rand.IntN(100); {
	case n < 35:
		w.commit()
	case n < 50:
		w.deliver(1 + w.rand.IntN(3))
	case n < 58:
		w.show()
	case n < 62:
		w.connect()
	case n < 63:
		w.restart()
	case n < 66:
		var err error
		if w.rand.IntN(3) == 0 {
			err = errors.New("not now")
		}
		w.db.refused(err)
	case n < 72:
		synctest.Wait()
	case n < 75:
		w.pass(time.Duration(w.rand.IntN(300)) * time.Millisecond)
	case len(w.viewers) > 0:
		w.act(w.viewers[w.rand.IntN(len(w.viewers))])
	}
}

var someRooms = []string{"a", "b", "c", "a b", "b c", "a b c", "c a", "", "panic"}

// commit writes some rows, and reads may not see it.
func (w *crowd) commit() {
	var changes []feed.Change
	var ids []int64
	for range 1 + w.rand.IntN(5) {
		id := int64(1 + w.rand.IntN(10))
		if w.locked[id] != 0 {
			continue
		}
		ids = append(ids, id)
		switch rooms := someRooms[w.rand.IntN(len(someRooms))]; {
		case w.rand.IntN(4) == 0:
			changes = append(changes, w.gone(id))
		case rooms == "panic" && w.rand.IntN(5) > 0:
			changes = append(changes, w.note(id, "b", "x"))
		default:
			changes = append(changes, w.note(id, rooms, "x"))
		}
	}
	// Deleting what is not there is no change.
	there := map[int64]bool{}
	changes = slices.DeleteFunc(changes, func(ch feed.Change) bool {
		id := ch.Key.Int()
		if _, known := there[id]; !known {
			there[id] = w.db.row(w.model.Table, ch.Key) != nil
		}
		nothing := ch.New == nil && !there[id]
		there[id] = ch.New != nil
		return nothing
	})
	hide := w.rand.IntN(3) == 0 && !w.merges
	c := w.db.commit(hide, changes...)
	w.waiting = append(w.waiting, c)
	for _, id := range ids {
		if hide {
			w.locked[id] = c.Transaction
		}
	}
}

func (w *crowd) show() {
	ids := slices.Sorted(maps.Keys(w.locked))
	if len(ids) == 0 {
		return
	}
	transaction := w.locked[ids[w.rand.IntN(len(ids))]]
	w.db.show(transaction)
	maps.DeleteFunc(w.locked, func(_ int64, of uint64) bool { return of == transaction })
}

func (w *crowd) deliver(n int) {
	n = min(n, len(w.waiting))
	next := w.waiting[:n]
	w.waiting = w.waiting[n:]
	if w.merges && n > 0 {
		w.foretell(merged(next))
		w.db.merge(n)
	} else {
		for _, c := range next {
			w.foretell(c)
		}
		w.db.deliver(n)
	}
	if len(w.waiting) == 0 {
		w.db.deliver(-1)
	}
}

// foretell notes what witnesses are to be told of a commit.
func (w *crowd) foretell(c *feed.Commit) {
	first, last := map[int64]schema.Row{}, map[int64]schema.Row{}
	var order []int64
	for _, ch := range c.Changes {
		id := ch.Key.Int()
		if _, known := last[id]; !known {
			first[id] = ch.Old
			order = append(order, id)
		}
		last[id] = ch.New
	}
	for _, v := range w.viewers {
		for _, id := range order {
			was, now := w.roomsOf(first[id]), w.roomsOf(last[id])
			if slices.Contains(was, "panic") || slices.Contains(now, "panic") {
				continue // a gap
			}
			in := func(rooms []string) bool {
				return slices.ContainsFunc(rooms, func(g string) bool { return v.groups[g] })
			}
			switch {
			case in(was) && in(now):
				v.want = append(v.want, fmt.Sprint("update ", id))
			case in(was):
				v.want = append(v.want, fmt.Sprint("delete ", id))
			case in(now):
				v.want = append(v.want, fmt.Sprint("create ", id))
			}
		}
	}
}

func (w *crowd) roomsOf(row schema.Row) []string {
	if row == nil {
		return nil
	}
	var note Note
	if err := w.model.Type.Decode(row, &note); err != nil {
		w.t.Fatal(err)
	}
	return strings.Fields(note.Rooms)
}

func (w *crowd) restart() {
	synctest.Wait()
	w.db.restart()
	w.waiting = nil
	clear(w.locked)
}

func (w *crowd) connect() {
	synctest.Wait() // what was delivered before is not for those who come now
	groups := map[string]bool{}
	for _, g := range []string{"a", "b", "c"} {
		if w.rand.IntN(2) == 0 {
			groups[g] = true
		}
	}
	v := &viewer{
		client: w.harness.connect(slices.Collect(maps.Keys(groups))...), groups: groups, exact: true,
		rows: map[int64]int64{}, seen: map[int64]int64{}, gone: map[int64]bool{}, witness: w.rand.IntN(3) == 0,
	}
	if !v.witness && w.rand.IntN(2) == 0 {
		v.bound = 1 + w.rand.IntN(4)
	}
	w.viewers = append(w.viewers, v)
}

func (w *crowd) act(v *viewer) {
	n := w.rand.IntN(10)
	if v.witness {
		n = 9
	}
	g := []string{"a", "b", "c"}[w.rand.IntN(3)]
	switch {
	case n < 3 && v.pending == nil:
		v.known, v.pending = false, v.subscribe()
	case n < 4 && v.pending == nil && v.subscribed:
		if _, _, err := v.line.Receive(w.t.Context(), json.RawMessage(`{"action":"unsubscribe"}`)); err != nil {
			w.t.Error(err)
		}
		v.subscribed, v.known = false, false
	case n < 5:
		v.groups[g], v.exact = true, false
		w.join(v.client, g)
	case n < 6:
		delete(v.groups, g)
		v.exact = false
		w.leave(v.client, g)
	case n == 6 && w.rand.IntN(4) == 0:
		v.line.Close()
		w.viewers = slices.DeleteFunc(w.viewers, func(o *viewer) bool { return o == v })
	default:
		w.read(v)
	}
}

// read has a client read, and tells whether there was anything.
func (w *crowd) read(v *viewer) bool {
	messages := v.read()
	for _, m := range messages {
		var said said
		if err := json.Unmarshal(m, &said); err != nil {
			w.t.Fatalf("%s: %v", m, err)
		}
		v.take(&said)
	}
	return len(messages) > 0
}

// said is anything that a client is told.
type said struct {
	Gap    bool
	Action string
	PK     int64
	Data   Note
	Rows   []struct {
		PK   int64
		Data Note
	}
	More bool
}

func (v *viewer) take(m *said) {
	t := v.h.t
	_, there := v.rows[m.PK]
	strict := v.known && v.exact
	switch {
	case m.Gap:
		v.known = false
		return
	case m.Action == "snapshot":
		v.snapshot(m)
		return
	case strict && there != (m.Action != "create"):
		t.Errorf("told %s of row %d; that it was there is %v", m.Action, m.PK, there)
	case m.Action == "delete":
		delete(v.rows, m.PK)
		v.gone[m.PK] = true
	case m.Data.Rev <= v.seen[m.PK]:
		t.Errorf("told revision %d of row %d after %d", m.Data.Rev, m.PK, v.seen[m.PK])
	default:
		v.rows[m.PK], v.seen[m.PK] = m.Data.Rev, m.Data.Rev
		delete(v.gone, m.PK)
	}
	v.got = append(v.got, fmt.Sprint(m.Action, " ", m.PK))
}

func (v *viewer) snapshot(m *said) {
	t := v.h.t
	if v.staged == nil {
		v.staged = map[int64]int64{}
	}
	for _, row := range m.Rows {
		if _, twice := v.staged[row.PK]; twice {
			t.Errorf("row %d is twice in a snapshot", row.PK)
		}
		if rev := row.Data.Rev; rev < v.seen[row.PK] || v.gone[row.PK] && rev == v.seen[row.PK] {
			t.Errorf("a snapshot has revision %d of row %d after %d, gone %v", rev, row.PK, v.seen[row.PK], v.gone[row.PK])
		}
		v.staged[row.PK] = row.Data.Rev
	}
	if m.More {
		return
	}
	v.rows, v.staged, v.known = v.staged, nil, true
	for id, rev := range v.rows {
		v.seen[id] = rev
		delete(v.gone, id)
	}
}

// rest waits until nothing happens any more, and compares.
func (w *crowd) rest() {
	w.db.refused(nil)
	for len(w.locked) > 0 {
		w.show()
	}
	w.deliver(len(w.waiting))
	for idle := 0; idle < 3; idle++ {
		w.pass(5 * time.Second)
		synctest.Wait()
		for _, v := range w.viewers {
			if w.read(v) {
				idle = 0
			}
			v.settle(w)
		}
	}
	for i, v := range w.viewers {
		switch {
		case v.witness && !slices.Equal(v.got, v.want):
			w.t.Errorf("viewer %d in %v was told\n%q, want\n%q", i, v.groups, v.got, v.want)
		case v.subscribed && !v.known:
			w.t.Errorf("viewer %d has no snapshot", i)
		case v.subscribed && !maps.Equal(v.rows, w.rowsIn(v.groups)):
			w.t.Errorf("viewer %d in %v has %v, want %v", i, v.groups, v.rows, w.rowsIn(v.groups))
		}
		v.want, v.got, v.exact = nil, nil, true
	}
}

// settle takes in how a subscription has begun.
func (v *viewer) settle(w *crowd) {
	if v.pending == nil {
		return
	}
	select {
	case err := <-v.pending:
		v.subscribed, v.pending = err == nil, nil
	default:
		w.t.Error("a subscription neither begins nor fails")
	}
}
