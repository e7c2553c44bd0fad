package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Comment struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author *User  `json:"author"`
}

type Card struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Position float64   `json:"-"`
	Done     bool      `json:"done"`
	Assignee *User     `json:"assignee"`
	Comments []Comment `json:"comments"`
}

type List struct {
	ID       int64   `json:"id"`
	Name     string  `json:"name"`
	Position float64 `json:"-"`
	Cards    []Card  `json:"cards" pando:"order:position"`
}

type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *User  `json:"owner"`
	Lists []List `json:"lists" pando:"order:position"`
}

const tables = `
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE boards (id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner_id INTEGER);
CREATE TABLE lists (id INTEGER PRIMARY KEY, board_id INTEGER, name TEXT NOT NULL, position REAL NOT NULL);
CREATE TABLE cards (id INTEGER PRIMARY KEY, list_id INTEGER, title TEXT NOT NULL, position REAL NOT NULL,
	assignee_id INTEGER, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE comments (id INTEGER PRIMARY KEY, card_id INTEGER, author_id INTEGER, body TEXT NOT NULL);
CREATE INDEX lists_board ON lists(board_id);
CREATE INDEX cards_list ON cards(list_id);
CREATE INDEX comments_card ON comments(card_id);
INSERT INTO users VALUES (1, 'ada'), (2, 'grace');
INSERT INTO boards VALUES (1, 'Groceries', 1), (2, 'Secret', 2);
INSERT INTO lists VALUES (1, 1, 'Todo', 1), (2, 1, 'Done', 2), (3, 2, 'Hidden', 1);
INSERT INTO cards VALUES (1, 1, 'Milk', 1, 2, 0), (2, 1, 'Eggs', 2, NULL, 0), (3, 3, 'Plan', 1, 1, 0);
INSERT INTO comments VALUES (1, 1, 1, 'Two litres'), (2, 3, 2, 'Nobody knows');
`

type Runtime struct {
	Calls int `json:"calls"`
}

type BoardChannel struct {
	pando.Channel[Board, Runtime]

	db *sql.DB
}

func (c *BoardChannel) HasPermission(context.Context) (bool, error) {
	return c.Args().Int("board_id") != 2 || c.User().ID == "grace", nil
}

func (c *BoardChannel) Rename(ctx context.Context, name string) error {
	if name == "" {
		return pando.Errorf("invalid", "a board needs a name")
	}
	_, err := c.db.ExecContext(ctx, "UPDATE boards SET name = ? WHERE id = ?", name, c.Args().Int("board_id"))
	return err
}

func (c *BoardChannel) Count(_ context.Context, by int) (int, error) {
	err := c.SetRuntime(func(r *Runtime) { r.Calls += by })
	return c.Runtime().Calls, err
}

func (c *BoardChannel) Panic(context.Context) error { panic("at the disco") }

func (c *BoardChannel) Fail(context.Context) error { return errors.New("the disk is on fire") }

// names is an Authenticator for whom every token is a user's id.
type names struct{}

func (names) Authenticate(_ context.Context, _ *http.Request, tok string) (pando.Identity, error) {
	switch tok {
	case "":
		return pando.Identity{}, token.ErrNone
	case "wrong":
		return pando.Identity{}, token.ErrInvalid
	}
	return pando.Identity{ID: tok}, nil
}

func newApp(t testing.TB, db *sql.DB) *pando.App {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} },
		pando.Actions((*BoardChannel).Rename, (*BoardChannel).Count, (*BoardChannel).Panic, (*BoardChannel).Fail)))
	return app
}

func serve(t testing.TB) (*pandotest.Server, *sql.DB) {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, tables)
	return pandotest.Serve(t, newApp(t, db)), db
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestChangesReachEveryClient(t *testing.T) {
	server, db := serve(t)
	ada := pandotest.Open[Board](t, server.Connect(t, "ada"), "boards/1")
	grace := pandotest.Open[Board](t, server.Connect(t, "grace"), "boards/1")
	if got := ada.State().Lists[0].Cards[0].Comments[0].Author.Name; got != "ada" {
		t.Fatalf("the author is %q", got)
	}

	ada.Call(t, nil, "rename", "Shopping")
	if got := ada.State().Name; got != "Shopping" {
		t.Fatalf("after the call returned the name is %q", got)
	}
	grace.Wait(t, "the new name", func(b *Board) bool { return b.Name == "Shopping" })

	exec(t, db, "UPDATE cards SET list_id = 2 WHERE id = 1")
	for _, s := range []*pandotest.Stream[Board]{ada, grace} {
		s.Wait(t, "the moved card with its comment", func(b *Board) bool {
			return len(b.Lists[0].Cards) == 1 && len(b.Lists[1].Cards) == 1 && len(b.Lists[1].Cards[0].Comments) == 1
		})
	}
	exec(t, db, "UPDATE cards SET list_id = 1, position = 0 WHERE id = 3")
	ada.Wait(t, "the card from another board with what is below", func(b *Board) bool {
		c := b.Lists[0].Cards
		return len(c) == 2 && c[0].Title == "Plan" && len(c[0].Comments) == 1 && c[0].Comments[0].Author.Name == "grace"
	})
	exec(t, db, "DELETE FROM boards WHERE id = 1")
	if err := waitGone(t, ada); err != nil {
		t.Fatal(err)
	}
}

func waitGone(t *testing.T, s *pandotest.Stream[Board]) error {
	t.Helper()
	gone := make(chan struct{}, 1)
	s.Observe(func(_ uint64, state []byte) {
		if string(state) == "null" {
			select {
			case gone <- struct{}{}:
			default:
			}
		}
	})
	if s.State() == nil {
		return nil
	}
	select {
	case <-gone:
		return nil
	case <-t.Context().Done():
		return fmt.Errorf("the board is still there: %s", s.JSON())
	}
}

// remote is a broker that is far away.
type remote struct {
	broker.Broker

	asked, answer chan struct{}
}

func (r remote) NewChannel(ctx context.Context, prefix string) (string, error) {
	close(r.asked)
	<-r.answer
	return r.Broker.NewChannel(ctx, prefix)
}

// TestNobodyIsServedBeforeTheBrokerIs keeps the broker from answering: whose
// stream was opened meanwhile could join no group.
func TestNobodyIsServedBeforeTheBrokerIs(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	near, err := membroker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far := remote{near, make(chan struct{}), make(chan struct{})}
	app, err := pando.New(pando.Config{Source: source, Broker: far})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-far.asked
	for _, path := range []string{"/ws", "/state/boards/1", "/healthz"} {
		answer := httptest.NewRecorder()
		app.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("GET %s: %d %s, want 503", path, answer.Code, answer.Body)
		}
	}
	close(far.answer)
	<-app.Ready()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// away is a broker that cannot be reached at first.
type away struct {
	broker.Broker

	refusals atomic.Int32
}

func (a *away) NewChannel(ctx context.Context, prefix string) (string, error) {
	if a.refusals.Add(-1) >= 0 {
		return "", errors.New("the connection is lost")
	}
	return a.Broker.NewChannel(ctx, prefix)
}

// TestABrokerThatIsAwayIsWaitedFor starts an app before its broker.
func TestABrokerThatIsAwayIsWaitedFor(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	near, err := membroker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far := &away{Broker: near}
	far.refusals.Store(2)
	var told logs
	app, err := pando.New(pando.Config{Source: source, Broker: far, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-app.Ready()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := told.count("the connection is lost"); n != 2 {
		t.Errorf("told %d times", n)
	}
}
