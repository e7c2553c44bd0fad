package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestNoFaultHasRotted looks whether every fault still has its place.
func TestNoFaultHasRotted(t *testing.T) {
	faults, err := readFaults(faultsText)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) < 25 {
		t.Errorf("there are only %d faults", len(faults))
	}
	var names []string
	for _, f := range faults {
		text, err := os.ReadFile(filepath.Join("..", "..", f.file))
		if err != nil {
			t.Errorf("fault %s: %v", f.name, err)
			continue
		}
		if _, err := f.apply(string(text)); err != nil {
			t.Error(err)
		}
		for _, s := range f.tests {
			if !hasTest(t, filepath.Join("..", "..", s.folder), s.pattern) {
				t.Errorf("fault %s: %s has none of the tests %s", f.name, s.folder, s.pattern)
			}
		}
		if slices.Contains(names, f.name) {
			t.Errorf("two faults are named %s", f.name)
		}
		names = append(names, f.name)
	}
}

func TestFaultsAreRead(t *testing.T) {
	faults, err := readFaults("# why\n\nfault one\nbecause\nfile a.go\n- \told\n+ \tnew\n+ more\n- b\n+ c\n")
	if err != nil || len(faults) != 1 || faults[0].name != "one" || faults[0].why != "because" || faults[0].file != "a.go" {
		t.Fatalf("read %+v, %v", faults, err)
	}
	played := "fault one\nbecause\nfile a.go\nplay 80 -db=postgres -nodes=3\ntest ./x TestA|TestB\n- old\n+ new\n"
	more, err := readFaults(played)
	if err != nil || !reflect.DeepEqual(more[0].plays, []play{{80, []string{"-db=postgres", "-nodes=3"}}}) ||
		!slices.Equal(more[0].tests, []suite{{"./x", "TestA|TestB"}}) || len(faults[0].plays) != 1 || faults[0].plays[0].seeds != 0 {
		t.Errorf("read %+v, %v", more, err)
	}
	for _, text := range []string{
		"fault one\nbecause\nfile a.go\nplay -db=postgres\n- old\n+ new\n", "fault one\nbecause\nfile a.go\ntest ./x\n- old\n+ new\n",
		"fault one\nbecause\nfile a.go\n+ new\n", "fault one\nbecause\nfile a.go\n- old\n+ new\nhuh\n"} {
		if _, err := readFaults(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	one := faults[0]
	if got, err := one.apply("a\n\told\nb\n"); err != nil || got != "a\n\tnew\nmore\nc\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := one.apply(strings.Repeat("\told\nb\n", 2)); err == nil {
		t.Error("a text that occurs twice was replaced")
	}
}

// hasTest tells whether a package has each of the tests that a pattern names.
func hasTest(t *testing.T, folder, pattern string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for name := range strings.SplitSeq(pattern, "|") {
		if !strings.Contains(all.String(), "\nfunc "+name+"(t *testing.T) {") {
			return false
		}
	}
	return true
}

// TestNotes keeps what was found, and nothing else.
func TestNotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes")
	for _, found := range []bool{true, false} {
		if err := note(file, fmt.Sprintf("fault-%v\t1 seeds", found), found); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{file, file + ".none", ""} {
		known, err := readNotes(name)
		if want := map[string]string{"fault-true": "fault-true\t1 seeds"}; err != nil || name == file && !maps.Equal(known, want) || name != file && len(known) > 0 {
			t.Errorf("%q has %v, %v", name, known, err)
		}
	}
}
