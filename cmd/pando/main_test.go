package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// outcome is how a command ended.
type outcome struct {
	code        int
	out, errOut string
}

// pando runs a command in a folder.
func pando(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	var out, errOut strings.Builder
	code := run(&environment{ctx: t.Context(), dir: dir, stdout: &out, stderr: &errOut}, args)
	return outcome{code, out.String(), errOut.String()}
}

// must runs a command that must succeed, and returns what it said.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	o := pando(t, dir, args...)
	if o.code != 0 {
		t.Fatalf("pando %s: %+v", strings.Join(args, " "), o)
	}
	return o.out
}

// refused runs a command that must fail with all of the texts.
func refused(t *testing.T, dir string, args []string, want ...string) {
	t.Helper()
	o := pando(t, dir, args...)
	if o.code != 1 || o.out != "" {
		t.Errorf("pando %s: %+v", strings.Join(args, " "), o)
	}
	for _, text := range want {
		if !strings.Contains(o.errOut, text) {
			t.Errorf("pando %s: the error has no %q:\n%s", strings.Join(args, " "), text, o.errOut)
		}
	}
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// list are the files below a folder, by their paths.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHelpNamesTheCommands(t *testing.T) {
	out := must(t, t.TempDir(), "--help")
	for _, want := range []string{"startproject <name>", "startapp <name>"} {
		if !strings.Contains(out, want) {
			t.Errorf("--help has no %q:\n%s", want, out)
		}
	}
	refused(t, t.TempDir(), []string{"startpoject", "demo"}, "--help shows what there is")
}
