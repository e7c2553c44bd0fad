package manage

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{{"--help"}, {"runserver", "--help"}} {
		got := b.run("", args...)
		if got.code != 0 || !strings.Contains(got.out, "PANDO_DB") || got.errOut != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
	b.wantSteps()
}

func TestUsageErrors(t *testing.T) {
	b := newBench(t)
	for want, args := range map[string][]string{
		"board: expected one of":            {},
		"board: unexpected argument fly":    {"fly"},
		"board: unknown flag --fast":        {"migrate", "--fast"},
		`board: expected "<username>"`:      {"createuser"},
		"board: unknown flag --password":    {"createuser", "ada", "--password", "x"},
		"board: unexpected argument secret": {"createuser", "ada", "secret"},
	} {
		got := b.run("", args...)
		if got.code != 1 || !strings.HasPrefix(got.errOut, want) || !strings.HasSuffix(got.errOut, "(--help shows what there is)\n") {
			t.Errorf("%q: %+v, want %s…", args, got, want)
		}
	}
	b.wantSteps()
}

func TestMigrate(t *testing.T) {
	b := newBench(t)
	if got := b.run("", "migrate"); got != (outcome{}) {
		t.Errorf("%+v", got)
	}
	b.wantSteps("migrate", "setup", "close")
}

func TestErrorsOfTheProject(t *testing.T) {
	failing := errors.New("disk is full")
	for want, change := range map[string]func(*Project){
		"board: migrate: disk is full\n": func(p *Project) { p.Migrate = func(context.Context) error { return failing } },
		"board: close: disk is full\n": func(p *Project) {
			closeDB := p.Close
			p.Close = func() error { return errors.Join(closeDB(), failing) }
		},
		"board: open: Project.App is not set: return the app that pando.New made\n": func(p *Project) { p.App = nil },
	} {
		b := newBench(t)
		b.change = change
		if got := b.run("", "migrate"); got != (outcome{1, "", want}) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestDatabaseOfTheEnvironment(t *testing.T) {
	b := newBench(t)
	other := b.db + "2"
	t.Setenv("PANDO_DB", other)
	b.run("", "migrate")
	if b.settings.DB != other {
		t.Errorf("PANDO_DB: the app was opened with %s", b.settings.DB)
	}
	b.run("", "migrate", "--db", b.db)
	if b.settings.DB != b.db {
		t.Errorf("--db: the app was opened with %s", b.settings.DB)
	}
	if got := defaultDB(Config{Name: "board"}); got != "board.db" {
		t.Errorf("the default is %s", got)
	}
}
