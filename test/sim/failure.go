package main

import (
	"errors"
	"fmt"
	"strings"
)

// failure is a seed that ended badly.
type failure struct {
	seed uint64
	err  error
}

// What brief tells: lines of the diff, and bytes of each line.
const (
	briefLines = 40
	briefBytes = 1000
)

// brief is what is wrong, in a few lines, of which the last tell most: logs are
// cut at their beginnings.
func (f failure) brief(replay string) string {
	what, more, _ := strings.Cut(f.err.Error(), "\n")
	b := new(strings.Builder)
	fmt.Fprintln(b)
	diff := strings.FieldsFunc(more, func(r rune) bool { return r == '\n' })
	for _, line := range diff[:min(len(diff), briefLines)] {
		fmt.Fprintln(b, clip(line))
	}
	if left := len(diff) - briefLines; left > 0 {
		fmt.Fprintf(b, "… and %d lines more\n", left)
	}
	fmt.Fprintf(b, "seed %d: %s\n", f.seed, clip(what))
	if errors.Is(f.err, errPatience) {
		fmt.Fprintln(b, "it was waited for in vain: nothing else is known to be wrong")
	}
	fmt.Fprintf(b, "replay it by: %s\n", replay)
	return b.String()
}

// clip leaves the end of a long line out.
func clip(line string) string {
	if len(line) <= briefBytes {
		return line
	}
	return strings.ToValidUTF8(line[:briefBytes], "") + "…"
}
