package main

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// markPattern is a text that one row alone has ever had.
var markPattern = regexp.MustCompile(`~[0-9a-f]{8}~`)

// statePattern is the beginning of a state frame.
var statePattern = regexp.MustCompile(`^\{"stream":"#[0-9]+","payload":\{"v":([0-9]+)`)

// traffic is what one connection received, as far as it tells rows. It is safe
// for concurrent use.
type traffic struct {
	user string

	mu     sync.Mutex // guards what follows
	routes []oracle.Route
	frames []marked
}

// marked is a frame with marked texts.
type marked struct {
	version uint64
	marks   []string
	text    string
}

// asks notes that a route is asked for.
func (t *traffic) asks(r oracle.Route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.routes = append(t.routes, r)
}

// see notes a frame.
func (t *traffic) see(frame []byte) {
	marks := markPattern.FindAllString(string(frame), -1)
	if len(marks) == 0 {
		return
	}
	slices.Sort(marks)
	m := marked{marks: slices.Compact(marks), text: string(frame[:min(len(frame), 4000)])}
	if found := statePattern.FindSubmatch(frame); found != nil {
		m.version, _ = strconv.ParseUint(string(found[1]), 10, 64) // it is digits
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames = append(t.frames, m)
}

// verify looks up in history whether the rows of all frames were the user's to
// see at the frames' versions.
func (t *traffic) verify(client int, h *history) error {
	t.mu.Lock()
	frames, routes := t.frames, t.routes
	t.frames = nil
	t.mu.Unlock()
	for _, f := range frames {
		if leaked := h.leaked(routes, t.user, f.version, f.marks); leaked != "" {
			return &divergenceError{client: client, user: t.user, what: "a frame of version " + strconv.FormatUint(f.version, 10) +
				" has what this user's routes do not show then: " + leaked, shows: f.text, want: f.text}
		}
	}
	return nil
}
