package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// history is every committed state that the database had, by route, as the
// oracle tells it. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex // guards what follows
	states map[string][]string
	// heads are the log's heads at those states: what a client may call their
	// version. Equal ones follow each other where a commit logged nothing.
	heads []uint64
}

func newHistory() *history { return &history{states: map[string][]string{}} }

// add records a committed state.
func (h *history) add(d *oracle.Data) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, route := range world.Routes {
		h.states[route] = append(h.states[route], d.State(route))
	}
	h.heads = append(h.heads, d.Head)
}

// len is how many states there were.
func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.heads)
}

// now is the newest state of a route.
func (h *history) now(route string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[route][len(h.heads)-1]
}

// find looks up what a client showed at a version, which must be what the
// database held at it, and returns the earliest index, not before from, of that
// state: a newly opened route may have an older version of the same state. The
// second result is empty, or what is wrong; then the third is what should have
// been shown.
func (h *history) find(route string, version uint64, text string, from int) (index int, wrong, want string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := h.states[route]
	first := slices.Index(h.heads, version)
	if first < 0 {
		return from, fmt.Sprintf("shows a version between commits, %d", version), h.nearest(route, text)
	}
	for i := first; i < len(states) && h.heads[i] == version; i++ {
		if states[i] != text {
			continue
		}
		if later := slices.Index(states[from:], text); later >= 0 {
			return from + later, "", ""
		}
		return from, fmt.Sprintf("went back in time, to version %d", version), states[from]
	}
	if slices.Contains(states, text) {
		return from, fmt.Sprintf("shows the state of another version than %d", version), states[first]
	}
	return from, fmt.Sprintf("shows a state that was never committed, at version %d", version), states[first]
}

// nearest is the newest state, or the one that the text is.
func (h *history) nearest(route, text string) string {
	states := h.states[route]
	if slices.Contains(states, text) {
		return text
	}
	return states[len(states)-1]
}
