package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/guidetest"
)

// TestGuide does what the guide says, as far as it is of this program, and finds
// the rest of what it shows in what is made.
func TestGuide(t *testing.T) {
	const guide = "../../docs/guides/starting-a-project.md"
	guidetest.Links(t, guide)
	dir := t.TempDir()
	demo := filepath.Join(dir, "demo")
	for _, b := range guidetest.Blocks(t, guide) {
		switch b.Lang {
		case "sh":
			for line := range strings.Lines(b.Text) {
				dir = follow(t, dir, strings.Fields(line))
			}
		case "go":
			b.Compiled(t, filepath.Join(demo, "*.go"))
		case "text":
			for line := range strings.Lines(b.Text) {
				if _, err := os.Stat(filepath.Join(demo, strings.Fields(line)[0])); err != nil {
					t.Error(err)
				}
			}
		default:
			t.Errorf("%s: a block of %q: its text is held against nothing", b.Name(), b.Lang)
		}
	}
	if dir != demo {
		t.Errorf("the guide ends in %s", dir)
	}
}

// follow does one command of the guide, and returns the folder that it leads to.
func follow(t *testing.T, dir string, words []string) string {
	t.Helper()
	switch words[0] {
	case "cd":
		return filepath.Join(dir, words[1])
	case "pando":
		must(t, dir, words[1:]...)
	case "make":
		if !strings.Contains(read(t, filepath.Join(dir, "Makefile")), "\n"+words[1]+": ") {
			t.Errorf("there is no make %s", words[1])
		}
	case "go", "sqlite3", "export": // what they do, TestProject does
	default:
		t.Errorf("nothing is known of %q", words)
	}
	return dir
}
