package state_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/examples/state"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/guidetest"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

const guide = "../../docs/guides/state.md"

// TestGuide runs the guide from its beginning to its end over one database: Go
// and TypeScript have to stand in this folder, SQL is executed, and the states
// that follow have to be those that a client holds.
func TestGuide(t *testing.T) {
	r := newRunner(t)
	for _, b := range guidetest.Blocks(t, guide) {
		ok := t.Run(b.Name(), func(t *testing.T) {
			switch b.Lang {
			case "go":
				b.Compiled(t, "*.go")
			case "tsx":
				b.Compiled(t, "frontend/*.tsx")
			case "sql":
				if _, err := r.db.ExecContext(t.Context(), b.Text); err != nil {
					t.Fatal(err)
				}
			case "jsonc":
				r.shows(t, b.Text)
			default:
				t.Errorf("a block of %q: its text is held against nothing", b.Lang)
			}
		})
		if !ok && b.Lang != "go" && b.Lang != "tsx" {
			return // what follows builds on it
		}
	}
	guidetest.Links(t, guide)
	t.Run("indexes", r.indexed)
}

// TestGenerated says so when the TypeScript is older than the structs.
func TestGenerated(t *testing.T) {
	app, _ := newApp(t, pandotest.Database(t))
	guidetest.Generated(t, app, "frontend/live")
}

// user is the only authenticator that a guide can have: the token is the id.
type user struct{}

// Authenticate implements pando.Authenticator.
func (user) Authenticate(_ context.Context, _ *http.Request, id string) (pando.Identity, error) {
	if id == "" {
		return pando.Identity{}, token.ErrNone
	}
	return pando.Identity{ID: id, Value: "10" + id}, nil // and the tenant after it
}

// runner has an app with the guide's channels, and the streams that the guide
// has opened so far.
type runner struct {
	app      *pando.App
	db       *sql.DB
	source   *sqlitefeed.Source
	manifest *schema.Manifest
	server   *pandotest.Server
	clients  map[string]*pandotest.Client
	streams  map[string]*stream
	outer    *testing.T // streams outlive the block that opens them
}

type stream struct {
	*pandotest.Stream[json.RawMessage]

	// changed has an element when there may be another state.
	changed chan struct{}
}

func newApp(t *testing.T, db *sql.DB) (*pando.App, *sqlitefeed.Source) {
	t.Helper()
	source := sqlitefeed.New(db)
	app, err := pando.New(pando.Config{Source: source, Auth: user{}})
	if err != nil {
		t.Fatal(err)
	}
	state.Register(app, db)
	return app, source
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	db := pandotest.Database(t)
	if _, err := db.ExecContext(t.Context(), read(t, "tables.sql")); err != nil {
		t.Fatal(err)
	}
	app, source := newApp(t, db)
	m, err := app.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return &runner{app, db, source, m, pandotest.Serve(t, app), map[string]*pandotest.Client{}, map[string]*stream{}, t}
}

// indexed finds links by which the guide's tables are read without an index.
func (r *runner) indexed(t *testing.T) {
	hints, err := r.source.Hints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, hint := range hints {
		t.Error(hint)
	}
}

// header is the first line of a state in the guide:
//
//	// ROUTE[, as user ID][, after actions.NAME(ARGS)][: CODE]
//
// A stream is opened where the guide names it first, and followed from then on.
var header = regexp.MustCompile(`^// (\S+?)(?:, as user (\d+))?(?:, after actions\.(\w+)\((.*)\))?(?:: (\w+))?$`)

func (r *runner) shows(t *testing.T, text string) {
	t.Helper()
	first, want, _ := strings.Cut(text, "\n")
	h := header.FindStringSubmatch(first)
	if h == nil {
		t.Fatalf("want // ROUTE[, as user ID][, after actions.NAME(ARGS)][: CODE], got %s", first)
	}
	route, id, action, args, code := h[1], h[2], h[3], h[4], h[5]
	if id == "" {
		id = "1"
	}
	if code != "" {
		r.refuses(t, route, id, code)
		return
	}
	s := r.open(t, route, id)
	if action != "" {
		var list []any
		if err := json.Unmarshal([]byte("["+args+"]"), &list); err != nil {
			t.Fatal(err)
		}
		s.Call(t, nil, action, list...)
	}
	want = compact(t, want)
	s.until(t, want)
	if action == "" {
		if got := r.get(t, route, id); got != want {
			t.Errorf("GET /state/%s has\n%s\nwant\n%s", route, got, want)
		}
	}
}

// open returns the stream of a user, which is opened by the first call.
func (r *runner) open(t *testing.T, route, id string) *stream {
	t.Helper()
	if s := r.streams[route+" "+id]; s != nil {
		return s
	}
	if r.clients[id] == nil {
		r.clients[id] = r.server.Connect(r.outer, id)
	}
	s := &stream{pandotest.NewTreeStream(r.clients[id], route, r.tree(t, route)), make(chan struct{}, 1)}
	s.Observe(func(uint64, []byte) {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	})
	if err := s.Resume(t.Context()); err != nil {
		t.Fatalf("open %s: %v", route, err)
	}
	r.streams[route+" "+id] = s
	return s
}

// tree is that of the channel whose route begins as this one does.
func (r *runner) tree(t *testing.T, route string) *schema.Tree {
	t.Helper()
	name, _, _ := strings.Cut(route, "/")
	for _, c := range r.manifest.Channels {
		if first, _, _ := strings.Cut(c.Route, "/"); first == name {
			return c.Tree
		}
	}
	t.Fatalf("no channel has the route %s", route)
	return nil
}

// until waits until the state is as it should be.
func (s *stream) until(t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for string(s.JSON()) != want {
		select {
		case <-s.changed:
		case <-ctx.Done():
			t.Fatalf("the state is\n%s\nwant\n%s", s.JSON(), want)
		}
	}
}

// refuses finds that a route cannot be opened, after the server has closed the
// stream that was open.
func (r *runner) refuses(t *testing.T, route, id, code string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := r.streams[route+" "+id]
	if s == nil {
		if r.clients[id] == nil {
			r.clients[id] = r.server.Connect(r.outer, id)
		}
		s = &stream{Stream: pandotest.NewTreeStream(r.clients[id], route, r.tree(t, route))}
	} else {
		for codeOf(s.Try(ctx, nil, "none")) == "unknown_action" {
			if ctx.Err() != nil {
				t.Fatal("the stream is still open")
			}
		}
	}
	if got := codeOf(s.Resume(ctx)); got != code {
		t.Errorf("open %s: code %q, want %q", route, got, code)
	}
}

func codeOf(err error) string {
	if coded, ok := errors.AsType[*pando.Error](err); ok {
		return coded.Code
	}
	return fmt.Sprint(err)
}

// get reads the state by HTTP. One that is not there is null to a stream.
func (r *runner) get(t *testing.T, route, id string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/state/"+route, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusNotFound {
		return "null"
	}
	return compact(t, string(text))
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return b.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
