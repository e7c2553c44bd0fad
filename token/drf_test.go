package token

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

const (
	adaKey   = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
	graceKey = "0123456789abcdef0123456789abcdef01234567"
)

// django is the tables as Django 5 makes them in SQLite, as far as they matter.
const django = `
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL,
	"last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE,
	"last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL,
	"is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "first_name" varchar(150) NOT NULL);
CREATE TABLE "authtoken_token" ("key" varchar(40) NOT NULL PRIMARY KEY, "created" datetime NOT NULL,
	"user_id" integer NOT NULL UNIQUE REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES (4, 'pbkdf2', NULL, 0, 'ada', 'Lovelace', '', 0, 1, '2024-05-01 10:00:00', 'Ada');
INSERT INTO auth_user VALUES (5, 'pbkdf2', NULL, 0, 'grace', '', '', 0, 1, '2024-05-01 10:00:00', '');
INSERT INTO authtoken_token VALUES ('` + adaKey + `', '2024-05-01 10:00:00', 4), ('` + graceKey + `', '2024-05-01 10:00:00', 5);`

func openDjango(t testing.TB) *sql.DB {
	t.Helper()
	db := openDB(t)
	if _, err := db.ExecContext(t.Context(), django); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestDRF(t *testing.T) {
	d := NewDRF(openDjango(t))
	for key, want := range map[string]User{
		adaKey:   {ID: 4, Username: "ada", Name: "Ada Lovelace"},
		graceKey: {ID: 5, Username: "grace"},
	} {
		identity, err := d.Authenticate(t.Context(), nil, key)
		if err != nil || identity.Value != want || !identity.Expires.IsZero() || identity.Ambient {
			t.Errorf("identity is %+v, %v; want %+v", identity, err, want)
		}
	}
}

func TestDRFRefuses(t *testing.T) {
	db := openDjango(t)
	if _, err := db.ExecContext(t.Context(), `UPDATE auth_user SET is_active = 0 WHERE id = 5`); err != nil {
		t.Fatal(err)
	}
	d := NewDRF(db)
	for key, want := range map[string]error{
		"":                               ErrNone,
		graceKey:                         ErrInvalid, // of a user who is not active
		strings.Repeat("0", 40):          ErrInvalid,
		strings.ToUpper(adaKey):          ErrForeign,
		strings.Repeat("0", maxDRFKey+1): ErrForeign,
		"' OR 1=1 --":                    ErrForeign,
		"%":                              ErrForeign,
	} {
		_, err := d.Authenticate(t.Context(), nil, key)
		wantError(t, err, want)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := d.Authenticate(t.Context(), nil, adaKey)
	if err == nil || errors.Is(err, ErrInvalid) || errors.Is(err, ErrNone) || strings.Contains(err.Error(), adaKey) {
		t.Errorf("error is %v, want an internal one without the key", err)
	}
}

func TestDRFOfAColumnThatIgnoresCase(t *testing.T) {
	db := openDB(t)
	_, err := db.ExecContext(t.Context(), strings.Replace(django, `varchar(40)`, `varchar(40) COLLATE NOCASE`, 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewDRF(db).Authenticate(t.Context(), nil, strings.ToUpper(adaKey))
	wantError(t, err, ErrInvalid)
}

func TestDRFTables(t *testing.T) {
	db := openDB(t)
	tables := strings.NewReplacer("authtoken_token", "accounts_token", "auth_user", `accounts.member`).Replace
	named := strings.ReplaceAll(strings.ReplaceAll(django, `"auth_user"`, "auth_user"), `"authtoken_token"`, "authtoken_token")
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), `ATTACH ':memory:' AS accounts`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), strings.Replace(tables(named), "REFERENCES accounts.member (\"id\") DEFERRABLE INITIALLY DEFERRED", "", 1)); err != nil {
		t.Fatal(err)
	}
	d := NewDRF(db, WithDRFTables("accounts_token", "accounts.member"))
	identity, err := d.Authenticate(t.Context(), nil, adaKey)
	if err != nil || identity.ID != "4" {
		t.Errorf("identity is %+v, %v", identity, err)
	}
	registry := schema.NewRegistry()
	for i, want := range []string{"accounts_token user_id", "accounts.member id"} {
		credential := d.Credentials()[i]
		table, column, err := registry.Watch(credential.Row, credential.Column)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Name + " " + table.Columns[column].Name; got != want {
			t.Errorf("it depends on %s, want %s", got, want)
		}
	}
}
