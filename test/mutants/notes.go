package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readNotes reads the lines of faults that were found, by their names. Without a
// file there are none.
func readNotes(file string) (map[string]string, error) {
	known := map[string]string{}
	if file == "" {
		return known, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which faults were found: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, "\t")
		known[name] = line
	}
	return known, nil
}

// note adds the line of a fault that was found.
func note(file, line string, found bool) error {
	if file == "" || !found {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the user names it
	if err != nil {
		return fmt.Errorf("note which faults were found: %w", err)
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}
