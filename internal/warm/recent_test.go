package warm

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// TestRecent compares what is recent with a plain list of all commits.
func TestRecent(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		k := newKit(t, Config{Changes: 1 + random.IntN(40)})
		r := k.cache.recent
		model := map[rowKey]schema.Row{}
		at := map[rowKey]uint64{}
		for pos := uint64(101); pos < 200; pos++ {
			var changes []feed.Change
			for range 1 + random.IntN(4) {
				id := 1 + random.IntN(12)
				ch := k.put("verses", "id", id, "text", strconv.FormatUint(pos, 10), "poem_id", random.IntN(3))
				if random.IntN(4) == 0 {
					ch = memdb.Remove(k.of["verses"], schema.IntValue(int64(id)))
				}
				changes = append(changes, ch)
			}
			for _, ch := range changes {
				key := rowKey{ch.Table.ID, ch.Key}
				model[key], at[key] = ch.New, pos
			}
			if random.IntN(4) == 0 {
				r.commit(&feed.Commit{Position: feed.Position(pos), Changes: changes[:1], More: true})
				changes = changes[1:]
			}
			k.commit(pos, changes...)
			k.compare(model, at, pos)
		}
	}
}

// compare compares what is recent with the last state of all rows.
func (k *kit) compare(model map[rowKey]schema.Row, at map[rowKey]uint64, pos uint64) {
	k.Helper()
	r := k.cache.recent
	from, to := r.span()
	if to != pos || from >= to && len(r.rows) > 0 {
		k.Fatalf("at %d it spans %d to %d", pos, from, to)
	}
	buckets := map[bucketKey]int{}
	for key, row := range model {
		c := r.get(key)
		if (c != nil) != (at[key] > from) {
			k.Fatalf("at %d, from %d on: row %v of %d is %v", pos, from, key.key, at[key], c)
		}
		if c == nil {
			continue
		}
		if c.pos != at[key] || !slices.Equal(c.row, row) {
			k.Fatalf("at %d row %v is %v, want %v", pos, key.key, c.row, row)
		}
		for _, column := range c.table.Links {
			if row != nil {
				b := bucketKey{key.table, column, row[column]}
				buckets[b]++
				if !slices.Contains(r.bucket(b), c) {
					k.Fatalf("at %d row %v is not where it belongs", pos, key.key)
				}
			}
		}
	}
	if len(r.buckets) != len(buckets) {
		k.Fatalf("at %d there are %d buckets, want %d", pos, len(r.buckets), len(buckets))
	}
	for b, n := range buckets {
		if got := len(r.bucket(b)); got != n {
			k.Fatalf("at %d bucket %v has %d rows, want %d", pos, b, got, n)
		}
	}
	if live := len(r.queue) - r.head; live > k.cache.cfg.Changes || len(r.queue) > 2*k.cache.cfg.Changes+8 {
		k.Fatalf("at %d the queue has %d changes in %d places", pos, live, len(r.queue))
	}
}

// TestHistory has the time before the feed began told, once for all who ask.
func TestHistory(t *testing.T) {
	verse := func(k *kit, id int, text string) feed.Change {
		return k.put("verses", "id", id, "text", text, "poem_id", 1)
	}
	for name, c := range map[string]struct {
		history history
		changes int
		want    string
	}{
		"complete":                {history{complete: true}, 100, `["1 new" "2 later"]`},
		"not kept":                {history{}, 100, ""},
		"broken":                  {history{complete: true, err: errBroken}, 100, ""},
		"more than may be kept":   {history{complete: true}, 1, ""},
		"something was forgotten": {history{complete: true}, -2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			forget := c.changes < 0
			k := newKit(t, Config{Changes: max(c.changes, -c.changes), History: &c.history, Beat: 1 << 40})
			c.history.commits = []*feed.Commit{
				{Position: 89, Changes: []feed.Change{verse(k, 3, "too old")}},
				{Position: 95, Changes: []feed.Change{verse(k, 1, "old"), verse(k, 2, "old")}},
				{Position: 96, Changes: []feed.Change{verse(k, 1, "new")}},
			}
			k.entry(cacheEntry(90), k.book(90)...)
			k.commit(101, verse(k, 2, "later"))
			if forget {
				k.commit(102, verse(k, 4, "x"), verse(k, 5, "x"))
			}
			stop := k.tellPast()
			defer stop()
			s := k.open()
			if (s != nil) != (c.want != "") {
				t.Fatalf("opened %+v", s)
			}
			if s != nil {
				k.expect(s, "poems.verses", 1, c.want)
			}
		})
	}
}
