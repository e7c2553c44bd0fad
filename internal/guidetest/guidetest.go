// Package guidetest holds the guides to the code that they show: what a guide
// quotes stands in a file that a compiler sees, what it links to is there, and
// the TypeScript beside it is what the Go declares.
package guidetest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/gen"
)

// Block is a block of code in a guide, which begins at Line.
type Block struct {
	Line       int
	Lang, Text string
}

// Blocks are the blocks of code of a guide, in order. A guide without any fails
// the test.
func Blocks(t testing.TB, guide string) []Block {
	t.Helper()
	var all []Block
	line := 1
	for i, part := range strings.Split(read(t, guide), "```") {
		if i%2 == 1 {
			lang, text, _ := strings.Cut(part, "\n")
			all = append(all, Block{line, lang, strings.TrimSuffix(text, "\n")})
		}
		line += strings.Count(part, "\n")
	}
	if len(all) == 0 {
		t.Fatalf("%s has no code", guide)
	}
	return all
}

// Name is what a test of the block is called.
func (b Block) Name() string { return fmt.Sprintf("line %d %s", b.Line, b.Lang) }

// Compiled fails the test unless the block stands, as whole lines, in a file
// that one of the patterns matches.
func (b Block) Compiled(t testing.TB, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.Contains("\n"+read(t, name), "\n"+b.Text+"\n") {
				return
			}
		}
	}
	t.Errorf("the guide has this, which is in no file of %s:\n%s", strings.Join(patterns, ", "), b.Text)
}

// Quotes finds every block of a guide in the files of its language, and all
// that the guide links to. A block of a language without files fails the test:
// its text would be held against nothing.
func Quotes(t *testing.T, guide string, files map[string][]string) {
	t.Helper()
	for _, b := range Blocks(t, guide) {
		t.Run(b.Name(), func(t *testing.T) {
			patterns := files[b.Lang]
			if patterns == nil {
				t.Fatalf("a block of %q: its text is held against nothing", b.Lang)
			}
			b.Compiled(t, patterns...)
		})
	}
	Links(t, guide)
}

var (
	code    = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	link    = regexp.MustCompile(`\]\(([^):]*?)(#[^)]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	left    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links finds the files, and the headings of the guide itself, that a guide
// links to.
func Links(t testing.TB, guide string) {
	t.Helper()
	text := code.ReplaceAllString(read(t, guide), "")
	headings := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		headings["#"+strings.ReplaceAll(left.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	for _, l := range link.FindAllStringSubmatch(text, -1) {
		if l[1] == "" && !headings[l[2]] {
			t.Errorf("%s links to %s, which is none of its headings", guide, l[2])
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(guide), l[1])); err != nil {
			t.Errorf("%s links to %s: %v", guide, l[1], err)
		}
	}
}

// Generated says so when the TypeScript in dir is older than the channels of the
// app, whose source is in the working directory. With UPDATE=1 in the
// environment it is written anew.
func Generated(t testing.TB, app *pando.App, dir string) {
	t.Helper()
	m, err := app.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	docs, err := gen.LoadDocs(t.Context(), ".", m)
	if err != nil {
		t.Fatal(err)
	}
	files, err := gen.Generate(m, docs)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := gen.Sync(dir, files, gen.Mode{DryRun: os.Getenv("UPDATE") == ""}, os.Stdout)
	if err != nil || changed {
		t.Errorf("%s is out of date: run this test with UPDATE=1 (error: %v)", dir, err)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
