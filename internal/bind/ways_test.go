package bind_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
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

type (
	// Sheet is a note with labels.
	Sheet struct {
		ID     int64        `json:"id"`
		Rooms  string       `json:"rooms"`
		Rev    int64        `json:"rev"`
		Labels []Label      `json:"labels" pando:"through:sheet_labels"`
		Ties   []SheetLabel `json:"-"`
	}
	// Label is what sheets have.
	Label struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	// SheetLabel is the table between, with a key of its own.
	SheetLabel struct {
		ID      int64 `json:"id"`
		SheetID int64 `json:"sheet_id"`
		LabelID int64 `json:"label_id"`
	}
)

func sheetSpec() *bind.Spec {
	spec := noteSpec()
	spec.Stream, spec.Model, spec.GoType = "sheets", "bind.sheet", reflect.TypeFor[Sheet]()
	spec.Groups = func(row any) []string {
		sheet, _ := row.(*Sheet)
		return strings.Fields(sheet.Rooms)
	}
	return spec
}

// sheaf is a database of sheets whose states are known.
type sheaf struct {
	*harness

	rand *rand.Rand
	// states are what each commit has left, by the sheets' keys; told is how many of
	// them were delivered.
	states  []map[int64]leaf
	told    int
	sheets  map[int64]leaf
	ties    map[int64][2]int64
	locked  map[string]uint64
	merges  bool
	viewers []*leafer
}

func newSheaf(h *harness, seed uint64) *sheaf {
	return &sheaf{
		harness: h, rand: rand.New(rand.NewPCG(seed, 11)), sheets: map[int64]leaf{}, ties: map[int64][2]int64{},
		locked: map[string]uint64{}, merges: seed%3 == 0, states: []map[int64]leaf{{}},
	}
}

// leaf is a state of a sheet.
type leaf struct {
	rooms  string
	rev    int64
	labels string
}

func rowWith(t *schema.Table, values map[string]schema.Value) schema.Row {
	row := make(schema.Row, len(t.Columns))
	for i, c := range t.Columns {
		if v, known := values[c.Name]; known {
			row[i] = v
		}
	}
	return row
}

func (s *sheaf) between() *schema.Table { return s.model.Ways()[0].Table }

// change draws a change of a row that nobody has locked.
func (s *sheaf) change() (change feed.Change, lock string, ok bool) {
	if s.rand.IntN(3) == 0 {
		id := int64(1 + s.rand.IntN(5))
		lock = fmt.Sprint("sheet ", id)
		_, there := s.sheets[id]
		switch {
		case s.locked[lock] != 0:
			return change, "", false
		case there && s.rand.IntN(3) == 0:
			delete(s.sheets, id)
			return remove(s.model.Table, schema.IntValue(id)), lock, true
		}
		s.revs++
		rooms := []string{"a", "b", "a b", ""}[s.rand.IntN(4)]
		s.sheets[id] = leaf{rooms: rooms, rev: s.revs}
		return put(s.model.Table, rowWith(s.model.Table, map[string]schema.Value{
			"id": schema.IntValue(id), "rooms": schema.TextValue(rooms), "rev": schema.IntValue(s.revs),
		})), lock, true
	}
	id := int64(1 + s.rand.IntN(8))
	lock = fmt.Sprint("tie ", id)
	_, there := s.ties[id]
	switch {
	case s.locked[lock] != 0:
		return change, "", false
	case there && s.rand.IntN(3) == 0:
		delete(s.ties, id)
		return remove(s.between(), schema.IntValue(id)), lock, true
	}
	tie := [2]int64{int64(1 + s.rand.IntN(5)), int64(1 + s.rand.IntN(4))}
	s.ties[id] = tie
	return put(s.between(), rowWith(s.between(), map[string]schema.Value{
		"id": schema.IntValue(id), "sheet_id": schema.IntValue(tie[0]), "label_id": schema.IntValue(tie[1]),
	})), lock, true
}

func (s *sheaf) commit() {
	var changes []feed.Change
	var locks []string
	for range 1 + s.rand.IntN(4) {
		if change, lock, ok := s.change(); ok {
			changes, locks = append(changes, change), append(locks, lock)
		}
	}
	if changes == nil {
		return
	}
	hide := s.rand.IntN(3) == 0 && !s.merges
	c := s.db.commit(hide, changes...)
	for _, lock := range locks {
		if hide {
			s.locked[lock] = c.Transaction
		}
	}
	s.states = append(s.states, s.state())
}

