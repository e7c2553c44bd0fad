// Command mutants proves that the simulation would find mistakes: it builds the
// simulation with one deliberate fault after the other in the library, and
// plays seeds until the fault is found. A fault that no seed finds fails the
// run. A few are of schedules that are too rare there: tests that are named must
// find those.
//
//	go run ./mutants                     all of them
//	go run ./mutants -only=silence       some, by names with commas between them
//	go run ./mutants -notes=FILE         all that the file does not have as found
//
// The faults are in faults.txt. They are put in by go build's -overlay: no file
// of the library is touched.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// options are the command line.
type options struct {
	root  string
	only  string
	seeds uint64
	from  uint64
	// notes is a file of those that were found, "" for none.
	notes string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.StringVar(&o.root, "root", "..", "the library's folder")
	flag.StringVar(&o.only, "only", "", "the names of the faults to try, with commas between them; all unless set")
	flag.Uint64Var(&o.seeds, "seeds", 600, "how many seeds a fault may survive where it names no number")
	flag.Uint64Var(&o.from, "from", 1, "the first seed")
	flag.StringVar(&o.notes, "notes", "", "a file where it is noted which were found: those are not tried again")
	flag.Parse()
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries the faults and writes what found each.
func run(ctx context.Context, o options, out io.Writer) error {
	faults, err := readFaults(faultsText)
	if err != nil {
		return err
	}
	if o.only != "" {
		names := strings.Split(o.only, ",")
		faults = slices.DeleteFunc(faults, func(f fault) bool { return !slices.Contains(names, f.name) })
		if len(faults) != len(names) {
			return fmt.Errorf("not all of %q are names of faults", names)
		}
	}
	folder, err := os.MkdirTemp("", "pando-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	l := &laboratory{options: o, folder: folder, sound: filepath.Join(folder, "sound")}
	if err := l.build(ctx, l.sound, ""); err != nil {
		return err
	}
	known, err := readNotes(o.notes)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var survived []string
	for i := range faults {
		if line, ok := known[faults[i].name]; ok {
			fmt.Fprintln(table, line)
			continue
		}
		start := time.Now()
		found, err := l.try(ctx, &faults[i])
		if err != nil {
			return err
		}
		if found.by == "" {
			survived = append(survived, faults[i].name)
			found.by = survivor
		}
		line := fmt.Sprintf("%s\t%d seeds\t%.0f s\t%s", faults[i].name, found.seeds, time.Since(start).Seconds(), found.by)
		fmt.Fprintln(table, line)
		if err := errors.Join(table.Flush(), note(o.notes, line, found.by != survivor)); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "mutants: %d faults, %d found\n", len(faults), len(faults)-len(survived))
	if len(survived) > 0 {
		return fmt.Errorf("these faults were not found: %s", strings.Join(survived, ", "))
	}
	return nil
}

// survivor is what is said to have found a fault that was not.
const survivor = "SURVIVED"

// laboratory builds and plays.
type laboratory struct {
	options

	folder string
	// sound is the simulation without a fault.
	sound string
}

// finding is what found a fault, empty when nothing did, and after how many
// seeds.
type finding struct {
	by    string
	seeds uint64
}

// build makes the simulation, with an overlay unless that is empty.
func (l *laboratory) build(ctx context.Context, program, overlay string) error {
	args := []string{"build", "-o", program}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./sim")...) //nolint:gosec // our own
	cmd.Dir = filepath.Join(l.root, "test")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not build: %w\n%s", filepath.Base(program), err, text)
	}
	return nil
}

// try builds the simulation with a fault and plays seeds until it is found, and
// has tests find it.
func (l *laboratory) try(ctx context.Context, f *fault) (finding, error) {
	overlay, err := l.overlay(f)
	if err != nil {
		return finding{}, err
	}
	for _, s := range f.tests {
		by, err := l.test(ctx, s, overlay)
		if err != nil || by != "" {
			return finding{by: by}, err
		}
	}
	if f.plays == nil {
		return finding{}, nil
	}
	program := filepath.Join(l.folder, f.name)
	if err := l.build(ctx, program, overlay); err != nil {
		return finding{}, err
	}
	defer os.Remove(program)
	var all finding
	for _, p := range f.plays {
		if p.seeds == 0 {
			p.seeds = l.seeds
		}
		found, err := l.search(ctx, program, p)
		all = finding{found.by, all.seeds + found.seeds}
		if err != nil || found.by != "" {
			return all, err
		}
	}
	return all, nil
}

// search plays seeds until a fault is found.
func (l *laboratory) search(ctx context.Context, program string, p play) (finding, error) {
	played := uint64(0)
	for from := l.from; from < l.from+p.seeds; {
		seed, by, err := l.play(ctx, program, p.flags, from, l.from+p.seeds-from)
		if err != nil {
			return finding{}, err
		}
		if by == "" {
			return finding{seeds: p.seeds}, nil
		}
		played += seed - from + 1
		// What the sound library does not pass either proves nothing.
		sound, err := l.passes(ctx, p.flags, seed)
		if err != nil || sound {
			return finding{by, played}, err
		}
		from = seed + 1
	}
	return finding{seeds: p.seeds}, nil
}

// passes tells whether the library without a fault passes a seed.
func (l *laboratory) passes(ctx context.Context, flags []string, seed uint64) (bool, error) {
	for range 3 {
		if _, by, err := l.play(ctx, l.sound, flags, seed, 1); err != nil || by != "" {
			return false, err
		}
	}
	return true, nil
}

// failedTest is how go test tells of a test that failed.
var failedTest = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

// test has tests find a fault, and returns the first that did. They must pass
// without it.
func (l *laboratory) test(ctx context.Context, s suite, overlay string) (by string, err error) {
	run := func(more ...string) ([]byte, error) {
		args := append([]string{"test", "-count=1", "-failfast", "-timeout=2m", "-run", "^(" + s.pattern + ")$"}, more...)
		cmd := exec.CommandContext(ctx, "go", append(args, s.folder)...) //nolint:gosec // faults.txt names it
		cmd.Dir = l.root
		return cmd.CombinedOutput()
	}
	text, err := run()
	if err != nil || bytes.Contains(text, []byte("no tests to run")) {
		return "", fmt.Errorf("%s of %s: do not pass without a fault: %w\n%s", s.pattern, s.folder, err, text)
	}
	text, err = run("-overlay", overlay)
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		return "", err
	}
	if found := failedTest.FindSubmatch(text); found != nil {
		return s.folder + " " + string(found[1]), nil
	}
	if at := bytes.Index(text, []byte("panic: ")); at >= 0 {
		line, _, _ := strings.Cut(string(text[at:]), "\n")
		return s.folder + " " + short(line), nil
	}
	return "", fmt.Errorf("%s of %s: %w\n%s", s.pattern, s.folder, err, text)
}

