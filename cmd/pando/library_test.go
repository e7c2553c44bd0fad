package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestALibraryIsACheckoutOrAVersion(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	released := filepath.Join(dir, "pando@v1.2.0")
	put(t, filepath.Join(released, "go.mod"), "module "+libraryModule+"\n")
	put(t, filepath.Join(dir, "fork", "go.mod"), "module "+libraryModule+"\n\ngo 1.26.0\n")
	put(t, filepath.Join(dir, "other", "go.mod"), "module "+libraryModule+"/examples/other\n")
	for asked, want := range map[string]library{
		"":                         {Version: unreleased, Dir: root},
		"v1.2.0":                   {Version: "v1.2.0"},
		"v1.2.0-rc.1":              {Version: "v1.2.0-rc.1"},
		"fork":                     {Version: unreleased, Dir: filepath.Join(dir, "fork")},
		filepath.Join(dir, "fork"): {Version: unreleased, Dir: filepath.Join(dir, "fork")},
	} {
		if got, err := findLibrary(dir, asked); err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", asked, got, err, want)
		}
	}
	for _, asked := range []string{"other", "nowhere", "1.2.0", released} {
		if got, err := findLibrary(dir, asked); err == nil || !strings.Contains(err.Error(), "neither a version such as v1.2.0, nor a folder with a checkout of Pando") {
			t.Errorf("%q is %+v, %v", asked, got, err)
		}
	}
}

func TestAVersionIsRequiredAndReplacesNothing(t *testing.T) {
	files, err := render("project", names{Project: "demo", Module: "demo", Library: library{Version: "v1.2.0"}})
	if err != nil {
		t.Fatal(err)
	}
	mod := string(files["go.mod"])
	if !strings.Contains(mod, "require "+libraryModule+" v1.2.0\n") || strings.Contains(mod, "replace") {
		t.Errorf("go.mod is\n%s", mod)
	}
	own, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if line := regexp.MustCompile(`(?m)^go .*$`).FindString(string(own)); !strings.Contains(mod, line+"\n") {
		t.Errorf("go.mod is of another Go than Pando's, %s:\n%s", line, mod)
	}
}

// TestWhatIsNotFoundIsTold has a version that nobody has released.
func TestWhatIsNotFoundIsTold(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	dir := t.TempDir()
	refused(t, dir, []string{"startproject", "demo", "--library", "v99.0.0"},
		`the project is written, but not all of its modules were found: run "go mod tidy" in demo`, "v99.0.0")
	if mod := read(t, filepath.Join(dir, "demo", "go.mod")); !strings.Contains(mod, " v99.0.0\n") {
		t.Errorf("go.mod is\n%s", mod)
	}
}

// TestAFolderIsNamedAsGoReadsIt has a checkout in a folder with a space.
func TestAFolderIsNamedAsGoReadsIt(t *testing.T) {
	for _, dir := range []string{"/src/pando", "/my sources/pando (1)"} {
		files, err := render("project", names{Project: "demo", Module: "demo", Library: library{Version: unreleased, Dir: dir}})
		if err != nil {
			t.Fatal(err)
		}
		project := t.TempDir()
		put(t, filepath.Join(project, "go.mod"), string(files["go.mod"]))
		out, err := goCommand(t.Context(), project, nil, "mod", "edit", "-json")
		if err != nil {
			t.Fatal(err)
		}
		if quoted, _ := json.Marshal(dir); !strings.Contains(string(out), `"Path": `+string(quoted)) {
			t.Errorf("go.mod replaces by another folder than %s:\n%s", dir, out)
		}
	}
}
