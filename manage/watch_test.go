package manage

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// watched is a folder of sources under a watcher.
type watched struct {
	t   *testing.T
	dir string
	// ran has what a run read of main.go; it must be received.
	ran    chan string
	failed chan error
	fail   chan error // what the next run fails with
}

func watchFolder(t *testing.T) *watched {
	t.Helper()
	f := &watched{t: t, dir: t.TempDir(), ran: make(chan string), failed: make(chan error, 10), fail: make(chan error, 1)}
	f.write("main.go", "first")
	f.write("src/pando/main.ts", "generated")
	w := &watcher{
		root: f.dir, settle: 20 * time.Millisecond, skip: []string{filepath.Join(f.dir, "src")}, failed: func(err error) { f.failed <- err },
		run: func(ctx context.Context) error {
			text, err := os.ReadFile(filepath.Join(f.dir, "main.go"))
			if err != nil {
				return err
			}
			select {
			case f.ran <- string(text):
			case <-ctx.Done():
			}
			select {
			case err = <-f.fail:
			default:
			}
			return err
		},
	}
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watching := begin(func() error { w.watch(ctx); return nil })
	t.Cleanup(func() { cancel(); <-watching.done })
	return f
}

func (f *watched) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// until waits for a run that reads a text. Runs before it may have read less.
func (f *watched) until(text string) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case got := <-f.ran:
			if got == text {
				return
			}
		case <-deadline:
			f.t.Fatalf("no run has read %q", text)
		}
	}
}

func TestWatcherRunsAfterChanges(t *testing.T) {
	f := watchFolder(t)
	f.write("main.go", "second")
	f.until("second")
	// Whole files that take the place of others, as editors write them.
	f.write("main.go.tmp", "third")
	if err := os.Rename(filepath.Join(f.dir, "main.go.tmp"), filepath.Join(f.dir, "main.go")); err != nil {
		t.Fatal(err)
	}
	f.until("third")
	f.write("a/b/new.go", "package b") // in folders that were not there
	f.until("third")
	f.write("a/b/new.go", "package b // more")
	f.until("third")
	if err := os.RemoveAll(filepath.Join(f.dir, "a")); err != nil {
		t.Fatal(err)
	}
	f.until("third")
}

func TestWatcherRunsAgainForChangesMeanwhile(t *testing.T) {
	f := watchFolder(t)
	f.write("main.go", "second")
	for range 50 { // the run hangs until it is received: whatever it read, another follows
		f.write("main.go", "third")
	}
	f.write("main.go", "last")
	f.until("last")
}

func TestWatcherGoesOnAfterFailures(t *testing.T) {
	f := watchFolder(t)
	f.fail <- errors.New("main.go:1: undefined: x")
	f.write("main.go", "second")
	f.until("second")
	if err := <-f.failed; err == nil || err.Error() != "main.go:1: undefined: x" {
		t.Errorf("error is %v", err)
	}
	f.write("main.go", "third")
	f.until("third")
}

func TestWatcherSkipsWhatIsNoSource(t *testing.T) {
	for path, want := range map[string]bool{
		"main.go": true, "a/b.go": true, "go.mod": true, "go.sum": true, "go.work": true,
		"main_test.go": false, ".#main.go": false, "_main.go": false, "main.go~": false, "main.ts": false, "main.go.tmp": false, "go": false,
	} {
		if got := isSource(path); got != want {
			t.Errorf("isSource(%s) is %v", path, got)
		}
	}
	w := &watcher{root: ".", skip: []string{"web/src"}}
	for path, want := range map[string]bool{
		"board": false, "web": false, "web/src": true, "node_modules": true, "web/node_modules": true,
		".git": true, "_old": true, "testdata": true, "vendor": true,
	} {
		if got := w.skips(path); got != want {
			t.Errorf("skips(%s) is %v", path, got)
		}
	}
}

func TestWatcherNeedsItsFolder(t *testing.T) {
	w := &watcher{root: filepath.Join(t.TempDir(), "gone")}
	if err := w.open(); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "watch Go files: ") {
		t.Errorf("error is %v", err)
	}
}

func TestRebuild(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/app\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "")
	app := rebuild{dir: dir, main: "example.com/app", args: []string{"makefrontend"}}
	write("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"asked to \" + os.Args[1]) }\n")
	if out, err := app.run(t.Context()); out != "asked to makefrontend" || err != nil {
		t.Errorf("it says %q, %v", out, err)
	}
	write("package main\n\nfunc main() { x() }\n")
	_, err := app.run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "rebuild example.com/app: ") || !strings.Contains(err.Error(), "undefined: x") {
		t.Errorf("error is %v", err)
	}
	write("package main\n\nfunc main() { println(\"board: disk is full\"); panic(1) }\n")
	if _, err := app.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "board: disk is full") {
		t.Errorf("error is %v", err)
	}
}

func TestRunserverMakesTheFrontend(t *testing.T) {
	b, dir, channels := benchWithChannel(t)
	server := b.start("--makefrontend")
	if text, err := os.ReadFile(channels); err != nil || !strings.Contains(string(text), "export class NoteChannel") {
		t.Errorf("%s has %q, %v", dir, text, err)
	}
	rest := begin(func() error { _, err := io.Copy(io.Discard, server.out); return err })
	server.stop()
	if got := server.end(t); got.code != 0 {
		t.Errorf("%+v", got)
	}
	<-rest.done
	b.change = nil
	b.wantOutcome(b.run("", "runserver", "--makefrontend", "--addr", "127.0.0.1:0"), 1, "set Project.Frontend, which --makefrontend needs")
}
