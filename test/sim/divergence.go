package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// divergenceError is a client that shows what it must not.
type divergenceError struct {
	client      int
	user, route string
	what        string
	// shows is what the client shows, want what the oracle says, as JSON.
	shows, want string
	// waited is why there was no more waiting, nil where nothing was waited for.
	waited error
}

// Unwrap tells errPatience from what was seen to be wrong.
func (d *divergenceError) Unwrap() error { return d.waited }

// Error implements error: who shows what, and a diff.
func (d *divergenceError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client %d (user %q), %s: %s", d.client, d.user, d.route, d.what)
	if d.waited != nil {
		fmt.Fprintf(&b, ": %v", d.waited)
	}
	if d.shows != d.want {
		fmt.Fprintf(&b, "\n  - the database   + the client\n%s", cmp.Diff(lines(d.want), lines(d.shows)))
	} else if d.shows != "" {
		fmt.Fprintf(&b, "\n%s", d.shows)
	}
	return b.String()
}

// lines is JSON with one member a line.
func lines(text string) []string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return []string{text}
	}
	return strings.Split(b.String(), "\n")
}

// replayCommand is how a user runs a seed again.
func (o options) replayCommand(seed uint64) string {
	command := fmt.Sprintf("make sim-replay %sSEED=%d", o.surroundings(), seed)
	if o.fault != "" {
		command = faultVariable + "=" + o.fault + " " + command
	}
	return command
}
