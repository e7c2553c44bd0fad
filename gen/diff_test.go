package gen

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "github.com/pando-sync/pando/internal/seeds"
)

// TestEditsLeadFromOneTextToTheOther checks comparisons of random texts: what
// is kept and removed is the old text, what is kept and added the new one.
func TestEditsLeadFromOneTextToTheOther(t *testing.T) {
	line := rapid.SampledFrom([]string{"a", "b", "c", ""})
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(line).Draw(t, "a"), rapid.SliceOf(line).Draw(t, "b")
		var before, after []string
		for _, e := range compareLines(a, b) {
			if e.op != '+' {
				before = append(before, e.line)
			}
			if e.op != '-' {
				after = append(after, e.line)
			}
		}
		if !slices.Equal(a, before) || !slices.Equal(b, after) {
			t.Fatalf("from %q to %q: got %q to %q", a, b, before, after)
		}
	})
}

// TestDiffOfLargeTexts passes the bound of the comparison's table.
func TestDiffOfLargeTexts(t *testing.T) {
	a := strings.Repeat("a\nb\n", 1500)
	b := strings.Repeat("b\nc\n", 1500)
	var out strings.Builder
	if err := writeDiff(&out, "large", []byte(a), []byte(b)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 3+6000 {
		t.Errorf("%d lines, want all removed and all added", got)
	}
}
