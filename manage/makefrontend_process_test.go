package manage

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// boardState declares the state of the example that is changed here.
const boardState = "../examples/board/state.go"

// TestMakefrontendChecksANewField adds a field to a struct of a real program:
// its --check then shows what would change, and fails, and nothing is written.
func TestMakefrontendChecksANewField(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "live")
	before := buildBoard(t)
	if out, code := before.run("makefrontend", "--quiet", "--out", dir); code != 0 || out != "" {
		t.Fatalf("the code is %d\n%s", code, out)
	}
	if out, code := before.run("makefrontend", "--check", "--out", dir); code != 0 || out != dir+" is up to date\n" {
		t.Errorf("of files just written: the code is %d\n%s", code, out)
	}
	interfaces := filepath.Join(dir, "board.interfaces.ts")
	written, err := os.ReadFile(interfaces)
	if err != nil {
		t.Fatal(err)
	}

	const title = "\tTitle string `json:\"title\"`\n"
	after := buildBoard(t, "-overlay", overlay(t, boardState, title, title+"\tPoints *int `json:\"points\"`\n"))
	out, code := after.run("makefrontend", "--check", "--out", dir)
	if code != 1 {
		t.Errorf("the code is %d", code)
	}
	for _, want := range []string{
		"--- board.interfaces.ts\n+++ board.interfaces.ts\n",
		"   readonly title: string\n+  readonly points: number | null\n",
		"board: the files in " + dir + " are out of date: run makefrontend\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if now, err := os.ReadFile(interfaces); err != nil || string(now) != string(written) {
		t.Errorf("it was written: %v", err)
	}
}

// overlay writes the configuration with which the go command reads a file with
// one of its texts replaced.
func overlay(t *testing.T, file, from, to string) (config string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%s has %q not once", file, from)
	}
	dir := t.TempDir()
	changed, config := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// boardProgram is the program of the example.
type boardProgram struct {
	t           *testing.T
	binary, dir string
}

func buildBoard(t *testing.T, flags ...string) boardProgram {
	t.Helper()
	dir := t.TempDir()
	p := boardProgram{t, filepath.Join(dir, "board.exe"), dir}
	args := append(append([]string{"build", "-ldflags=-s -w"}, flags...), "-o", p.binary, "../examples/board")
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return p
}

// run runs a command to its end.
func (p boardProgram) run(args ...string) (out string, code int) {
	p.t.Helper()
	args = append(args, "--db", filepath.Join(p.dir, "board.db"))
	raw, err := exec.CommandContext(p.t.Context(), p.binary, args...).CombinedOutput()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
		return string(raw), ended.ExitCode()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(raw), 0
}
