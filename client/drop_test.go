package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/pando-sync/pando/client"
)

func TestDrops(t *testing.T) {
	l := open(t)
	c := l.ada()
	s, other := shelf(t, c, "shelves/1"), shelf(t, c, "shelves/2")
	for i := range 5 {
		name := string(rune('a' + i))
		l.proxy.cut()
		l.exec("UPDATE shelves SET name = ?", name)
		wait(t, s, "what was missed", func(s Shelf) bool { return s.Name == name })
		wait(t, other, "what was missed", func(s Shelf) bool { return s.Name == name })
	}
	var r ShelfRuntime
	if err := s.Runtime(&r); err != nil || r.Name != "ada" {
		t.Errorf("runtime state %+v, error %v", r, err)
	}
}

// TestARestart replaces the server while nobody can connect.
func TestARestart(t *testing.T) {
	l := open(t)
	c := l.ada()
	s := shelf(t, c, "shelves/1")
	l.serve.Stop(t)
	until(t, s, "stale", s.Stale)
	l.exec("UPDATE shelves SET name = 'meanwhile'")
	if s.State().Name != "new" {
		t.Errorf("a stale stream shows %+v", s.State())
	}
	l.start()
	wait(t, s, "what was missed", func(s Shelf) bool { return s.Name == "meanwhile" })
	until(t, s, "live", func() bool { return !s.Stale() })
	if _, err := client.Call[struct{}](within(t), s, "rename", "after"); err != nil || s.State().Name != "after" {
		t.Errorf("%+v, error %v", s.State(), err)
	}
}

// until waits until ok, asked whenever the stream tells anything.
func until[S any](t *testing.T, s *client.Stream[S], what string, ok func() bool) {
	t.Helper()
	ctx := within(t)
	for {
		changed := s.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the stream does not become %s", what)
		}
	}
}

// TestAppliedOnce loses answers, so that requests are sent again.
func TestAppliedOnce(t *testing.T) {
	l := open(t)
	c := l.ada()
	s := shelf(t, c, "shelves/1")
	type made struct {
		id  string
		err error
	}
	for what, ask := range map[string]func() (string, error){
		"act": func() (string, error) { return client.CallOnce[string](within(t), s, "add", "act") },
		"create": func() (string, error) {
			return s.Create(within(t), "Book", map[string]any{"title": "create"}, client.In("Shelf", 1, "books"))
		},
	} {
		l.proxy.silence()
		done := make(chan made, 1)
		go func() {
			id, err := ask()
			done <- made{id, err}
		}()
		count := "SELECT count(*) FROM books WHERE title = '" + what + "'"
		l.count(count, 1)
		l.proxy.cut()
		got := <-done
		if got.err != nil {
			t.Fatalf("%s: %v", what, got.err)
		}
		l.count(count, 1)
		l.count("SELECT count(*) FROM books WHERE id = "+got.id, 1)
		wait(t, s, "the book", func(s Shelf) bool { return s.Books[len(s.Books)-1].Title == what })
	}
}

