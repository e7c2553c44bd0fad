package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNothingIsKeptByHand holds the example to what Pando is for: no row's type
// is written by hand in TypeScript, and no state is kept, fetched or broadcast
// beside the channels.
func TestNothingIsKeptByHand(t *testing.T) {
	rows := generatedRows(t)
	each(t, "frontend/src", []string{".ts", ".tsx"}, func(path, text string) {
		if strings.Contains(filepath.ToSlash(path), "/live/") {
			return
		}
		for _, found := range keptByPage(text, rows) {
			t.Errorf("%s has %s: state and its types come by channels, and change by their writes and actions", path, found)
		}
	})
	each(t, ".", []string{".go"}, func(path, text string) {
		if found := broadcast.FindString(text); found != "" && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s has %q: rows reach pages by being committed", path, found)
		}
	})
}

func TestWhatIsKeptByHandIsFound(t *testing.T) {
	rows := generatedRows(t)
	for _, text := range []string{
		"const [state, dispatch] = useReducer(reduce, [])",
		"const socket = new WebSocket(url)",
		"const response = await fetch('/state/boards/1')",
		"interface Remark {\n  id: string\n  body: string\n  readonly author: Person | null\n  created_at: string\n}",
		"type Remark = {\n  id: string\n  body: string\n  author?: Person\n  created_at: string\n  more: number\n}",
	} {
		if keptByPage(text, rows) == nil {
			t.Errorf("nothing is found in %s", text)
		}
	}
	for _, text := range []string{`app.BroadcastInstance(`, `c.GroupSend(ctx, group, "card", Card{`, `map[string]any{"type": "set"`} {
		if !broadcast.MatchString(text) {
			t.Errorf("nothing is found in %s", text)
		}
	}
}

var (
	stores    = regexp.MustCompile(`\b(useReducer|createStore|configureStore|redux|zustand|immer|mobx)\b|new (WebSocket|EventSource)\b|fetch\(.*/state`)
	declared  = regexp.MustCompile(`(?s)\b(?:interface|type) (\w+)[^{};\n]*\{(.*?)\n\}`)
	broadcast = regexp.MustCompile(`BroadcastInstance|GroupSend\([^)]*\b(Board|Card|List|Comment|Member)\{|"(type|payload|upd|set)":|websocket`)
)

// keptByPage names what a page's source does itself that Pando does.
func keptByPage(text string, rows map[string][]string) (found []string) {
	if store := stores.FindString(text); store != "" {
		found = append(found, store)
	}
	for _, d := range declared.FindAllStringSubmatch(text, -1) {
		for row, members := range rows {
			if holdsAll(memberNames(d[2]), members) {
				found = append(found, d[1]+", which has the members of "+row)
			}
		}
	}
	return found
}

// generatedRows are the members of each interface that makefrontend has written
// of rows, but for those of one or two: an id and a name are no row yet.
func generatedRows(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("frontend/src/live/board.interfaces.ts")
	must(t, err)
	rows := map[string][]string{}
	for _, d := range regexp.MustCompile(`(?s)export interface (\w+) \{(.*?)\n\}`).FindAllStringSubmatch(string(text), -1) {
		if members := memberNames(d[2]); len(members) > 2 {
			rows[d[1]] = members
		}
	}
	if len(rows["Card"]) < 6 || len(rows["Comment"]) < 4 {
		t.Fatalf("the generated rows are %v", rows)
	}
	return rows
}

func memberNames(body string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:readonly )?(\w+)\??:`).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	return names
}

func holdsAll(names, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(names, name) })
}

// each reads the files below a folder that end so, and not what is installed or
// built.
func each(t *testing.T, root string, ends []string, see func(path, text string)) {
	t.Helper()
	seen := 0
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist"):
			return filepath.SkipDir
		case !slices.Contains(ends, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		seen++
		see(path, string(text))
		return err
	}))
	if seen < 5 {
		t.Fatalf("only %d files are below %s", seen, root)
	}
}
