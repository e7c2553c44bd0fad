package manage

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/token"
)

// store opens the tokens that the commands work on.
func (b *bench) store() *token.Store {
	b.t.Helper()
	db, err := sql.Open("sqlite", b.db)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { db.Close() })
	return token.New(db)
}

// issue runs createtoken for ada and returns what it prints.
func (b *bench) issue(args ...string) string {
	b.t.Helper()
	got := b.run("", append([]string{"createtoken", "ada"}, args...)...)
	if got.code != 0 || got.errOut != "" || strings.Count(got.out, "\n") != 1 {
		b.t.Fatalf("%+v", got)
	}
	return strings.TrimSpace(got.out)
}

func TestCreatetoken(t *testing.T) {
	b := newBench(t)
	b.run("lovelace\n", "createuser", "ada", "--password-stdin")
	store := b.store()
	for _, c := range []struct {
		args []string
		want time.Duration
	}{
		{nil, token.DefaultLifetime},
		{[]string{"--lifetime", "1h"}, time.Hour},
		{[]string{"--lifetime=0"}, 0},
	} {
		identity, err := store.Authenticate(t.Context(), nil, b.issue(c.args...))
		if err != nil || identity.ID != "1" {
			t.Fatalf("%q: identity is %+v, %v", c.args, identity, err)
		}
		left := time.Until(identity.Expires)
		if c.want == 0 && !identity.Expires.IsZero() || c.want > 0 && (left > c.want || left < c.want-time.Minute) {
			t.Errorf("%q: it expires at %v", c.args, identity.Expires)
		}
	}
}

func TestRevoketoken(t *testing.T) {
	b := newBench(t)
	b.run("lovelace\n", "createuser", "ada", "--password-stdin")
	store := b.store()
	tokens := []string{b.issue(), b.issue(), b.issue()}
	good := func() (n int) {
		for _, tok := range tokens {
			if _, err := store.Authenticate(t.Context(), nil, tok); err == nil {
				n++
			}
		}
		return n
	}
	for range 2 { // the second time it is unknown
		if got := b.run("", "revoketoken", tokens[1]); got != (outcome{}) || good() != 2 {
			t.Errorf("%+v; %d are good", got, good())
		}
	}
	if got := b.run("", "revoketoken", "--user", "ada"); got != (outcome{}) || good() != 0 {
		t.Errorf("%+v; %d are good", got, good())
	}
}

func TestTokenCommandsRefuse(t *testing.T) {
	b := newBench(t)
	b.run("lovelace\n", "createuser", "ada", "--password-stdin")
	for want, args := range map[string][]string{
		"board: give either a token or --user\n":           {"revoketoken"},
		"board: give either a token or --user":             {"revoketoken", "x", "--user", "ada"},
		`board: find user "eve": unknown user`:             {"revoketoken", "--user", "eve"},
		`board: find user "eve": unknown user` + "\n":      {"createtoken", "eve"},
		"board: a token cannot last for -1h0m0s: give a":   {"createtoken", "ada", "--lifetime=-1h"},
		"board: a token cannot last for 1ms: give a secon": {"createtoken", "ada", "--lifetime=1ms"},
		"board: --lifetime: ":                              {"createtoken", "ada", "--lifetime", "long"},
	} {
		if got := b.run("", args...); got.code != 1 || got.out != "" || !strings.HasPrefix(got.errOut, want) {
			t.Errorf("%q: %+v, want %s…", args, got, want)
		}
	}
	b.change = func(p *Project) { p.Users = nil }
	b.wantOutcome(b.run("", "createtoken", "ada"), 1, "set Project.Users to a token.Store")
}
