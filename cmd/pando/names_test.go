package main

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestNamesAreChecked(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"my-site":   "want 1 to 31 of a-z 0-9, a letter first",
		"Demo":      "want 1 to 31 of a-z 0-9, a letter first",
		"7up":       "want 1 to 31 of a-z 0-9, a letter first",
		"../demo":   "want 1 to 31 of a-z 0-9, a letter first",
		"func":      "it is a word of Go's own: choose another",
		"string":    "it is declared by Go itself: choose another",
		"main":      "it means something else to Go or Pando: choose another",
		"internal":  "it means something else to Go or Pando: choose another",
		"net":       "the standard library has net: choose another",
		"json":      "the standard library has encoding/json: choose another",
		"container": "the standard library has container/heap: choose another",
	} {
		refused(t, dir, []string{"startproject", name}, name, want)
	}
	refused(t, dir, []string{"startproject", "demo", "--module", "github.com//demo"}, "want one like github.com/me/demo")
	refused(t, dir, []string{"startproject", "demo", "--module", `demo"`}, "want one like github.com/me/demo")
	if left := list(t, dir); len(left) > 0 {
		t.Errorf("there are files of what was refused: %q", left)
	}
}

func TestNamesOfAppsAreFree(t *testing.T) {
	dir := t.TempDir()
	refused(t, dir, []string{"startapp", "shop"}, "here is no project", "pando startproject")
	must(t, dir, "startproject", "demo")
	demo := filepath.Join(dir, "demo")
	put(t, filepath.Join(demo, "more.go"), "package main\n\nimport _ \"embed\"\n\ntype basket struct{}\n\nvar shelf, drawer int\n\nconst price = 1\n\nfunc buy() {}\n\nfunc (basket) sell() {}\n")
	before := list(t, demo)
	for name, want := range map[string]string{
		"api":    `name "api": there is a package in this folder, with api.go: choose another`,
		"mux":    "imports it",
		"token":  "the standard library has go/token",
		"open":   "main.go declares it",
		"apps":   "apps.go declares it",
		"site":   "main.go declares it",
		"basket": "more.go declares it",
		"drawer": "more.go declares it",
		"price":  "more.go declares it",
		"buy":    "more.go declares it",
		"Shop":   "want 1 to 31",
	} {
		refused(t, demo, []string{"startapp", name}, want)
	}
	if after := list(t, demo); !slices.Equal(after, before) {
		t.Errorf("what was refused left %q", after)
	}
	must(t, demo, "startapp", "sell") // a method's name is no name of the package's
}
