package main

import (
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/examples/mux/api"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// asProgram is the variable that makes the test binary the program.
const asProgram = "MUX_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(servers.Main(m))
}

// demo is the program, running in this process.
type demo struct {
	url      string
	database string // a file or a URL
	db       *sql.DB
	users    *token.Store
	app      *pando.App
}

// everywhere runs a test on each database, and on PostgreSQL with Redis.
func everywhere(t *testing.T, test func(*testing.T, *demo)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newDemo(t, onFile(t))) })
	t.Run("postgresql", func(t *testing.T) {
		servers.Need(t, "postgres")
		test(t, newDemo(t, backend.Settings{Database: servers.Database(t)}))
	})
	t.Run("postgresql and redis", func(t *testing.T) {
		servers.Need(t, "postgres", "redis")
		test(t, newDemo(t, backend.Settings{
			Database: servers.Database(t), Broker: servers.SharedRedis(t).URL(), Namespace: namespace(t),
		}))
	})
}

func onFile(t *testing.T) backend.Settings {
	return backend.Settings{Database: filepath.Join(t.TempDir(), "mux.db")}
}

// namespace sets a test apart on the broker that it shares.
func namespace(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(t.Name()))
	return "t" + name[max(0, len(name)-30):] // the end is what differs
}

func newDemo(t *testing.T, settings backend.Settings) *demo {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	settings.Log = quiet
	b, err := backend.Open(t.Context(), settings, kinds()...)
	must(t, err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	users := token.New(b.DB)
	must(t, migrate(t.Context(), b, users))
	must(t, seed(t.Context(), users))
	app, err := newApp(b, users, pando.Config{Logger: quiet})
	must(t, err)
	handler := urls(app, &api.Views{DB: b.DB, Users: users, Log: quiet})
	return &demo{pandotest.ServeHandler(t, app, handler).URL, settings.Database, b.DB, users, app}
}

// token logs a user in without the work that a password takes.
func (d *demo) token(t *testing.T, username string) string { return issue(t, d.users, username) }

func issue(t *testing.T, users *token.Store, username string) string {
	t.Helper()
	user, err := users.FindUser(t.Context(), username)
	must(t, err)
	issued, err := users.Issue(t.Context(), user.ID)
	must(t, err)
	return issued
}

// another is a connection to the database that has nothing to do with the app's.
func (d *demo) another(t *testing.T) *sql.DB {
	t.Helper()
	driver, dsn := "sqlite", pandotest.DSN(d.database)
	if backend.SchemeOf(d.database) != "" {
		driver, dsn = "pgx", d.database
	}
	db, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// answer is what an endpoint says.
type answer struct {
	status int
	body   string
}

// message is the message that an endpoint answers with.
func (a answer) message(t *testing.T) api.Message {
	t.Helper()
	var m api.Message
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return m
}

// ask sends a request as the owner of a token, or as nobody.
func ask(t *testing.T, secret, method, url, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	if secret != "" {
		req.Header.Set("Authorization", "Token "+secret)
	}
	req.Close = true // a connection that is kept would outlive the test
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, string(text)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
