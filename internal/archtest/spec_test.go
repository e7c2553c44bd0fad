package archtest

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestInvariantsAreTested finds tests that the specification names and nobody
// wrote.
func TestInvariantsAreTested(t *testing.T) {
	text, err := os.ReadFile(repository + "/spec/states.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := load(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, s := range sources {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test() {
				tests = append(tests, f.Name.Name)
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 7 {
		t.Errorf("only %d tests are named: every invariant needs one", len(named))
	}
	for _, n := range named {
		if !slices.Contains(tests, n[1]) {
			t.Errorf("spec/states.md names %s, which no test file has", n[1])
		}
	}
}
