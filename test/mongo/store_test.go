package mongo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/mongocache"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/ferret"
)

func key(anchor string) cache.Key {
	return cache.Key{Epoch: "e", Channel: "BoardChannel", Schema: "s", Anchor: anchor}
}

func swap(t *testing.T, s cache.Store, e cache.Entry) cache.Entry {
	t.Helper()
	got, err := s.Swap(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func write(t *testing.T, s cache.Store, e cache.Entry, ids ...string) {
	t.Helper()
	var rows []cache.Row
	for _, id := range ids {
		rows = append(rows, cache.Row{ID: id, Version: 1, Data: []byte(id)})
	}
	if err := s.Write(t.Context(), e.Key, e.Generation, rows); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, c *mongo.Collection) int64 {
	t.Helper()
	n, err := c.CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s has not come about", what)
		case <-tick.C:
		}
	}
}

// TestNothingStays has the rows go with their entry, at once where a process
// removes it, and by the sweep where it expired.
func TestNothingStays(t *testing.T) {
	cfg := fresh(t)
	s, db := open(t, cfg), database(t, cfg)
	rows, entries, gone := db.Collection("pando_rows"), db.Collection("pando_entries"), db.Collection("pando_gone")
	e := swap(t, s, cache.Entry{Key: key("1"), State: cache.Heating, Generation: "g1"})
	write(t, s, e, "a", "b")
	e.Generation = "g2"
	e = swap(t, s, e)
	write(t, s, e, "c")
	eventually(t, "the end of the rows of g1", func() bool { return count(t, rows) == 1 })
	expired := swap(t, s, cache.Entry{Key: key("2"), State: cache.Cooling, Generation: "g1", Expires: time.Now().Add(50 * time.Millisecond)})
	write(t, s, expired, "d", "e")
	if err := s.Beat(t.Context(), cache.Node{ID: "old", Number: 1, Expires: time.Now().Add(-2 * cache.NodeKept)}); err != nil {
		t.Fatal(err)
	}
	// What a process that died has left is old.
	_, err := rows.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "lost/"}, {Key: "of", Value: "lost"}})
	if err == nil {
		_, err = gone.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "lost"}, {Key: "entry", Value: "none"}, {Key: "at", Value: time.Now().Add(-time.Hour)}})
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.Sweep = 100 * time.Millisecond
	open(t, cfg)
	eventually(t, "the end of what has expired", func() bool { return count(t, entries) == 1 && count(t, rows) == 1 })
	eventually(t, "the end of what was noted", func() bool { return count(t, gone) == 2 }) // of g1, and of what expired
	if n, err := s.Node(t.Context(), "old"); err != nil || n.ID != "" {
		t.Errorf("a node that nobody asks for any more is %+v, %v", n, err)
	}
	left := 0
	err = s.Read(t.Context(), e.Key, "g2", func(cache.Row) error { left++; return nil })
	if err != nil || left != 1 {
		t.Errorf("the entry that is kept has %d rows, %v, want 1", left, err)
	}
}

// TestKeptGroup has the sweep leave the rows of an entry that was about to lose
// them, and kept them.
func TestKeptGroup(t *testing.T) {
	cfg := fresh(t)
	s, db := open(t, cfg), database(t, cfg)
	e := swap(t, s, cache.Entry{Key: key("1"), State: cache.Hot, Generation: "g1"})
	write(t, s, e, "a")
	var entry struct {
		ID    string `bson:"_id"`
		Group string `bson:"group"`
	}
	if err := db.Collection("pando_entries").FindOne(t.Context(), bson.D{}).Decode(&entry); err != nil {
		t.Fatal(err)
	}
	gone := db.Collection("pando_gone")
	note := bson.D{{Key: "_id", Value: entry.Group}, {Key: "entry", Value: entry.ID}, {Key: "at", Value: time.Now().Add(-time.Hour)}}
	if _, err := gone.InsertOne(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	cfg.Sweep = 100 * time.Millisecond
	open(t, cfg)
	eventually(t, "the end of the note", func() bool { return count(t, gone) == 0 })
	if n := count(t, db.Collection("pando_rows")); n != 1 {
		t.Errorf("%d rows are left, want 1", n)
	}
}

// TestIndexes has them made once, whoever comes first, and used by what the sweep
// and reads ask.
func TestIndexes(t *testing.T) {
	cfg := fresh(t)
	if err := open(t, cfg).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"entries": {"_id_", "channel_1_anchor_1", "expires_1"}, "rows": {"_id_", "of_1"}, "nodes": {"_id_", "expires_1"}, "gone": {"_id_", "at_1"},
	} {
		specs, err := database(t, cfg).Collection("pando_" + name).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, spec := range specs {
			got = append(got, spec.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the indexes %v, want %v", name, got, want)
		}
	}
}

// TestForeignDocuments are told of, and not taken for rows.
func TestForeignDocuments(t *testing.T) {
	cfg := fresh(t)
	s, db := open(t, cfg), database(t, cfg)
	e := swap(t, s, cache.Entry{Key: key("1"), State: cache.Hot, Generation: "g1"})
	write(t, s, e, "a")
	if _, err := db.Collection("pando_rows").UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: "x"}}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), e.Key, "g1", func(cache.Row) error { return nil }); err == nil || errors.Is(err, cache.ErrGone) {
		t.Errorf("a row without a version is read: %v", err)
	}
	if _, err := db.Collection("pando_entries").UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: "TEPID"}}}}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), e.Key); err == nil {
		t.Errorf("an entry of an unknown state is %+v", got)
	}
}

// TestPrefixes keep apps apart that share a database.
func TestPrefixes(t *testing.T) {
	cfg := fresh(t)
	one := open(t, cfg)
	swap(t, one, cache.Entry{Key: key("1"), State: cache.Hot, Generation: "g1"})
	cfg.Prefix = "other"
	e, err := open(t, cfg).Get(t.Context(), key("1"))
	if err != nil || e.State != cache.Cold {
		t.Errorf("another app has the entry %+v, %v", e, err)
	}
}

// TestServerComesAndGoes has calls fail while it is away, in time, and go on as if
// nothing had been.
func TestServerComesAndGoes(t *testing.T) {
	if realURI != "" {
		t.Skip("a server that others use is not cut off")
	}
	servers.Need(t, "postgres")
	server, err := ferret.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, mongocache.Config{URI: server.URI()})
	e := swap(t, s, cache.Entry{Key: key("1"), State: cache.Hot, Generation: "g1"})
	write(t, s, e, "a")
	server.Cut()
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Get(short, e.Key); !errors.Is(err, mongocache.ErrUnreachable) {
		t.Errorf("without a server: %v, want %v", err, mongocache.ErrUnreachable)
	}
	if err := server.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), e.Key); err != nil || got != e {
		t.Errorf("afterwards the entry is %+v, %v, want %+v", got, err, e)
	}
	write(t, s, e, "b")
}
