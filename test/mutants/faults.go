package main

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed faults.txt
var faultsText string

// fault is a mistake that is made in one file of the library.
type fault struct {
	name, why, file string
	edits           []edit
	// plays are where the simulation is played, one after the other, on SQLite alone
	// unless there are some.
	plays []play
	// tests are those that must find it, which schedules of a simulation are too
	// rare for; nil for none.
	tests []suite
}

// play are flags of the simulation, and how many seeds the fault may survive there
// (0: as many as the command line says).
type play struct {
	seeds uint64
	flags []string
}

// suite are tests of a package, by a pattern of their names.
type suite struct{ folder, pattern string }

// edit is one text that is replaced by another.
type edit struct{ old, new string }

// readFaults reads faults.txt.
func readFaults(text string) ([]fault, error) {
	var all []fault
	for i, block := range strings.Split("\n"+text, "\nfault ")[1:] {
		f := fault{}
		for n, line := range strings.Split(block, "\n") {
			switch {
			case n == 0:
				f.name = line
			case n == 1:
				f.why = line
			case strings.HasPrefix(line, "file "):
				f.file = line[len("file "):]
			case strings.HasPrefix(line, "play "):
				words := strings.Fields(line)[1:]
				seeds, err := strconv.ParseUint(words[0], 10, 64)
				if err != nil {
					return nil, fmt.Errorf("fault %s: %q does not begin with a number of seeds: %w", f.name, line, err)
				}
				f.plays = append(f.plays, play{seeds, words[1:]})
			case strings.HasPrefix(line, "test "):
				words := strings.Fields(line)[1:]
				if len(words) != 2 {
					return nil, fmt.Errorf("fault %s: %q is not a package and the names of its tests", f.name, line)
				}
				f.tests = append(f.tests, suite{words[0], words[1]})
			case strings.HasPrefix(line, "- "):
				if last := len(f.edits) - 1; last < 0 || f.edits[last].new != "" {
					f.edits = append(f.edits, edit{})
				}
				f.edits[len(f.edits)-1].old += line[2:] + "\n"
			case strings.HasPrefix(line, "+ ") && f.edits != nil:
				f.edits[len(f.edits)-1].new += line[2:] + "\n"
			case line != "":
				return nil, fmt.Errorf("fault %s: what is %q?", f.name, line)
			}
		}
		if f.name == "" || f.why == "" || f.file == "" || f.edits == nil || f.edits[len(f.edits)-1].new == "" {
			return nil, fmt.Errorf("fault %d, %q, is not whole: it needs a line that says why, a file, - and + lines", i+1, f.name)
		}
		if f.plays == nil && f.tests == nil {
			f.plays = []play{{}}
		}
		all = append(all, f)
	}
	return all, nil
}

// apply returns the file's text with the fault in it.
func (f *fault) apply(text string) (string, error) {
	for _, e := range f.edits {
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("fault %s has rotted: its text occurs %d times in %s: bring faults.txt up to date", f.name, n, f.file)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}
