package pando_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// OpenDoc may be opened by everybody who is known.
type OpenDoc struct {
	pando.Channel[Doc, pando.NoRuntime]
}

func (*OpenDoc) HasPermission(context.Context) (bool, error) { return true, nil }

// library is an app of docs for those who have a token.
type library struct {
	t      *testing.T
	db     *sql.DB
	users  *token.Store
	server *pandotest.Server
	ada    string // a token
}

func openLibrary(t *testing.T) *library {
	t.Helper()
	l := &library{t: t, db: pandotest.Database(t)}
	exec(t, l.db, docs)
	l.users = token.New(l.db)
	if err := l.users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.users.CreateUser(t.Context(), "ada", "lovelace", "Ada"); err != nil {
		t.Fatal(err)
	}
	l.ada = l.token()
	source := sqlitefeed.New(l.db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: l.users})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	l.server = pandotest.Serve(t, app)
	return l
}

func (l *library) token() string {
	l.t.Helper()
	tok, err := l.users.Issue(l.t.Context(), 1)
	if err != nil {
		l.t.Fatal(err)
	}
	return tok
}

// dial opens a doc by a token in the connect frame, or in the header.
func (l *library) dial(tok string, inHeader bool) *reader {
	l.t.Helper()
	r := &reader{}
	if inHeader {
		r.socket = dial(l.t, l.server, http.Header{"Authorization": {"Token " + tok}})
		r.connect("")
	} else {
		r.socket = dial(l.t, l.server, nil)
		r.connect(tok)
	}
	r.open("s1", "1")
	r.until(`"snapshot"`)
	return r
}

// ends reads to the end of a connection, on which no secret may come.
func (r *reader) ends(code int) {
	r.t.Helper()
	r.until(fmt.Sprintf("close %d", code))
	if strings.Contains(r.got.String(), "SECRET") {
		r.t.Errorf("a secret was sent:\n%s", r.got.String())
	}
}

func TestARevokedTokenEndsItsConnections(t *testing.T) {
	for name, revoke := range map[string]string{
		"the token is deleted":   "DELETE FROM auth_tokens WHERE hash = (SELECT hash FROM auth_tokens ORDER BY rowid LIMIT 1)",
		"it is written over":     "UPDATE auth_tokens SET expires_at = 1 WHERE rowid = 1",
		"the user may no longer": "UPDATE users SET is_active = FALSE",
	} {
		for _, inHeader := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in header %v", name, inHeader), func(t *testing.T) {
				l := openLibrary(t)
				r := l.dial(l.ada, inHeader)
				exec(t, l.db, "BEGIN; "+revoke+"; UPDATE docs SET body = 'SECRET'; COMMIT")
				r.ends(4401)
			})
		}
	}
}

func TestAnotherTokenOfTheUserGoesOn(t *testing.T) {
	l := openLibrary(t)
	second := l.token()
	one, two := l.dial(l.ada, false), l.dial(second, false)
	if err := l.users.Revoke(t.Context(), l.ada); err != nil {
		t.Fatal(err)
	}
	exec(t, l.db, "UPDATE docs SET body = 'SECRET'")
	one.ends(4401)
	two.until("SECRET")
	// What a later connect brings is what the session stands on.
	third := l.token()
	two.connect(third)
	if err := l.users.Revoke(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	exec(t, l.db, "UPDATE docs SET body = 'further'")
	two.until("further")
	if err := l.users.Revoke(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	exec(t, l.db, "UPDATE docs SET body = 'at last'")
	two.until("close 4401")
	if strings.Contains(two.got.String(), "at last") {
		t.Error("it was sent what it may not see")
	}
}

// TestRevocationBetweenUpgradeAndConnect deletes a token that a header brought
// before the client says that it connects.
func TestRevocationBetweenUpgradeAndConnect(t *testing.T) {
	l := openLibrary(t)
	r := &reader{socket: dial(t, l.server, http.Header{"Authorization": {"Token " + l.ada}})}
	exec(t, l.db, "DELETE FROM auth_tokens")
	if got := r.ask(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`); got != "@ 1 error unauthenticated" {
		t.Error(got)
	}
	r.ends(4401)
}

// TestConnectingAgainWithoutAToken says once more that it connects, without the
// token by which the connection is its user's, and with a cookie of another.
func TestConnectingAgainWithoutAToken(t *testing.T) {
	for name, header := range map[string]http.Header{"alone": nil, "beside another's cookie": {"Cookie": {"session=grace"}}} {
		t.Run(name, func(t *testing.T) {
			db := pandotest.Database(t)
			exec(t, db, docs)
			users := token.New(db)
			if err := users.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := users.CreateUser(t.Context(), "ada", "lovelace", "Ada"); err != nil {
				t.Fatal(err)
			}
			tok, err := users.Issue(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			cookies := token.Session(func(_ context.Context, r *http.Request) (token.Identity, error) {
				if _, err := r.Cookie("session"); err != nil {
					return token.Identity{}, token.ErrNone
				}
				return token.Identity{ID: "2"}, nil
			})
			r := readDoc(t, serveDocs(t, db, token.First(users, cookies)), header, tok)
			r.Sendf(`{"stream":"@","id":9,"payload":{"type":"connect","protocol":1}}`)
			if got := r.until(`"id":9`); !strings.Contains(got, `"user":"1"`) {
				t.Errorf("it is answered %s", got)
			}
			if err := users.Revoke(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			r.ends(4401)
		})
	}
}

// limited is an Authenticator whose identities end soon.
type limited struct{ until *atomic.Int64 }

func (a limited) Authenticate(_ context.Context, _ *http.Request, tok string) (pando.Identity, error) {
	if tok == "" {
		return pando.Identity{}, token.ErrNone
	}
	user, _, _ := strings.Cut(tok, ":")
	return pando.Identity{ID: user, Expires: time.Unix(0, a.until.Load())}, nil
}

func TestAnIdentityEndsAtItsTime(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, docs)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	until := &atomic.Int64{}
	app, err := pando.New(pando.Config{Source: source, Auth: limited{until}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	server := pandotest.Serve(t, app)
	connect := func(life time.Duration) *reader {
		until.Store(time.Now().Add(life).UnixNano())
		r := &reader{socket: dial(t, server, nil)}
		r.connect("1:a")
		r.open("s1", "1")
		r.until(`"snapshot"`)
		return r
	}
	renewed := connect(300 * time.Millisecond)
	until.Store(time.Now().Add(time.Hour).UnixNano())
	renewed.connect("1:b")
	begun := time.Now()
	ended := connect(300 * time.Millisecond)
	ended.until("close 4401")
	// The heartbeat is 20 s: it is not the wheel that found out.
	if took := time.Since(begun); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("it was closed after %v, want 300ms", took)
	}
	exec(t, db, "UPDATE docs SET body = 'later'")
	renewed.until("later")
}
