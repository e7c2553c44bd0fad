package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed faults.txt
var faultsText string

// fault is a mistake that is made in one file of the library.
type fault struct {
	name, why, file string
	// old is the text that is replaced.
	old, new string
}

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
			case strings.HasPrefix(line, "- "):
				f.old += line[2:] + "\n"
			case strings.HasPrefix(line, "+ "):
				f.new += line[2:] + "\n"
			case line != "":
				return nil, fmt.Errorf("fault %s: what is %q?", f.name, line)
			}
		}
		if f.name == "" || f.why == "" || f.file == "" || f.old == "" || f.new == "" {
			return nil, fmt.Errorf("fault %d, %q, is not whole: it needs a line that says why, a file, - and + lines", i+1, f.name)
		}
		all = append(all, f)
	}
	return all, nil
}

// apply returns the file's text with the fault in it.
func (f *fault) apply(text string) (string, error) {
	if n := strings.Count(text, f.old); n != 1 {
		return "", fmt.Errorf("fault %s has rotted: its text occurs %d times in %s: bring faults.txt up to date", f.name, n, f.file)
	}
	return strings.Replace(text, f.old, f.new, 1), nil
}
