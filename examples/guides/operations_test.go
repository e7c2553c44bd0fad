package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quoted is code in the first column of a table.
var quoted = regexp.MustCompile("`([^`]+)`")

// TestMessages finds the messages that the guide explains in the sources.
func TestMessages(t *testing.T) {
	text, err := os.ReadFile(guides + "operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Messages\n")
	table, _, _ := strings.Cut(rest, "\n## ")
	sources := libraryText(t)
	messages := 0
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		for _, message := range quoted.FindAllStringSubmatch(cells[1], -1) {
			messages++
			if !strings.Contains(sources, message[1]) {
				t.Errorf("the guide explains %q, which nothing says", message[1])
			}
		}
	}
	if messages < 20 {
		t.Errorf("the guide explains only %d messages", messages)
	}
}

// libraryText is the source of the library, without tests.
func libraryText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "examples" || d.Name() == "test" || d.Name() == "bench" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
