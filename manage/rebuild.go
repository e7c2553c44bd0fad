package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// killTime is how long a child that was interrupted has to end.
const killTime = 5 * time.Second

// rebuild runs a command of the app as its sources are now: the program that
// runs has the declarations with which it was built.
type rebuild struct {
	// dir is where the go command runs, main the package that it builds there.
	dir, main string
	args      []string
}

// mainPackage is the package that the program was built of; "." when it was
// built of single files.
func mainPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" || info.Path == "command-line-arguments" {
		return "."
	}
	return info.Path
}

// run returns what the command says. The error has what the compiler says.
func (r rebuild) run(ctx context.Context) (out string, err error) {
	temp, err := os.MkdirTemp("", "pando-")
	if err != nil {
		return "", fmt.Errorf("rebuild %s: %w", r.main, err)
	}
	defer os.RemoveAll(temp) //nolint:errcheck // the system clears it
	binary := filepath.Join(temp, "app.exe")
	if _, err := r.child(ctx, "go", "build", "-o", binary, r.main); err != nil {
		return "", fmt.Errorf("rebuild %s: %w", r.main, err)
	}
	return r.child(ctx, binary, r.args...)
}

// child runs a program to its end and returns its output.
func (r rebuild) child(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // the go command, and what it has built
	command.Dir = r.dir
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = killTime
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if text := strings.TrimSpace(stderr.String()); err != nil && text != "" {
		err = errors.New(text)
	}
	return stdout.String(), err
}
