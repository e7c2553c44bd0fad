package pando_test

import (
	"context"
	"database/sql"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// serveDocs serves docs to those who are known to auth.
func serveDocs(t *testing.T, db *sql.DB, auth token.Authenticator) *pandotest.Server {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	return pandotest.Serve(t, app)
}

// readDoc opens a doc with a header, or by a token in the first frame.
func readDoc(t *testing.T, server *pandotest.Server, header http.Header, tok string) *reader {
	t.Helper()
	r := &reader{socket: dial(t, server, header)}
	r.connect(tok)
	r.open("s1", "1")
	r.until(`"snapshot"`)
	return r
}

func TestLogoutReachesEveryNode(t *testing.T) {
	l := openLibrary(t)
	second := serveDocs(t, l.db, l.users)
	here, there := l.dial(l.ada, false), readDoc(t, second, http.Header{"Authorization": {"Bearer " + l.ada}}, "")
	stays := readDoc(t, second, nil, l.token())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, l.server.URL+token.Path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+l.ada)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE %s: %s", token.Path, response.Status)
	}
	exec(t, l.db, "UPDATE docs SET body = 'SECRET'")
	here.ends(4401)
	there.ends(4401)
	stays.until("SECRET")
	// All the others at once.
	if err := l.users.RevokeAll(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	stays.until("close 4401")
}

func TestARefreshedTokenGoesOn(t *testing.T) {
	l := openLibrary(t)
	r := l.dial(l.ada, false)
	next, err := l.users.Refresh(t.Context(), l.ada)
	if err != nil {
		t.Fatal(err)
	}
	r.connect(next)
	if err := l.users.Revoke(t.Context(), l.ada); err != nil {
		t.Fatal(err)
	}
	exec(t, l.db, "UPDATE docs SET body = 'further'")
	r.until("further")
}

func TestDjangosTokens(t *testing.T) {
	const key = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
	for name, revoke := range map[string]string{
		"the token is deleted":    "DELETE FROM authtoken_token",
		"another takes its place": "UPDATE authtoken_token SET key = 'x' || substr(key, 2)",
		"it is another user's":    "UPDATE authtoken_token SET user_id = 5",
		"the user may no longer":  "UPDATE auth_user SET is_active = 0",
	} {
		t.Run(name, func(t *testing.T) {
			db := pandotest.Database(t)
			exec(t, db, docs+`
				CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, username varchar(150) NOT NULL,
					password varchar(128) NOT NULL, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, is_active bool NOT NULL);
				CREATE TABLE authtoken_token (key varchar(40) NOT NULL PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL);
				INSERT INTO auth_user VALUES (4, 'ada', '', 'Ada', 'Lovelace', 1), (5, 'eve', '', '', '', 1);
				INSERT INTO authtoken_token VALUES ('`+key+`', '2024-05-01 10:00:00', 4);`)
			r := readDoc(t, serveDocs(t, db, token.NewDRF(db)), nil, key)
			exec(t, db, "BEGIN; "+revoke+"; UPDATE docs SET body = 'SECRET'; COMMIT")
			r.ends(4401)
			if strings.Contains(r.got.String(), key) || strings.Contains(r.got.String(), "authtoken") {
				t.Errorf("it was told of the tokens:\n%s", r.got.String())
			}
		})
	}
}

// SessionRow is a session of the app's own.
type SessionRow struct {
	ID     string `db:"id" pando:"key"`
	UserID int64  `db:"user_id"`
}

func (SessionRow) TableName() string { return "sessions" }

func TestSessionsOfTheAppsOwn(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, docs+`CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL); INSERT INTO sessions VALUES ('abc', 1), ('def', 1)`)
	auth := token.Session(func(ctx context.Context, r *http.Request) (token.Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return token.Identity{}, token.ErrNone
		}
		var user string
		err = db.QueryRowContext(ctx, "SELECT user_id FROM sessions WHERE id = $1", cookie.Value).Scan(&user)
		if err != nil {
			return token.Identity{}, token.ErrInvalid
		}
		return token.Identity{ID: user}, nil
	}, token.Credential{Row: reflect.TypeFor[SessionRow](), Column: "user_id"})
	server := serveDocs(t, db, auth)
	one := readDoc(t, server, http.Header{"Cookie": {"session=abc"}}, "")
	two := readDoc(t, server, http.Header{"Cookie": {"session=def"}}, "")
	exec(t, db, "BEGIN; DELETE FROM sessions WHERE id = 'abc'; UPDATE docs SET body = 'SECRET'; COMMIT")
	one.ends(4401)
	two.until("SECRET")
}

func TestAJWTEndsAtItsTime(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lasting := func(d time.Duration) string {
		t.Helper()
		text, err := jwt.Signed(signer).Claims(jwt.Claims{Subject: "1", Expiry: jwt.NewNumericDate(time.Now().Add(d))}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	auth, err := token.NewJWT[struct{}](token.JWTConfig{Algorithms: []string{"HS256"}, Keys: []any{secret}, Leeway: -1})
	if err != nil {
		t.Fatal(err)
	}
	db := pandotest.Database(t)
	exec(t, db, docs)
	server := serveDocs(t, db, auth)
	brief := lasting(2 * time.Second)
	ended, renewed := readDoc(t, server, nil, brief), readDoc(t, server, nil, brief)
	renewed.connect(lasting(time.Hour))
	ended.until("close 4401")
	exec(t, db, "UPDATE docs SET body = 'later'")
	renewed.until("later")
}
