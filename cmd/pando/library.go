package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// libraryModule is Pando's module.
const libraryModule = "github.com/pando-sync/pando"

// library is the Pando that a project uses: a checkout, or a version.
type library struct {
	// Version is what go.mod requires, Dir the checkout that stands for it.
	Version, Dir string
}

// Module is what go.mod calls it.
func (library) Module() string { return libraryModule }

// Replacement is the checkout's folder as go.mod has it.
func (l library) Replacement() string {
	if strings.ContainsAny(l.Dir, " \t\"'`()[]{},") {
		return strconv.Quote(l.Dir)
	}
	return l.Dir
}

// unreleased is the version of a checkout, which go.mod replaces.
const unreleased = "v0.0.0"

var goodVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+[0-9A-Za-z.-]*$`)

// findLibrary finds the Pando that is asked for; "" is that of this program: the
// checkout that it was built from, if that is still there, else its version.
func findLibrary(dir, asked string) (library, error) {
	switch {
	case goodVersion.MatchString(asked):
		return library{Version: asked}, nil
	case asked != "":
		if !filepath.IsAbs(asked) {
			asked = filepath.Join(dir, asked)
		}
		root, err := filepath.Abs(asked)
		if err != nil {
			return library{}, err
		}
		if !isCheckout(root) {
			return library{}, fmt.Errorf("--library %s: it is neither a version such as v1.2.0, nor a folder with a checkout of Pando", asked)
		}
		return library{Version: unreleased, Dir: root}, nil
	}
	// Where this file stood when it was compiled.
	_, file, _, ok := runtime.Caller(0)
	if root := filepath.Join(filepath.Dir(file), "../.."); ok && filepath.IsAbs(file) && isCheckout(root) {
		return library{Version: unreleased, Dir: root}, nil
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == libraryModule && goodVersion.MatchString(info.Main.Version) {
		return library{Version: info.Main.Version}, nil
	}
	return library{}, errors.New("this program does not know which Pando it is of: name a checkout or a version by --library")
}

// isCheckout tells whether a folder has Pando's sources, to be worked on: the
// module cache has them, too, below a name with a version.
func isCheckout(root string) bool {
	text, err := os.ReadFile(filepath.Join(root, "go.mod")) //nolint:gosec // a folder that the caller of the program names
	return err == nil && !strings.Contains(filepath.Base(root), "@") &&
		bytes.HasPrefix(text, []byte("module "+libraryModule+"\n"))
}

// requirement is a module that a project's go.mod names.
type requirement struct {
	Path    string `json:"Path"`
	Version string `json:"Version"`
}

// requirements are those of the checkout, which the project's own are among: the
// go command needs no more of the network than it needed for the checkout.
func (l library) requirements(ctx context.Context) ([]requirement, error) {
	if l.Dir == "" {
		return nil, nil
	}
	out, err := goCommand(ctx, l.Dir, nil, "mod", "edit", "-json")
	if err != nil {
		return nil, fmt.Errorf("read the checkout: %w", err)
	}
	var mod struct {
		Require []requirement `json:"Require"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read the checkout's go.mod: %w", err)
	}
	return mod.Require, nil
}

// sums adds the checkout's list of what its modules contain.
func (l library) sums(files map[string][]byte) error {
	if l.Dir == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(l.Dir, "go.sum"))
	if err != nil {
		return fmt.Errorf("read the checkout: %w", err)
	}
	files["go.sum"] = text
	return nil
}

// resolve completes go.mod and go.sum. Of a checkout all was downloaded when it
// was built, so that no network is asked if that can be: where the modules of
// other modules' tests are missing, a go.mod that names too much will do.
func (l library) resolve(ctx context.Context, dir string) error {
	if l.Dir != "" {
		for _, args := range [][]string{{"mod", "tidy"}, {"list", "-deps", "-test", "./..."}} {
			if _, err := goCommand(ctx, dir, []string{"GOPROXY=off"}, args...); err == nil {
				return nil
			}
		}
	}
	_, err := goCommand(ctx, dir, nil, "mod", "tidy")
	return err
}

// goCommand runs the go command in a folder, whatever workspace stands above it.
func goCommand(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are this program's own
	command.Dir = dir
	command.Env = slices.Concat(os.Environ(), []string{"GOWORK=off"}, env)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, failures(errOut.String()))
	}
	return out.Bytes(), nil
}

// failures are the first lines of what the go command says that are not of its
// progress.
func failures(said string) string {
	const most = 8
	var lines []string
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "go: downloading ") && !strings.HasPrefix(line, "go: finding ") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines[:min(most, len(lines))], ""))
}
