package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// with is the shop's app with another authenticator.
func (s *shop) with(t *testing.T, auth pando.Authenticator) *pando.App {
	t.Helper()
	source := sqlitefeed.New(s.db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	declare(app, s.db, s.bank)
	return app
}

func TestAuthentication(t *testing.T) {
	s := newShop(t)
	hash := sha256.Sum256([]byte("key_7"))
	s.exec(t, `INSERT INTO api_keys VALUES (?, '1')`, hex.EncodeToString(hash[:]))
	s.exec(t, `CREATE TABLE auth_user (id integer PRIMARY KEY, username text, first_name text, last_name text, is_active bool);
		CREATE TABLE authtoken_token (key text PRIMARY KEY, created datetime, user_id integer)`)
	users := passwords(s.db)
	id, err := users.CreateUser(t.Context(), "mary", "somerville", "Mary Somerville")
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, `INSERT INTO members VALUES (1, ?, 'viewer')`, id)
	server := pandotest.Serve(t, s.with(t, several(s.db)))

	program := server.Connect(t, "key_7")
	pandotest.Open[Project](t, program, "projects/1")
	person := server.Connect(t, server.Login(t, "mary", "somerville"))
	pandotest.Open[Project](t, person, "projects/1")
	nobody := server.Connect(t, "")
	pandotest.Open[Room](t, nobody, "news/1")
	refused(t, pandotest.Refused[Project](t, nobody, "projects/1"), "unauthenticated")

	if err := suspend(t.Context(), s.db, users, id); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `DELETE FROM api_keys`)
	for _, client := range []*pandotest.Client{person, program} {
		<-client.Closed()
		if client.CloseCode() != 4401 {
			t.Errorf("the connection was closed with %d", client.CloseCode())
		}
	}
}

// claims is what a token of the provider would say.
type claims struct{ Claims }

// Authenticate implements pando.Authenticator.
func (c claims) Authenticate(context.Context, *http.Request, string) (pando.Identity, error) {
	return pando.Identity{ID: "ada", Value: c.Claims}, nil
}

func TestClaims(t *testing.T) {
	if _, err := provider(); err != nil {
		t.Fatal(err)
	}
	for _, roles := range [][]string{{"reader"}, {"reader", "reporter"}} {
		server := pandotest.Serve(t, newShop(t).with(t, claims{Claims{"Ada", roles}}))
		news := pandotest.Open[Room](t, server.Connect(t, "any"), "news/1")
		err := news.Try(t.Context(), nil, "announce", "supper")
		if slices.Contains(roles, "reporter") == (err != nil) {
			t.Errorf("with the roles %v: %v", roles, err)
		}
	}
}

var _ token.Revocable = APIKeys{}
