package main

import (
	"os"
	"path/filepath"
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
	for _, text := range []string{"fault one\nbecause\nfile a.go\n+ new\n", "fault one\nbecause\nfile a.go\n- old\n+ new\nhuh\n"} {
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
