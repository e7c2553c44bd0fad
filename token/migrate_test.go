package token

import (
	"strings"
	"testing"
)

func TestMigrateTwice(t *testing.T) {
	s := openStore(t)
	id := createAda(t, s)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id != 1 {
		t.Errorf("the first user's id is %d", id)
	}
	login(t, s, "lovelace")
}

func TestMigrateTakesAnExistingUsersTable(t *testing.T) {
	s := New(openDB(t))
	exec(t, s, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT NOT NULL, name TEXT,
		password TEXT, is_active INTEGER NOT NULL DEFAULT 1)`)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	createAda(t, s)
	token := login(t, s, "lovelace")
	_, err := s.CreateUser(t.Context(), "ada", "x", "")
	wantError(t, err, ErrUserExists)

	exec(t, s, `UPDATE users SET name = NULL, password = NULL`)
	if _, err := s.Authenticate(t.Context(), nil, token); err != nil {
		t.Errorf("a user without a name: %v", err)
	}
	_, err = s.Login(t.Context(), "ada", "lovelace")
	wantError(t, err, ErrInvalid)
}

func TestMigrateNamesTheMissingColumn(t *testing.T) {
	s := New(openDB(t))
	exec(t, s, `CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, name TEXT)`)
	err := s.Migrate(t.Context())
	const want = `migrate token tables: table users lacks column password (add it as "password TEXT NOT NULL DEFAULT ''", or rename the table): `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v, want %s…", err, want)
	}
}

func TestMigrateRefusesUsernamesThatAreNotUnique(t *testing.T) {
	s := openStore(t)
	exec(t, s, `DROP INDEX users_username_key`)
	exec(t, s, `INSERT INTO users (username) VALUES ('ada'), ('ada')`)
	if err := s.Migrate(t.Context()); err == nil {
		t.Error("two users of one name were taken")
	}
}