// overlay writes the file with the fault, and what tells go build of it.
func (l *laboratory) overlay(f *fault) (string, error) {
	path, err := filepath.Abs(filepath.Join(l.root, f.file))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path) //nolint:gosec // faults.txt names it
	if err != nil {
		return "", fmt.Errorf("fault %s has rotted: %w", f.name, err)
	}
	changed, err := f.apply(string(text))
	if err != nil {
		return "", err
	}
	file, overlay := filepath.Join(l.folder, f.name+".go"), filepath.Join(l.folder, f.name+".json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: file}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(
		os.WriteFile(file, []byte(changed), 0o600), //nolint:gosec // a temporary folder
		os.WriteFile(overlay, replace, 0o600),
	)
}

// seedLine is how the simulation tells of a seed that diverged.
var seedLine = regexp.MustCompile(`(?m)^seed ([0-9]+): (.*)$`)

// play plays seeds and returns the first that found something, and what.
func (*laboratory) play(ctx context.Context, program string, flags []string, from, seeds uint64) (seed uint64, by string, err error) {
	patience := "-patience=4s"
	if len(flags) > 0 {
		patience = "-patience=10s" // servers are started again, and found
	}
	cmd := exec.CommandContext(ctx, program, append([]string{ //nolint:gosec // built above
		"-shrink=0", "-parallel=2", patience, fmt.Sprintf("-from=%d", from), fmt.Sprintf("-seeds=%d", seeds), "-events=false",
	}, flags...)...)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	failed := cmd.Run()
	if ctx.Err() != nil {
		return 0, "", ctx.Err()
	}
	if found := seedLine.FindStringSubmatch(out.String()); found != nil {
		seed, err = strconv.ParseUint(found[1], 10, 64)
		return seed, short(found[2]), err
	}
	if at := strings.Index(fault.String(), "panic: "); at >= 0 {
		line, _, _ := strings.Cut(fault.String()[at:], "\n")
		return from, short(line), nil
	}
	return 0, "", failed
}

// short is a finding as it fits into a table.
func short(by string) string {
	runes := []rune(by)
	return string(runes[:min(len(runes), 110)])
}
