package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/schema"
)

// Checker is an App that tells what is wrong with it; pando.App does.
type Checker interface {
	// Check changes nothing. Faults have to be mended before the app runs, hints
	// may be.
	Check(ctx context.Context) (faults, hints []string, err error)
}

// check is the command that looks for what is wrong.
type check struct{}

// findings is what check has found.
type findings struct{ faults, hints []string }

// Run shows what is declared, then what has to be mended, then what might be. It
// changes neither the database nor a file, and fails when something has to be
// mended.
func (*check) Run(env *environment, c *commands) error {
	return env.with(c.settings(), func(p *Project) error {
		checker, ok := p.App.(Checker)
		if !ok {
			return errors.New("this app cannot be checked: set Project.App to what pando.New returned")
		}
		var found findings
		var err error
		if found.faults, found.hints, err = checker.Check(env.ctx); err != nil {
			return fmt.Errorf("check: %w", err)
		}
		manifest, err := p.App.Manifest()
		if err != nil { // Check has told why
			fmt.Fprintln(env.stdout, "The declarations are wrong; nothing else was looked at.")
			return found.report(env.stdout)
		}
		list(env.stdout, manifest)
		if err := found.addFrontend(env, p); err != nil {
			return err
		}
		return found.report(env.stdout)
	})
}

// list shows the channels and bindings, and how many tables they need.
func list(out io.Writer, m *schema.Manifest) {
	tables := 0
	for _, t := range m.Registry.Tables {
		if !strings.HasPrefix(t.Name, "pando_") { // those are Pando's own
			tables++
		}
	}
	declared := counted(len(m.Channels), "channel")
	if n := len(m.Bindings); n > 0 {
		declared += " and " + counted(n, "binding")
	}
	fmt.Fprintf(out, "%s over %s\n", declared, counted(tables, "table"))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range m.Channels {
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Route)
	}
	for _, b := range m.Bindings {
		fmt.Fprintf(table, "  %s\tbinding of %s\n", b.Stream, b.Model)
	}
	table.Flush() //nolint:errcheck // what is said to a terminal or a closed pipe
}

// addFrontend compares the generated files with what would be generated.
func (f *findings) addFrontend(env *environment, p *Project) error {
	if p.Frontend == "" {
		return nil
	}
	if _, err := os.Stat(p.Frontend); errors.Is(err, os.ErrNotExist) {
		f.hints = append(f.hints, fmt.Sprintf("the generated files were not looked at: there is no folder %s here; makefrontend makes it", p.Frontend))
		return nil
	}
	files, err := generate(env, p.App)
	if err != nil {
		return fmt.Errorf("check %s: %w", p.Frontend, err)
	}
	changed, err := gen.Sync(p.Frontend, files, gen.Mode{Check: true, Quiet: true}, io.Discard)
	switch {
	case err != nil: // a file that makefrontend would not write
		f.faults = append(f.faults, texts(err)...)
	case changed:
		f.faults = append(f.faults, fmt.Sprintf("the files in %s are out of date: run makefrontend", p.Frontend))
	}
	return nil
}

// texts takes errors that were joined apart.
func texts(err error) (all []string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, texts(e)...)
	}
	return all
}

func (f *findings) report(out io.Writer) error {
	section := func(title string, texts []string) {
		if len(texts) == 0 {
			return
		}
		fmt.Fprintf(out, "\n%s:\n", title)
		for _, text := range texts {
			fmt.Fprintf(out, "  - %s\n", text)
		}
	}
	section("To be mended", f.faults)
	section("Hints", f.hints)
	if n := len(f.faults); n > 0 {
		return fmt.Errorf("%s to be mended", counted(n, "fault"))
	}
	fmt.Fprintln(out, "\nNothing has to be mended.")
	return nil
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