// state is the sheets with their labels.
func (s *sheaf) state() map[int64]leaf {
	now := maps.Clone(s.sheets)
	for id, l := range now {
		var labels []int64
		for _, tie := range s.ties {
			if tie[0] == id {
				labels = append(labels, tie[1])
			}
		}
		slices.Sort(labels)
		text, err := json.Marshal(slices.Compact(append([]int64{}, labels...)))
		if err != nil {
			s.t.Fatal(err)
		}
		l.labels = string(text)
		now[id] = l
	}
	return now
}

func (s *sheaf) deliver(n int) {
	n = min(n, len(s.states)-1-s.told)
	if n == 0 {
		return
	}
	if s.merges {
		s.foretell(s.told, s.told+n)
		s.db.merge(n)
	} else {
		for i := range n {
			s.foretell(s.told+i, s.told+i+1)
		}
		s.db.deliver(n)
	}
	if s.told += n; s.told == len(s.states)-1 {
		s.db.deliver(-1)
	}
}

// foretell notes what is to be told of the way from one state to another.
func (s *sheaf) foretell(from, to int) {
	was, is := s.states[from], s.states[to]
	for id := range int64(10) {
		old, wasThere := was[id]
		now, isThere := is[id]
		if wasThere == isThere && old == now {
			continue
		}
		for _, v := range s.viewers {
			switch before, after := wasThere && v.in(old), isThere && v.in(now); {
			case before && after:
				v.want[id] = append(v.want[id], fmt.Sprint("update ", now.rev, now.labels))
			case after:
				v.want[id] = append(v.want[id], fmt.Sprint("create ", now.rev, now.labels))
			case before:
				v.want[id] = append(v.want[id], "delete")
			}
		}
	}
}

// leafer is who is told of sheets.
type leafer struct {
	*client

	groups     []string
	subscribed bool
	pending    <-chan error
	want, got  map[int64][]string
	rows, next map[int64]string
}

func (v *leafer) in(l leaf) bool {
	return slices.ContainsFunc(strings.Fields(l.rooms), func(g string) bool { return slices.Contains(v.groups, g) })
}

func (s *sheaf) viewer(subscribes bool, groups ...string) {
	v := &leafer{client: s.connect(groups...), groups: groups, subscribed: subscribes, want: map[int64][]string{}, got: map[int64][]string{}}
	s.viewers = append(s.viewers, v)
}

// read takes what a client was told.
func (s *sheaf) read(v *leafer) {
	for _, text := range v.read() {
		var m struct {
			Gap    bool
			Action string
			PK     int64
			Data   sheetData
			Rows   []struct {
				PK   int64
				Data sheetData
			}
			More bool
		}
		if err := json.Unmarshal(text, &m); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		switch {
		case m.Gap:
			s.t.Errorf("a gap: %s", s.log)
		case m.Action == "snapshot":
			if v.next == nil {
				v.next = map[int64]string{}
			}
			for _, row := range m.Rows {
				v.next[row.PK] = row.Data.text()
			}
			if !m.More {
				v.rows, v.next = v.next, nil
			}
		case m.Action == "delete":
			v.got[m.PK] = append(v.got[m.PK], "delete")
			delete(v.rows, m.PK)
		default:
			v.got[m.PK] = append(v.got[m.PK], m.Action+" "+m.Data.text())
			if _, there := v.rows[m.PK]; v.rows != nil && there == (m.Action == "create") {
				s.t.Errorf("%s of row %d, which was there: %v", m.Action, m.PK, there)
			}
			if v.rows != nil {
				if v.rows[m.PK] == m.Data.text() {
					s.t.Errorf("row %d is told twice as %s", m.PK, m.Data.text())
				}
				v.rows[m.PK] = m.Data.text()
			}
		}
	}
}

type sheetData struct {
	Rooms  string
	Rev    int64
	Labels json.RawMessage
}

func (d sheetData) text() string { return strconv.FormatInt(d.Rev, 10) + string(d.Labels) }

