package token

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// openDB opens a fresh database. TestPostgres has it open another kind.
var openDB = openSQLite

// openSQLite opens a new database file with one writer, as apps on SQLite do; a
// method that held a connection while it asked for another would hang.
func openSQLite(t testing.TB) *sql.DB {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "app.db") +
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openStore(t testing.TB, opts ...Option) *Store {
	t.Helper()
	s := New(openDB(t), opts...)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func createAda(t testing.TB, s *Store) int64 {
	t.Helper()
	id, err := s.CreateUser(t.Context(), "ada", "lovelace", "Ada Lovelace")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func login(t testing.TB, s *Store, password string) string {
	t.Helper()
	token, err := s.Login(t.Context(), "ada", password)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func TestLoginAndAuthenticate(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	token := login(t, s, "lovelace")

	identity, err := s.Authenticate(t.Context(), nil, token)
	if err != nil {
		t.Fatal(err)
	}
	if want := (User{ID: id, Username: "ada", Name: "Ada Lovelace"}); identity.Value != want || identity.ID != "1" {
		t.Errorf("identity is %+v, want id 1 and %+v", identity, want)
	}
	if left := time.Until(identity.Expires); left < DefaultLifetime-time.Hour || left > DefaultLifetime {
		t.Errorf("the token is good for %v, want %v", left, DefaultLifetime)
	}
	if other := login(t, s, "lovelace"); other == token {
		t.Error("two logins gave one token")
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	login(t, s, "lovelace")
	for token, want := range map[string]error{
		"":                       ErrNone,
		"unknown":                ErrForeign,
		newToken():               ErrInvalid,
		strings.Repeat("x", 257): ErrInvalid,
		"' OR 1=1 --":            ErrInvalid,
		"\x00\xff":               ErrInvalid,
	} {
		_, err := s.Authenticate(t.Context(), nil, token)
		wantError(t, err, want)
	}
}

func TestLoginRefusesAlike(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	exec(t, s, `INSERT INTO users (username, name) VALUES ('nologin', '')`)
	exec(t, s, `INSERT INTO users (username, password, is_active) SELECT 'gone', password, FALSE FROM users WHERE username = 'ada'`)
	for _, c := range []struct{ username, password string }{
		{"ada", "hopper"},
		{"ada", ""},
		{"ada", strings.Repeat("x", 1025)},
		{"ADA", "lovelace"},
		{"grace", "lovelace"},
		{"nologin", ""},
		{"nologin", "lovelace"},
		{"gone", "lovelace"},
		{"", "lovelace"},
		{strings.Repeat("x", 151), "lovelace"},
	} {
		_, err := s.Login(t.Context(), c.username, c.password)
		wantError(t, err, ErrInvalid)
		if err != nil && err.Error() != "log in: invalid credential" {
			t.Errorf("login %q tells more than it should: %v", c.username, err)
		}
	}
}

func TestCreateUserRefuses(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	_, err := s.CreateUser(t.Context(), "ada", "other", "")
	wantError(t, err, ErrUserExists)
	for _, c := range []struct{ username, password, want string }{
		{"", "p", "create user: the username is empty: choose one"},
		{"a\nb", "p", "create user: the username has characters that cannot be shown: leave them out"},
		{"a\xff", "p", "create user: the username has characters that cannot be shown: leave them out"},
		{strings.Repeat("é", 76), "p", "create user: the username has 152 bytes: choose one of at most 150"},
		{"grace", "", "create user grace: the password is empty: choose one"},
		{"grace", strings.Repeat("x", 1025), "create user grace: the password has 1025 bytes: choose one of at most 1024"},
	} {
		_, err := s.CreateUser(t.Context(), c.username, c.password, "")
		if err == nil || err.Error() != c.want {
			t.Errorf("create %q: error is %v, want %s", c.username, err, c.want)
		}
	}
}

func TestRevoke(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	token, other := login(t, s, "lovelace"), login(t, s, "lovelace")
	for range 2 { // the second time it is unknown, which is no error
		if err := s.Revoke(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)
	if _, err := s.Authenticate(t.Context(), nil, other); err != nil {
		t.Errorf("the other token was revoked too: %v", err)
	}
}

func TestRevokeAll(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	if _, err := s.CreateUser(t.Context(), "grace", "hopper", ""); err != nil {
		t.Fatal(err)
	}
	graces, err := s.Login(t.Context(), "grace", "hopper")
	if err != nil {
		t.Fatal(err)
	}
	tokens := []string{login(t, s, "lovelace"), login(t, s, "lovelace")}
	if err := s.RevokeAll(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		_, err := s.Authenticate(t.Context(), nil, token)
		wantError(t, err, ErrInvalid)
	}
	if _, err := s.Authenticate(t.Context(), nil, graces); err != nil {
		t.Errorf("another user's token: %v", err)
	}
}

func TestTokensAreForActiveUsers(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	user, err := s.FindUser(t.Context(), "ada")
	if want := (User{ID: id, Username: "ada", Name: "Ada Lovelace"}); err != nil || user != want {
		t.Errorf("user is %+v, %v", user, err)
	}
	_, err = s.FindUser(t.Context(), "eve")
	wantError(t, err, ErrUnknownUser)
	_, err = s.Issue(t.Context(), 99)
	wantError(t, err, ErrUnknownUser)
	exec(t, s, `UPDATE users SET is_active = FALSE`)
	_, err = s.Issue(t.Context(), id)
	wantError(t, err, ErrUnknownUser)
}

func TestRefreshKeepsTheLifetime(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	now := time.Unix(1_800_000_000, 0)
	s.now = func() time.Time { return now }
	expires := func(token string) time.Time {
		t.Helper()
		identity, err := s.Authenticate(t.Context(), nil, token)
		if err != nil {
			t.Fatal(err)
		}
		return identity.Expires
	}
	hour, err := s.IssueFor(t.Context(), id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(59 * time.Minute)
	next, err := s.Refresh(t.Context(), hour)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := expires(next), now.Add(time.Hour); !got.Equal(want) {
		t.Errorf("the new token expires at %v, want %v", got, want)
	}
	forEver, err := s.IssueFor(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	if next, err = s.Refresh(t.Context(), forEver); err != nil || !expires(next).IsZero() {
		t.Errorf("a token for ever became %q, %v", next, err)
	}
	now = now.Add(time.Minute)
	_, err = s.Refresh(t.Context(), hour)
	wantError(t, err, ErrInvalid)
}

func TestInactiveUserIsRefusedAtOnce(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	token := login(t, s, "lovelace")
	exec(t, s, `UPDATE users SET is_active = FALSE`)
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)
}

func TestDeletedUsersIDIsNotGivenAgain(t *testing.T) {
	s := openStore(t)
	first := createAda(t, s)
	token := login(t, s, "lovelace")
	exec(t, s, `PRAGMA foreign_keys = 0`) // the token stays
	exec(t, s, `DELETE FROM users`)
	if second := createAda(t, s); second == first {
		t.Errorf("id %d was given twice", first)
	}
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)
}

func TestSetPasswordRevokesTokens(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	token := login(t, s, "lovelace")
	if err := s.SetPassword(t.Context(), id, "enchantress"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)
	_, err = s.Login(t.Context(), "ada", "lovelace")
	wantError(t, err, ErrInvalid)
	login(t, s, "enchantress")

	wantError(t, s.SetPassword(t.Context(), 99, "x"), ErrUnknownUser)
	if err := s.SetPassword(t.Context(), id, ""); err == nil {
		t.Error("an empty password was taken")
	}
}

func TestExpiry(t *testing.T) {
	s := openStore(t, WithLifetime(time.Hour))
	createAda(t, s)
	now := time.Now()
	s.now = func() time.Time { return now }
	token := login(t, s, "lovelace")

	now = now.Add(time.Hour - 2*time.Second)
	if _, err := s.Authenticate(t.Context(), nil, token); err != nil {
		t.Errorf("just before it expires: %v", err)
	}
	now = now.Add(2 * time.Second)
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)

	login(t, s, "lovelace")
	if n := count(t, s, `SELECT count(*) FROM auth_tokens`); n != 1 {
		t.Errorf("%d tokens are kept, want only the new one", n)
	}
}

func TestTokenForEver(t *testing.T) {
	s := openStore(t, WithLifetime(0))
	createAda(t, s)
	token := login(t, s, "lovelace")
	s.now = func() time.Time { return time.Now().AddDate(100, 0, 0) }
	identity, err := s.Authenticate(t.Context(), nil, token)
	if err != nil || !identity.Expires.IsZero() {
		t.Errorf("identity is %+v, %v; want one that does not expire", identity, err)
	}
}

func TestNothingSecretIsStored(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	token := login(t, s, "lovelace")
	if n := count(t, s, `SELECT count(*) FROM auth_tokens WHERE hash = '`+hashToken(token)+`'`); n != 1 {
		t.Error("the token is not found by its hash")
	}
	n := count(t, s, `SELECT count(*) FROM auth_tokens WHERE hash LIKE '%`+token+`%'`) +
		count(t, s, `SELECT count(*) FROM users WHERE password LIKE '%lovelace%' OR password NOT LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'`)
	if n != 0 {
		t.Error("a token or password is stored in clear")
	}
}

func TestClosedDatabaseIsNoRefusal(t *testing.T) {
	s := openStore(t)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), nil, "x")
	if err == nil || errors.Is(err, ErrInvalid) || errors.Is(err, ErrNone) {
		t.Errorf("error is %v, want an internal one", err)
	}
	_, err = s.Login(t.Context(), "ada", "lovelace")
	if err == nil || errors.Is(err, ErrInvalid) {
		t.Errorf("error is %v, want an internal one", err)
	}
}

func TestCancelledContext(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Login(ctx, "ada", "lovelace")
	wantError(t, err, context.Canceled)
}

func exec(t testing.TB, s *Store, query string) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, s *Store, query string) int {
	t.Helper()
	var n int
	if err := s.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