// TestKeys asks again under the key of a request that was answered.
func TestKeys(t *testing.T) {
	l := open(t)
	s := shelf(t, l.ada(), "shelves/1")
	var ids []string
	for range 2 {
		id, err := client.CallKeyed[string](within(t), s, "job-7", "add", "once")
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.Create(within(t), "Book", map[string]any{"title": "once"}, client.In("Shelf", 1, "books"), client.Key("job-8"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id, key)
	}
	if ids[0] != ids[2] || ids[1] != ids[3] || ids[0] == ids[1] || len(s.State().Books) != 3 {
		t.Errorf("keys %v: %s", ids, s.JSON())
	}
	_, err := client.CallKeyed[string](within(t), s, "job-7", "add", "twice")
	coded(t, err, "bad_request", client.Failed)
	_, err = client.CallKeyed[string](within(t), s, "a key", "add", "twice")
	coded(t, err, "bad_request", client.Failed)
}

// TestUnknown loses the answer of an action that may not be sent again.
func TestUnknown(t *testing.T) {
	l := open(t)
	c := l.ada()
	s := shelf(t, c, "shelves/1")
	l.proxy.silence()
	done := make(chan error, 1)
	go func() {
		_, err := client.Call[struct{}](within(t), s, "rename", "maybe")
		done <- err
	}()
	l.count("SELECT count(*) FROM shelves WHERE name = 'maybe'", 1)
	l.proxy.cut()
	coded(t, <-done, "lost", client.Unknown)
	wait(t, s, "the name", func(s Shelf) bool { return s.Name == "maybe" })

	// One whose context ends may have been carried out, or was never sent.
	l.proxy.silence()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := client.Call[struct{}](ctx, s, "rename", "perhaps")
		done <- err
	}()
	l.count("SELECT count(*) FROM shelves WHERE name = 'perhaps'", 1)
	cancel()
	coded(t, <-done, "canceled", client.Unknown)
	l.serve.Stop(t)
	l.proxy.cut()
	until(t, s, "stale", s.Stale)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, err := client.CallOnce[struct{}](ctx, s, "add", "never")
		done <- err
	}()
	cancel()
	coded(t, <-done, "canceled", client.Failed)
}

// TestAnExpiredToken is asked for again when the server takes it no more.
func TestAnExpiredToken(t *testing.T) {
	l := open(t)
	names := make(chan string, 10)
	l.know("ada-1", time.Now().Add(time.Second))
	l.know("ada-2", time.Time{})
	names <- "ada-1"
	names <- "ada-2"
	c := l.client(func(context.Context) (string, error) { return <-names, nil })
	s := shelf(t, c, "shelves/1")
	l.exec("UPDATE shelves SET name = 'before'")
	wait(t, s, "a change", func(s Shelf) bool { return s.Name == "before" })
	until(t, s, "stale", s.Stale) // as the token expires
	l.exec("UPDATE shelves SET name = 'after'")
	wait(t, s, "a change under another token", func(s Shelf) bool { return s.Name == "after" })
	if len(names) != 0 || s.Err() != nil {
		t.Errorf("%d tokens were not asked for, error %v", len(names), s.Err())
	}
}

// TestARefusedToken ends all that waits until there is another.
func TestARefusedToken(t *testing.T) {
	l := open(t)
	c := l.client(func(context.Context) (string, error) { return "grace", nil })
	_, err := client.Open[Shelf](within(t), c, "shelves/1")
	coded(t, err, "unauthenticated", client.Failed)
	if c.Status() != client.NeedsAuth {
		t.Errorf("the status is %s", c.Status())
	}
	coded(t, c.Connect(within(t)), "unauthenticated", client.Failed)
	dials := l.proxy.dialled()

	l.know("grace", time.Time{})
	c.Reconnect()
	s := shelf(t, c, "shelves/1")
	if dials != 1 || l.proxy.dialled() != 2 {
		t.Errorf("%d dials and then %d: a token that was refused was used again", dials, l.proxy.dialled()-dials)
	}

	l.forget("grace")
	l.proxy.cut()
	_, err = s.Wait(within(t), func(Shelf) bool { return false })
	coded(t, err, "unauthenticated", client.Failed)
	l.know("grace", time.Time{})
	c.Reconnect()
	l.exec("UPDATE shelves SET name = 'once more'")
	wait(t, s, "a change", func(s Shelf) bool { return s.Name == "once more" })
}

// TestAnotherUser is shown nothing of what the one before held.
func TestAnotherUser(t *testing.T) {
	l := open(t)
	l.know("grace", time.Time{})
	names := make(chan string, 2)
	names <- "ada"
	names <- "grace"
	c := l.client(func(context.Context) (string, error) { return <-names, nil })
	s := shelf(t, c, "shelves/1")
	c.Reconnect()
	until(t, s, "hers", func() bool {
		var r ShelfRuntime
		return s.Runtime(&r) == nil && r.Name == "grace" && s.State().Name == "new" && !s.Stale()
	})
}
