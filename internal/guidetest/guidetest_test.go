package guidetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder notes what would fail a test.
type recorder struct {
	testing.TB

	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBlocks(t *testing.T) {
	guide := write(t, "guide.md", "# Title\n\n```go\nfunc f() {\n}\n```\n\nText.\n\n```sql\nSELECT 1;\n```\n")
	blocks := Blocks(t, guide)
	if len(blocks) != 2 || blocks[0] != (Block{3, "go", "func f() {\n}"}) || blocks[1] != (Block{10, "sql", "SELECT 1;"}) {
		t.Fatalf("the blocks are %+v", blocks)
	}
	code := write(t, "code.go", "package p\n\nfunc f() {\n}\n\nfunc g() {}\n")
	for text, fails := range map[string]bool{
		"func f() {\n}": false, "func g() {}": false, "func f() {": false,
		"func h() {}": true, "func g()": true, "unc f() {\n}": true,
	} {
		r := &recorder{TB: t}
		Block{Text: text}.Compiled(r, code)
		if (len(r.failures) > 0) != fails {
			t.Errorf("%q: %v", text, r.failures)
		}
	}
}

func TestLinks(t *testing.T) {
	guide := write(t, "guide.md", strings.Join([]string{
		"# A guide", "## One, two", "[good](#one-two) [self](guide.md) [web](https://example.com)",
		"[no heading](#three) [no file](missing.md#x) `[code](nothing.md)`", "```go", "RecheckOn[T](x)", "```",
	}, "\n"))
	r := &recorder{TB: t}
	Links(r, guide)
	if len(r.failures) != 2 || !strings.Contains(r.failures[0], "#three") || !strings.Contains(r.failures[1], "missing.md") {
		t.Errorf("the failures are %q", r.failures)
	}
}
