package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Divergence is a client that shows what it must not.
type Divergence struct {
	Client int
	Route  string
	What   string
	// Shows is what the client shows, Want what the oracle says, as JSON.
	Shows, Want string
}

// Error implements error: who shows what, and a diff.
func (d *Divergence) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client %d, %s: %s", d.Client, d.Route, d.What)
	if d.Shows != d.Want {
		fmt.Fprintf(&b, "\n  - the database   + the client\n%s", cmp.Diff(lines(d.Want), lines(d.Shows)))
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
func replayCommand(seed uint64, fault string) string {
	command := fmt.Sprintf("make sim-replay SEED=%d", seed)
	if fault != "" {
		command = faultVariable + "=" + fault + " " + command
	}
	return command
}
