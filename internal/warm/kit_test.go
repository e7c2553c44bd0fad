package warm

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/memcache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type Writer struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Verse struct {
	ID     int64   `json:"id"`
	Text   string  `json:"text"`
	Writer *Writer `json:"writer"`
}

type Poem struct {
	ID     int64   `json:"id"`
	Title  string  `json:"title"`
	Verses []Verse `json:"verses"`
}

type Book struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Poems []Poem `json:"poems"`
}

// kit is a cache of books without a router: tests say what entries have.
type kit struct {
	*testing.T

	cache *Cache
	store *memcache.Store
	tree  *schema.Tree
	// of are the tables by name.
	of map[string]*schema.Table
}

func newKit(t *testing.T, cfg Config) *kit {
	t.Helper()
	k := &kit{T: t, store: memcache.New(memcache.Config{}), of: map[string]*schema.Table{}}
	reg := schema.NewRegistry()
	var err error
	if k.tree, err = reg.Tree(reflect.TypeFor[Book]()); err != nil {
		t.Fatal(err)
	}
	for _, table := range reg.Tables {
		k.of[table.Name] = table
	}
	if cfg.Store == nil {
		cfg.Store = k.store
	}
	cfg.Registry, cfg.Logger = reg, slog.New(slog.DiscardHandler)
	cfg.Channels = []Channel{{Name: "BookChannel", Hash: "h", Tree: k.tree, TTL: time.Minute}}
	k.cache = New(cfg)
	k.cache.Start("e", 100)
	return k
}

// row is a row of a table by its columns' names and values.
func (k *kit) row(table string, values ...any) schema.Row {
	k.Helper()
	t := k.of[table]
	row := make(schema.Row, len(t.Columns))
	for i := 0; i < len(values); i += 2 {
		at := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == values[i] })
		switch v := values[i+1].(type) {
		case int:
			row[at] = schema.IntValue(int64(v))
		case string:
			row[at] = schema.TextValue(v)
		}
	}
	return t.Complete(row)
}

func (k *kit) put(table string, values ...any) feed.Change {
	k.Helper()
	return memdb.Put(k.of[table], k.row(table, values...))
}

// commit has the feed tell of changes at a position.
func (k *kit) commit(pos uint64, changes ...feed.Change) {
	k.cache.Commit(&feed.Commit{Position: feed.Position(pos), Changes: changes})
}

// held is a statement about a row that is open in the layers.
func (k *kit) held(row schema.Row, table string, at uint64, open ...int) route.Held {
	t := k.of[table]
	return route.Held{Table: t, Key: row[t.Key], Row: row, At: at, Member: true, Open: open}
}

// layer is the index of the layer with a path.
func (k *kit) layer(path string) int {
	return slices.IndexFunc(k.tree.Layers, func(l *schema.Layer) bool { return l.Path == path })
}

func (k *kit) key() route.Key { return route.Key{Tree: k.tree, Anchor: schema.IntValue(1)} }

func (k *kit) storeKey() cache.Key {
	return k.cache.keyOf(k.cache.channels[k.tree], "e", k.key())
}

// stated is a statement as it is written.
type stated struct {
	route.Held

	since uint64
}

// entry puts an entry into the store.
func (k *kit) entry(e cache.Entry, all ...stated) cache.Entry {
	k.Helper()
	e.Key, e.Generation, e.Rows = k.storeKey(), "g", len(all)
	e, err := k.store.Swap(k.Context(), e)
	if err != nil {
		k.Fatal(err)
	}
	codec := newCodec(k.tree)
	for _, s := range all {
		row := codec.encode(&s.Held)
		row.Version, row.Since = s.At, s.since
		if err := k.store.Write(k.Context(), e.Key, "g", []cache.Row{row}); err != nil {
			k.Fatal(err)
		}
	}
	return e
}

// book is an entry of a book with one poem, of one verse without a writer.
func (k *kit) book(at uint64) []stated {
	return []stated{
		{Held: k.held(k.row("books", "id", 1, "title", "Leaves"), "books", at, k.layer(""))},
		{Held: k.held(k.row("poems", "id", 1, "title", "Song", "book_id", 1), "poems", at, k.layer("poems"))},
		{Held: k.held(k.row("verses", "id", 1, "text", "I celebrate", "poem_id", 1), "verses", at, k.layer("poems.verses"))},
	}
}

func (k *kit) open() *Snapshot {
	k.Helper()
	return k.cache.Open(k.Context(), []route.Key{k.key()}, time.Now())
}

// rows are what a snapshot has of a layer for a value, "unknown" when it does
// not cover that.
func (k *kit) rows(s *Snapshot, path string, value int64) string {
	k.Helper()
	l := k.tree.Layers[k.layer(path)]
	values := []schema.Value{schema.IntValue(value)}
	if len(s.Covered(l, route.ReadColumn(l), values)) == 0 {
		return "unknown"
	}
	var all []string
	q := feed.Query{Table: l.Type.Table, Column: route.ReadColumn(l), Values: values}
	err := s.Rows(k.Context(), q, func(row schema.Row) error {
		all = append(all, fmt.Sprint(row[0], " ", row[1]))
		return nil
	})
	if err != nil {
		return err.Error()
	}
	slices.Sort(all)
	return fmt.Sprintf("%q", all)
}

func (k *kit) expect(s *Snapshot, path string, value int64, want string) {
	k.Helper()
	if got := k.rows(s, path, value); got != want {
		k.Errorf("%q of %d: %s, want %s", path, value, got, want)
	}
}

// hooked is a store that calls a function before a method is carried out.
type hooked struct {
	cache.Store

	before func(method string)
}

func (h *hooked) Get(ctx context.Context, key cache.Key) (cache.Entry, error) {
	h.before("Get")
	return h.Store.Get(ctx, key)
}

func (h *hooked) Node(ctx context.Context, id string) (cache.Node, error) {
	h.before("Node")
	return h.Store.Node(ctx, id)
}

// tellPast has the history asked until stop.
func (k *kit) tellPast() (stop func()) {
	ctx, cancel := context.WithCancel(k.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.cache.tellPast(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func cacheEntry(through uint64) cache.Entry {
	return cache.Entry{State: cache.Cooling, Through: through}
}
