package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/client"
)

func TestFollowing(t *testing.T) {
	l := open(t)
	c := l.ada()
	if c.Status() != client.Idle {
		t.Errorf("the status is %s before anything was opened", c.Status())
	}
	s := shelf(t, c, "shelves/1")
	if got := s.State(); got.Name != "new" || len(got.Books) != 1 || got.Books[0].Title != "Emma" || !s.Exists() || s.Stale() {
		t.Errorf("got %+v", got)
	}
	version := s.Version()
	changed := s.Changed()
	l.exec("INSERT INTO books (shelf_id, title, read) VALUES (1, 'Middlemarch', '2024-05-06 07:08:09')")
	got := wait(t, s, "another book", func(s Shelf) bool { return len(s.Books) == 2 })
	<-changed
	if at := got.Books[1].Read; at == nil || !at.Equal(time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)) {
		t.Errorf("read at %v", at)
	}
	if s.Version() <= version || c.Status() != client.Online {
		t.Errorf("version %d after %d, status %s", s.Version(), version, c.Status())
	}
	var r ShelfRuntime
	if err := s.Runtime(&r); err != nil || r.Name != "ada" {
		t.Errorf("runtime state %+v, error %v", r, err)
	}
	none, err := client.Open[*Shelf](within(t), c, "shelves/99")
	if err != nil || none.Exists() || none.State() != nil {
		t.Errorf("a shelf that is not there: %v, error %v", none.State(), err)
	}
	l.exec("INSERT INTO shelves VALUES (99, 'late')")
	wait(t, none, "the shelf", func(s *Shelf) bool { return s != nil && s.Name == "late" })
}

func TestUpdates(t *testing.T) {
	l := open(t)
	s := shelf(t, l.ada(), "shelves/1")
	var names []string
	for got, err := range s.Updates(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, got.Name)
		if len(names) == 3 {
			break
		}
		l.exec("UPDATE shelves SET name = name || '!' WHERE id = 1")
	}
	if got := strings.Join(names, " "); got != "new new! new!!" {
		t.Errorf("got %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range s.Updates(ctx) {
		if err == nil {
			cancel() // and nothing has changed since
			continue
		}
		coded(t, err, "canceled", client.Failed)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not tell why", err)
		}
	}
}

func TestLists(t *testing.T) {
	l := open(t)
	c := l.ada()
	books, err := client.OpenList[Book](within(t), c, "books", client.OrderBy("-title"))
	if err != nil {
		t.Fatal(err)
	}
	l.exec("INSERT INTO books (shelf_id, title) VALUES (1, 'Middlemarch')")
	got := wait(t, books, "all books", func(b []Book) bool { return len(b) == 3 })
	if got[0].Title != "Ulysses" || got[1].Title != "Middlemarch" || got[2].Title != "Emma" || !books.Exists() {
		t.Errorf("got %+v", got)
	}
	_, err = client.OpenList[Book](within(t), c, "books")
	coded(t, err, "schema", client.Failed)
}

