package main

import (
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestStartprojectAndStartappMakeThatLayout holds what is made against the lists in
// testdata. With UPDATE=1 in the environment they are written anew.
func TestStartprojectAndStartappMakeThatLayout(t *testing.T) {
	for statement, c := range map[string]struct {
		kind string
		of   names
	}{
		"startproject NAME makes apps beside main.go":                                   {"project", names{Project: "demo", Module: "github.com/me/demo", Library: library{Version: "v1.2.0"}}},
		"startapp NAME makes an app of models, channel and consumer":                    {"app", names{App: "shop", Module: "github.com/me/demo"}},
		"startapp NAME --pages makes an app of templates, routes and static files only": {"pages", names{App: "blog", Module: "github.com/me/demo"}},
	} {
		t.Run(statement, func(t *testing.T) {
			files, err := render(c.kind, c.of)
			if err != nil {
				t.Fatal(err)
			}
			var tree strings.Builder
			for _, name := range slices.Sorted(maps.Keys(files)) {
				tree.WriteString(name + "\n")
				text := string(files[name])
				if strings.Contains(text, "{%") || strings.Contains(text, "%}") {
					t.Errorf("%s has an action that was not carried out", name)
				}
				if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
					t.Errorf("%s does not end in one line's end", name)
				}
			}
			golden := filepath.Join("testdata", c.kind+".tree")
			if os.Getenv("UPDATE") != "" {
				put(t, golden, tree.String())
			}
			if want := read(t, golden); tree.String() != want {
				t.Errorf("it is\n%swant\n%s", tree.String(), want)
			}
		})
	}
}

// TestNamesOfAnyLengthAreFormatted has names that move what gofmt aligns, and the
// order of imports.
func TestNamesOfAnyLengthAreFormatted(t *testing.T) {
	for _, name := range []string{"a", "shop", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"} {
		for _, kind := range []string{"project", "app", "pages"} {
			files, err := render(kind, names{Project: name, App: name, Module: "zoo.example/" + name})
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range files {
				if strings.HasSuffix(file, ".go") {
					formatted, err := format.Source(text)
					if err != nil || !slices.Equal(formatted, text) {
						t.Errorf("%s of %q is not formatted: %v", file, name, err)
					}
				}
			}
		}
	}
}

func TestNothingIsReplaced(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "demo", "notes.txt"), "kept")
	put(t, filepath.Join(dir, "demo", "main.go"), "package mine\n")
	put(t, filepath.Join(dir, "demo", "api", "models.go"), "package mine\n")
	before := list(t, dir)
	refused(t, dir, []string{"startproject", "demo"},
		"these files exist, and are not replaced: move them away, or choose another name",
		filepath.Join(dir, "demo", "main.go"), filepath.Join(dir, "demo", "api", "models.go"))
	if after := list(t, dir); !slices.Equal(after, before) {
		t.Errorf("there are files of what was refused: %q", after)
	}
	if text := read(t, filepath.Join(dir, "demo", "main.go")); text != "package mine\n" {
		t.Errorf("main.go is now %q", text)
	}
	// Beside other files there is room.
	must(t, dir, "startproject", "other")
	demo := filepath.Join(dir, "other")
	put(t, filepath.Join(demo, "shop", "static", "shop", "shop.css"), "")
	refused(t, demo, []string{"startapp", "shop", "--pages"}, filepath.Join("shop", "static", "shop", "shop.css"))
	if text := read(t, filepath.Join(demo, "apps.go")); strings.Contains(text, "shop") {
		t.Errorf("an app that was refused is registered:\n%s", text)
	}
	must(t, demo, "startapp", "shop")
}

// TestAllFilesOrNone has a folder stand where a file's folder would.
func TestAllFilesOrNone(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "b"), "a file where a folder would be")
	err := write(dir, map[string][]byte{"a.txt": []byte("a"), "b/c.txt": []byte("c")})
	if err == nil {
		t.Fatal("a file was written below a file")
	}
	if left := list(t, dir); !slices.Equal(left, []string{"b"}) {
		t.Errorf("what could not be written whole left %q", left)
	}
}
