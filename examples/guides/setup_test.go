package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"net/http"
	"os/exec"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/guidetest"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

const guides = "../../docs/guides/"

// TestGuides finds what the guides quote in what is compiled and tested here.
func TestGuides(t *testing.T) {
	files := map[string][]string{
		"go":  {"*.go", "../mux/settings.go"},
		"sql": {"*.sql"},
		"ts":  {"frontend/*.ts", "frontend/live/*.ts"},
		"tsx": {"frontend/*.tsx"},
		"sh":  {"commands.sh"},

		"js": {"../mux/management/static/scripts/*.js"}, "text": {"testdata/*.txt"},
	}
	for _, name := range []string{
		"actions", "authentication", "caching", "channel-layers", "generated-code", "groups", "operations", "postgresql", "runtime",
		"schema-changes", "streams-and-bindings", "tanstack-query", "testing", "writes",
	} {
		t.Run(name, func(t *testing.T) { guidetest.Quotes(t, guides+name+".md", files) })
	}
}

// TestGenerated says so when the TypeScript is older than the structs.
func TestGenerated(t *testing.T) {
	guidetest.Generated(t, newShop(t).app, "frontend/live")
}

// TestCommands runs what a guide has its reader type.
func TestCommands(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "sh", "-e", "commands.sh").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

//go:embed testdata/rows.sql
var rows string

// byID takes the user's id for a token.
type byID struct{}

// Authenticate implements pando.Authenticator.
func (byID) Authenticate(_ context.Context, _ *http.Request, id string) (pando.Identity, error) {
	if id == "" {
		return pando.Identity{}, token.ErrNone
	}
	return pando.Identity{ID: id}, nil
}

// bank charges until it is closed.
type bank struct {
	charged atomic.Int64
	closed  atomic.Bool
}

// Charge implements Bank.
func (b *bank) Charge(context.Context, int64) error {
	if b.closed.Load() {
		return errors.New("after hours")
	}
	b.charged.Add(1)
	return nil
}

// shop is the guides' app over a database with a few rows.
type shop struct {
	db   *sql.DB
	app  *pando.App
	bank *bank
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{db: pandotest.Database(t), bank: &bank{}}
	if err := migrate(t.Context(), s.db, token.New(s.db)); err != nil {
		t.Fatal(err)
	}
	s.exec(t, rows)
	source := sqlitefeed.New(s.db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: byID{}})
	if err != nil {
		t.Fatal(err)
	}
	declare(app, s.db, s.bank)
	s.app = app
	return s
}

func (s *shop) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless err is an error of the code, about the field if
// one is given.
func refused(t *testing.T, err error, code string, field ...string) {
	t.Helper()
	coded, ok := errors.AsType[*pando.Error](err)
	if !ok || coded.Code != code {
		t.Fatalf("got %v, want the code %q", err, code)
	}
	for _, name := range field {
		if coded.Fields[name] == "" {
			t.Errorf("fields are %v, want one of %s", coded.Fields, name)
		}
	}
}

// waitRuntime waits until ok agrees with a stream's runtime state.
func waitRuntime[S, R any](t *testing.T, s *pandotest.Stream[S], what string, ok func(r R) bool) R {
	t.Helper()
	changed := make(chan struct{}, 1)
	s.Observe(func(uint64, []byte) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	for {
		var r R
		if err := s.Runtime(&r); err != nil {
			t.Fatal(err)
		}
		if ok(r) {
			return r
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%s did not come about, but %+v", what, r)
		}
	}
}
