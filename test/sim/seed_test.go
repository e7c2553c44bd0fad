package main

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hook calls fn for every line of a journal.
type hook func(line string)

func (h hook) Write(line []byte) (int, error) {
	h(string(line))
	return len(line), nil
}

// TestRestWhileAClientHasYetToHear has a server close a connection of which the
// client hears when all wait already.
func TestRestWhileAClientHasYetToHear(t *testing.T) {
	resume := func() {}
	waits := hook(func(line string) {
		if strings.Contains(line, "rest: ") {
			resume()
		}
	})
	script := newScript(1, "")
	script.Clients, script.Narrow, script.Foreign = script.Clients[:1], false, false
	s := &seed{script: script, patience: 20 * time.Second, tally: newTally(), journal: &journal{live: waits}}
	if err := s.build(t.Context(), filepath.Join(t.TempDir(), "sim.db")); err != nil {
		t.Fatal(err)
	}
	c := s.clients[0]
	if err := c.openOne(t.Context(), step{Routes: []int{0}}); err != nil {
		t.Fatal(err)
	}
	resume = sync.OnceFunc(c.conn.Stall())
	// What is read already is read to its end: the next message is not.
	answers, err := c.line.send("@", map[string]string{"type": "ping"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.line.wait(t.Context(), c.conn.Closed(), answers[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.server.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.server.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open, _ := s.book.streams(); open > 0 {
		t.Fatalf("the server has %d streams, and was stopped", open)
	}
	if err := s.rest(t.Context()); err != nil {
		t.Error(err)
	}
	resume()
	if c.dials != 2 {
		t.Errorf("the client has connected %d times, want 2", c.dials)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
