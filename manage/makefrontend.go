package manage

import (
	"errors"
	"fmt"

	"github.com/pando-sync/pando/gen"
)

// makefrontend is the command that writes the TypeScript of the app's channels.
type makefrontend struct {
	Out    string `help:"Folder to write to, instead of the app's own." placeholder:"DIR"`
	DryRun bool   `help:"Show what would change and write nothing."`
	Check  bool   `help:"Like --dry-run, and fail when something would change."`
	Quiet  bool   `help:"Show no differences." short:"q"`
	Force  bool   `help:"Write all files anew, also those that were edited by hand."`
}

// Run compares the generated files with those in the folder and writes those
// that differ. It needs the go command for comments and parameter names, and
// touches no database.
func (m *makefrontend) Run(env *environment, c *commands) error {
	return env.with(c.settings(), func(p *Project) error {
		dir := m.Out
		if dir == "" {
			dir = p.Frontend
		}
		if dir == "" {
			return errors.New("no folder to write to: give --out, or set Project.Frontend")
		}
		files, err := generate(env, p.App)
		if err != nil {
			return err
		}
		mode := gen.Mode{DryRun: m.DryRun, Check: m.Check, Quiet: m.Quiet, Force: m.Force}
		changed, err := gen.Sync(dir, files, mode, env.stdout)
		if err != nil {
			return err
		}
		if m.Check && changed {
			return fmt.Errorf("the files in %s are out of date: run makefrontend", dir)
		}
		m.report(env, dir, changed)
		return nil
	})
}

func generate(env *environment, app App) ([]gen.File, error) {
	manifest, err := app.Manifest()
	if err != nil {
		return nil, err
	}
	docs, err := gen.LoadDocs(env.ctx, ".", manifest)
	if err != nil {
		return nil, err
	}
	return gen.Generate(manifest, docs)
}

func (m *makefrontend) report(env *environment, dir string, changed bool) {
	switch {
	case m.Quiet:
	case !changed:
		fmt.Fprintf(env.stdout, "%s is up to date\n", dir)
	case !m.DryRun:
		fmt.Fprintf(env.stdout, "%s is up to date now\n", dir)
	}
}