// TestTwoRoutesOfOneScope opens two routes whose rows come once.
func TestTwoRoutesOfOneScope(t *testing.T) {
	l := open(t)
	c := l.ada()
	one, two := shelf(t, c, "shelves/1"), shelf(t, c, "shelves/1")
	page, many := shelf(t, c, "shelves/1/pages/2"), shelf(t, c, "shelves/1/pages/many")
	l.exec("UPDATE shelves SET name = 'both'")
	for _, s := range []*client.Stream[Shelf]{one, two, page, many} {
		wait(t, s, "the name", func(s Shelf) bool { return s.ID == 1 && s.Name == "both" && len(s.Books) == 1 })
	}
	one.Close()
	coded(t, one.Err(), "closed", client.Failed)
	l.proxy.cut()
	l.exec("UPDATE shelves SET name = 'again'")
	for _, s := range []*client.Stream[Shelf]{two, page, many} {
		wait(t, s, "the name after a drop", func(s Shelf) bool { return s.Name == "again" })
	}
	if got := one.State(); got.Name != "both" {
		t.Errorf("a closed stream shows %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	l := open(t)
	c := l.ada()
	_, err := client.Open[Shelf](within(t), c, "shelves/13")
	coded(t, err, "denied", client.Failed)
	if _, ok := errors.AsType[*pando.Error](err); !ok {
		t.Errorf("%v is not one of pando's", err)
	}
	_, err = client.Open[Shelf](within(t), c, "attics/1")
	coded(t, err, "unknown_channel", client.Failed)
	if _, err = client.Open[int](within(t), c, "shelves/1"); err == nil {
		t.Error("an int was taken for a tree")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Open[Shelf](ctx, c, "shelves/2")
	coded(t, err, "canceled", client.Failed)
}

func TestTwoVersionsOfTheStructs(t *testing.T) {
	l := open(t)
	c := l.ada()
	{
		type Shelf struct {
			Name string `json:"name"`
			ID   int64  `json:"id"`
		}
		old, err := client.Open[Shelf](within(t), c, "shelves/1")
		if err != nil {
			t.Fatal(err)
		}
		l.exec("INSERT INTO books (shelf_id, title) VALUES (1, 'Middlemarch')")
		l.exec("UPDATE shelves SET name = 'less'")
		wait(t, old, "the name", func(s Shelf) bool { return s.Name == "less" })
		old.Close()
	}
	type Shelf struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
		Room string `json:"room"`
	}
	_, err := client.Open[Shelf](within(t), c, "shelves/1")
	if e := coded(t, err, "schema", client.Failed); !strings.Contains(e.Message, "does not declare Shelf.room") {
		t.Errorf("got %v", e)
	}
	shelf(t, c, "shelves/1") // which nothing of that has hurt
}

func TestNotices(t *testing.T) {
	l := open(t)
	s := shelf(t, l.ada(), "shelves/1")
	if _, err := client.Call[struct{}](within(t), s, "shout", 3); err != nil {
		t.Fatal(err)
	}
	want := 0
	for n, err := range s.Notices(within(t)) {
		if err != nil || n.Name != "shout" || string(n.Value) != string(rune('0'+want)) || n.Dropped != 0 {
			t.Fatalf("got %+v, error %v", n, err)
		}
		if want++; want == 3 {
			break
		}
	}
	ctx := within(t)
	for r := (ShelfRuntime{}); r.Calls != 1; {
		changed := s.Changed()
		if err := s.Runtime(&r); err != nil {
			t.Fatal(err)
		}
		if r.Calls == 1 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the runtime state stays %+v", r)
		}
	}
}

func TestCallsAndWrites(t *testing.T) {
	l := open(t)
	s := shelf(t, l.ada(), "shelves/1")
	id, err := client.CallOnce[string](within(t), s, "add", "Persuasion")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.State(); len(got.Books) != 2 || got.Books[1].Title != "Persuasion" {
		t.Errorf("the state does not show what was added: %+v", got)
	}
	if err := s.Save(within(t), "Book", id, map[string]any{"title": "Sanditon"}, client.Seen(map[string]any{"title": "Persuasion"})); err != nil {
		t.Error(err)
	}
	if got := s.State(); got.Books[1].Title != "Sanditon" {
		t.Errorf("the state does not show what was saved: %+v", got)
	}
	err = s.Save(within(t), "Book", id, map[string]any{"title": "Emma"}, client.Seen(map[string]any{"title": "Persuasion"}))
	if e := coded(t, err, "conflict", client.Failed); e.Fields["title"] == "" {
		t.Errorf("fields %v", e.Fields)
	}
	err = s.Save(within(t), "Book", id, struct {
		Title string `json:"title"`
	}{})
	if e := coded(t, err, "invalid", client.Failed); e.Fields["title"] != "is empty" || !strings.Contains(e.Message, "save Book") {
		t.Errorf("got %v", e)
	}
	key, err := s.Create(within(t), "Book", map[string]any{"title": "Lady Susan"}, client.In("Shelf", 1, "books"))
	if err != nil || len(s.State().Books) != 3 {
		t.Errorf("created %q, error %v: %s", key, err, s.JSON())
	}
	if err := s.Delete(within(t), "Book", key); err != nil || len(s.State().Books) != 2 {
		t.Errorf("deleted, error %v: %s", err, s.JSON())
	}
	_, err = client.Call[struct{}](within(t), s, "rename", "")
	coded(t, err, "invalid", client.Failed)
	_, err = client.CallOnce[struct{}](within(t), s, "rename", "once")
	coded(t, err, "bad_request", client.Failed)
	_, err = client.Call[struct{}](within(t), s, "rename", func() {})
	coded(t, err, "bad_argument", client.Failed)
	_, err = client.Call[int](within(t), s, "rename", "no result")
	if err != nil {
		t.Errorf("null as an int: %v", err)
	}
	_, err = client.Call[int](within(t), s, "add", "no int")
	if err == nil || !strings.Contains(err.Error(), "decode result") {
		t.Errorf("a string as an int: %v", err)
	}
}

func TestClose(t *testing.T) {
	l := open(t)
	c := l.ada()
	s := shelf(t, c, "shelves/1")
	done := make(chan error, 2)
	go func() {
		_, err := s.Wait(t.Context(), func(Shelf) bool { return false })
		done <- err
	}()
	go func() {
		for _, err := range s.Notices(t.Context()) {
			done <- err
		}
	}()
	c.Close()
	c.Close()
	for range 2 {
		coded(t, <-done, "closed", client.Failed)
	}
	_, err := client.Open[Shelf](within(t), c, "shelves/1")
	coded(t, err, "closed", client.Failed)
	coded(t, c.Connect(within(t)), "closed", client.Failed)
	c.Reconnect()
	_, err = client.Call[struct{}](within(t), s, "rename", "late")
	coded(t, err, "closed", client.Failed)
	if s.State().Name != "new" || !s.Stale() || c.Status() != client.Closed {
		t.Errorf("%+v, stale %t, status %s", s.State(), s.Stale(), c.Status())
	}
}
