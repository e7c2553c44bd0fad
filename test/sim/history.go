package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/replica"
)

// history is every committed state that the database had, as the oracle tells
// it. It is safe for concurrent use.
type history struct {
	mu sync.Mutex // guards what follows
	// states are in the order of the log's heads, which are what a client may
	// call their versions. Equal ones follow each other where a commit logged
	// nothing.
	states []*oracle.Data
	// loose tells that heads are places in a log of other things too: a state has
	// all versions from its head up to the next.
	loose bool
	// entered are the states in which calls came into the ledger, by their places.
	entered map[string][]int
}

// told records what a database's log tells.
func (h *history) told(c replica.Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, c.Data)
	for _, row := range c.Entered {
		if h.entered == nil {
			h.entered = map[string][]int{}
		}
		h.entered[row[0]] = append(h.entered[row[0]], len(h.states)-1)
	}
}

// add records a committed state.
func (h *history) add(d *oracle.Data) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := len(h.states)
	for i > 0 && h.states[i-1].Head > d.Head {
		i-- // another writer's commit was noted first
	}
	h.states = slices.Insert(h.states, i, d)
}

// note records a committed state that was read by chance, unless it is known: its
// writer may tell of it later, or of a later one.
func (h *history) note(d *oracle.Data) {
	h.mu.Lock()
	known := slices.ContainsFunc(h.states, func(o *oracle.Data) bool { return o.Head == d.Head })
	h.mu.Unlock()
	if !known {
		h.add(d)
	}
}

// with calls fn with what the database holds.
func (h *history) with(fn func(d *oracle.Data)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn(h.states[len(h.states)-1])
}

// shows tells whether a route showed a text at a version or later.
func (h *history) shows(r oracle.Route, user, text string, version uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, _ := h.at(version)
	return slices.ContainsFunc(h.states[first:], func(d *oracle.Data) bool { return d.State(r, user).JSON == text })
}

// first is what a route showed at a version.
func (h *history) first(r oracle.Route, user string, version uint64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, _ := h.at(version)
	if first == len(h.states) {
		return "nothing is known of this version"
	}
	return h.states[first].State(r, user).JSON
}

// len is how many states there were.
func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.states)
}

// newest is what the database holds.
func (h *history) newest() *oracle.Data {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[len(h.states)-1]
}

// now is the newest state of a route.
func (h *history) now(r oracle.Route, user string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[len(h.states)-1].State(r, user).JSON
}

// at are the places of the states that have a version.
func (h *history) at(version uint64) (first, end int) {
	if h.loose {
		for end = len(h.states); end > 1 && h.states[end-1].Head > version; {
			end--
		}
		return end - 1, end
	}
	first = slices.IndexFunc(h.states, func(d *oracle.Data) bool { return d.Head >= version })
	if first < 0 {
		first = len(h.states)
	}
	end = first
	for end < len(h.states) && h.states[end].Head == version {
		end++
	}
	return first, end
}

// find looks up what a client showed at a version, which must be what the
// database held at it, and returns the earliest index, not before from, of that
// state: a newly opened route may have an older version of the same state. The
// second result is empty, or what is wrong; then the third is what should have
// been shown.
func (h *history) find(r oracle.Route, user string, version uint64, text string, from int) (index int, wrong, want string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := func(d *oracle.Data) bool { return d.State(r, user).JSON == text }
	first, end := h.at(version)
	if first == end {
		if i := slices.IndexFunc(h.states, is); i >= 0 {
			return from, fmt.Sprintf("shows a version between commits, %d", version), text
		}
		return from, fmt.Sprintf("shows a version between commits, %d", version), h.states[len(h.states)-1].State(r, user).JSON
	}
	if slices.ContainsFunc(h.states[first:end], is) {
		if later := slices.IndexFunc(h.states[from:], is); later >= 0 {
			return from + later, "", ""
		}
		return from, fmt.Sprintf("went back in time, to version %d", version), h.states[from].State(r, user).JSON
	}
	want = h.states[first].State(r, user).JSON
	if i := slices.IndexFunc(h.states, is); i >= 0 {
		return from, fmt.Sprintf("shows the state of another version than %d, as of %d on", version, h.states[i].Head), want
	}
	return from, fmt.Sprintf("shows a state that was never committed, at version %d", version), want
}

// leaked returns a marked text that no state of the routes has at a version,
// "" if all are in them.
func (h *history) leaked(routes []oracle.Route, user string, version uint64, marks []string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, end := h.at(version)
	allowed := map[string]bool{}
	for _, d := range h.states[first:end] {
		for _, r := range routes {
			for text := range d.State(r, user).Marks {
				for _, m := range markPattern.FindAllString(text, -1) {
					allowed[m] = true
				}
			}
		}
	}
	for _, m := range marks {
		if !allowed[m] {
			return m
		}
	}
	return ""
}