func (s *sheaf) step() {
	switch n := s.rand.IntN(20); {
	case n < 9:
		s.commit()
	case n < 13:
		s.deliver(1 + s.rand.IntN(4))
	case n < 15:
		s.show()
	case n < 17:
		synctest.Wait()
	default:
		v := s.viewers[s.rand.IntN(len(s.viewers))]
		s.read(v)
		if v.subscribed && v.pending == nil {
			v.rows, v.next = nil, nil
			v.pending = v.subscribe()
		}
	}
}

func (s *sheaf) show() {
	for _, lock := range slices.Sorted(maps.Keys(s.locked)) {
		transaction := s.locked[lock]
		s.db.show(transaction)
		maps.DeleteFunc(s.locked, func(_ string, of uint64) bool { return of == transaction })
		return
	}
}

// rest has all be told, and compares.
func (s *sheaf) rest() {
	for len(s.locked) > 0 {
		s.show()
	}
	s.deliver(len(s.states))
	for range 3 {
		s.pass(2 * time.Second)
		synctest.Wait()
	}
	for i, v := range s.viewers {
		if v.pending != nil {
			if err := <-v.pending; err != nil {
				s.t.Error(err)
			}
			v.pending = nil
			synctest.Wait()
		}
		s.read(v)
		if !v.subscribed && !reflect.DeepEqual(v.got, v.want) {
			s.t.Errorf("viewer %d in %v was told\n%v, want\n%v", i, v.groups, v.got, v.want)
		}
		if v.rows == nil {
			continue
		}
		rows := map[int64]string{}
		for id, l := range s.states[len(s.states)-1] {
			if v.in(l) {
				rows[id] = fmt.Sprint(l.rev, l.labels)
			}
		}
		if !maps.Equal(rows, v.rows) {
			s.t.Errorf("viewer %d in %v has\n%v, want\n%v", i, v.groups, v.rows, rows)
		}
	}
}

// TestKeysAreThoseOfTheirCommit draws commits of sheets and of the table between,
// which reads see before they are told, after, and some never before the feed: each
// is told with the keys that it left, once.
func TestKeysAreThoseOfTheirCommit(t *testing.T) { drawSheaves(t, false) }

// TestSubscriptionsBeginWithTheKeysOfOnePlace is the same with clients that
// subscribe meanwhile: what they have in the end is what there is, and nothing is
// told twice.
func TestSubscriptionsBeginWithTheKeysOfOnePlace(t *testing.T) { drawSheaves(t, true) }

func drawSheaves(t *testing.T, subscribes bool) {
	t.Helper()
	drawn(t, 200, sheetSpec, func(h *harness, seed uint64) {
		s := newSheaf(h, seed)
		s.viewer(subscribes, "a")
		s.viewer(subscribes, "a", "b")
		for range 4 {
			for range 40 {
				s.step()
			}
			if s.rest(); h.t.Failed() {
				return
			}
		}
	})
}

// TestKeysThatCannotBeReadAreAGap and the next commit is told again.
func TestKeysThatCannotBeReadAreAGap(t *testing.T) {
	inBubble(t, sheetSpec(), func(h *harness) {
		s := &sheaf{harness: h, sheets: map[int64]leaf{}}
		c := h.connect("a")
		sheet := func(rev int64) feed.Change {
			return put(h.model.Table, rowWith(h.model.Table, map[string]schema.Value{
				"id": schema.IntValue(1), "rooms": schema.TextValue("a"), "rev": schema.IntValue(rev),
			}))
		}
		h.db.refused(errors.New("not now"))
		h.write(sheet(1))
		h.expect("what cannot be read", c.told(), gapText)
		h.db.refused(nil)
		h.write(sheet(2), put(s.between(), rowWith(s.between(), map[string]schema.Value{
			"id": schema.IntValue(7), "sheet_id": schema.IntValue(1), "label_id": schema.IntValue(3),
		})))
		h.expect("what follows", strings.NewReplacer(`,"model":"bind.sheet"`, "", `"rev":2,`, "").Replace(string(slices.Concat(c.read()...))),
			`{"action":"update","pk":1,"data":{"rooms":"a","labels":[3]}}`)
	})
}
