package main

import (
	"os"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

func serve(t *testing.T) (*pandotest.Server, *pando.App) {
	t.Helper()
	db := pandotest.Database(t)
	if err := prepare(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	app, err := newApp(db)
	if err != nil {
		t.Fatal(err)
	}
	return pandotest.Serve(t, app), app
}

func TestRename(t *testing.T) {
	server, _ := serve(t)
	ada := server.Connect(t, server.Login(t, "ada", "lovelace"))
	project := pandotest.Open[Project](t, ada, "projects/7")
	project.Call(t, nil, "rename", "Difference engine")
	if got := project.State().Name; got != "Difference engine" {
		t.Errorf("the name is %q", got)
	}
	pandotest.Refused[Project](t, ada, "projects/8")
}

// TestReadme holds the code in the README against the files that are compiled.
func TestReadme(t *testing.T) {
	readme := read(t, "../../README.md")
	for _, file := range []string{"main.go", "frontend/Project.tsx"} {
		code := read(t, file)
		for _, block := range strings.Split(readme, "```")[1:] {
			lang, text, _ := strings.Cut(block, "\n")
			if !strings.HasSuffix(file, "."+lang) || strings.Contains(code, strings.TrimSpace(text)) {
				continue
			}
			for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
				if !strings.Contains(code, part) {
					t.Errorf("the README has this, which is not in %s:\n%s", file, part)
				}
			}
		}
	}
}

// TestGenerated says so when the TypeScript is older than the structs.
func TestGenerated(t *testing.T) {
	_, app := serve(t)
	m, err := app.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	generate(t, m)
}

func generate(t *testing.T, m *schema.Manifest) {
	t.Helper()
	docs, err := gen.LoadDocs(t.Context(), ".", m)
	if err != nil {
		t.Fatal(err)
	}
	files, err := gen.Generate(m, docs)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := gen.Sync("frontend/live", files, gen.Mode{DryRun: os.Getenv("UPDATE") == ""}, os.Stdout)
	if err != nil || changed {
		t.Errorf("frontend/live is out of date: UPDATE=1 go test ./examples/quickstart (error: %v)", err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
