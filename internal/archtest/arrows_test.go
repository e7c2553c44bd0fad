package archtest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

const repository = "../.."

func TestArrows(t *testing.T) {
	sources, err := load(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 10 {
		t.Fatalf("only %d files were found: the rules look in the wrong place", len(sources))
	}
	for _, problem := range checkArrows(sources) {
		t.Error(problem)
	}
}

// checkArrows returns what breaks the table of ranks.
func checkArrows(sources []*source) []string {
	var problems []string
	for _, s := range sources {
		if s.foreign {
			continue // another module cannot be imported, and only tests and measures
		}
		from, known := placeOf(s.dir)
		if !known {
			problems = append(problems, fmt.Sprintf("%s: package %s is unknown: add it to the table in internal/archtest/ranks_test.go", s.path, s.dir))
			continue
		}
		if s.test() {
			continue
		}
		for _, importPath := range s.imports() {
			problems = append(problems, checkImport(s, from, importPath)...)
		}
	}
	return slices.Compact(problems)
}

func checkImport(s *source, from place, importPath string) []string {
	dir, ours := packageDir(importPath)
	if !ours {
		return nil
	}
	to, known := placeOf(dir)
	if !known {
		return nil // reported at the package itself, if there is one
	}
	if program := programOf(dir); program != "" && program == programOf(s.dir) {
		return nil // its own packages
	}
	if why, ok := mayImport(from, to); !ok {
		return []string{fmt.Sprintf("%s: %s imports %s: %s", s.path, s.dir, dir, why)}
	}
	return nil
}

// importing is a file of package p that imports the folders of ours.
func importing(dirs ...string) *fstest.MapFile {
	text := []byte("package p\n")
	for _, dir := range dirs {
		text = fmt.Appendf(text, "import _ %q\n", module+"/"+dir)
	}
	return &fstest.MapFile{Data: text}
}

func TestArrowsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		tree fstest.MapFS
		want []string
	}{
		{"downwards", fstest.MapFS{
			"app.go":               importing("internal/session", "internal/pipe", "feed", "schema", "token"),
			"manage/run.go":        importing("gen", "schema"),
			"feed/sqlitefeed/f.go": importing("feed", "schema"),
		}, nil},
		{"upwards", fstest.MapFS{"state/s.go": importing("internal/hub")},
			[]string{"state/s.go: state imports internal/hub: arrows point from a higher rank to a lower one"}},
		{"sideways", fstest.MapFS{"internal/hub/h.go": importing("internal/route")},
			[]string{"internal/hub/h.go: internal/hub imports internal/route: arrows point from a higher rank to a lower one"}},
		{"root to adapter", fstest.MapFS{"app.go": importing("feed/sqlitefeed")},
			[]string{"app.go: . imports feed/sqlitefeed: only apps and tests import an adapter; take the port"}},
		{"root to adapter in a test", fstest.MapFS{"app_test.go": importing("feed/sqlitefeed", "feed/feedtest")}, nil},
		{"app to adapter", fstest.MapFS{"examples/board/main.go": importing("feed/sqlitefeed")}, nil},
		{"app to kit", fstest.MapFS{"examples/board/main.go": importing("pandotest")},
			[]string{"examples/board/main.go: examples/board imports pandotest: only tests import code that is made for tests"}},
		{"kit to adapter", fstest.MapFS{"pandotest/p.go": importing("feed/sqlitefeed")}, nil},
		{"adapter to stage", fstest.MapFS{"feed/sqlitefeed/f.go": importing("internal/wire")},
			[]string{"feed/sqlitefeed/f.go: feed/sqlitefeed imports internal/wire: an adapter imports ports only"}},
		{"app imported", fstest.MapFS{"manage/m.go": importing("examples/board")},
			[]string{"manage/m.go: manage imports examples/board: a program is imported by nobody"}},
		{"app to its own package", fstest.MapFS{"examples/mux/main.go": importing("examples/mux/api")}, nil},
		{"app to another's package", fstest.MapFS{"examples/board/main.go": importing("examples/mux/api")},
			[]string{"examples/board/main.go: examples/board imports examples/mux/api: a program is imported by nobody"}},
		{"unknown", fstest.MapFS{"util/u.go": importing("schema")},
			[]string{"util/u.go: package util is unknown: add it to the table in internal/archtest/ranks_test.go"}},
		{"another module", fstest.MapFS{"test/go.mod": {}, "test/sim/s.go": importing("internal/hub")}, nil},
		{"ignored", fstest.MapFS{"gen/testdata/x.go": importing("manage"), "node_modules/x/x.go": importing("manage")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources, err := load(c.tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := checkArrows(sources); !slices.Equal(got, c.want) {
				t.Errorf("problems are %q\nwant %q", got, c.want)
			}
		})
	}
}
