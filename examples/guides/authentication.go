package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/token"
)

// passwords keeps users, passwords and tokens in the app's own database.
func passwords(db *sql.DB) *token.Store {
	return token.New(db, token.WithLifetime(7*24*time.Hour))
}

// Claims are what the identity provider says of a user.
type Claims struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

// provider accepts the tokens of an identity provider.
func provider() (*token.JWT[Claims], error) {
	return token.NewJWT[Claims](token.JWTConfig{
		Algorithms: []string{"RS256"},
		KeySet:     "https://login.example.com/.well-known/jwks.json",
		Issuer:     "https://login.example.com/",
		Audience:   "guides",
	})
}

// several takes an API's keys, then what Django's users have, then the tokens
// of the app's own.
func several(db *sql.DB) pando.Authenticator {
	return token.First(APIKeys{db}, token.NewDRF(db), passwords(db))
}

// APIKeys is an Authenticator of one's own: programs have keys that begin with
// "key_", of which the database has hashes.
type APIKeys struct{ db *sql.DB }

// Authenticate implements pando.Authenticator.
func (k APIKeys) Authenticate(ctx context.Context, _ *http.Request, key string) (pando.Identity, error) {
	if key == "" {
		return pando.Identity{}, token.ErrNone
	}
	if !strings.HasPrefix(key, "key_") {
		return pando.Identity{}, token.ErrForeign // another may know it
	}
	hash := sha256.Sum256([]byte(key))
	var user string
	err := k.db.QueryRowContext(ctx, `SELECT user_id FROM api_keys WHERE id = ?`, hex.EncodeToString(hash[:])).Scan(&user)
	if errors.Is(err, sql.ErrNoRows) {
		return pando.Identity{}, token.ErrInvalid
	}
	return pando.Identity{ID: user}, err
}

// APIKey is a row on which such an identity depends.
type APIKey struct {
	ID     string `db:"id"`
	UserID string `db:"user_id"`
}

// Credentials implements token.Revocable: a key that is deleted ends its
// connections.
func (APIKeys) Credentials() []token.Credential {
	return []token.Credential{{Row: reflect.TypeFor[APIKey](), Column: "user_id"}}
}

// NewsChannel shows a room to everybody, and lets some announce.
type NewsChannel struct {
	pando.Channel[Room, pando.NoRuntime]
}

// HasPermission is asked of nobody, too: User().ID is "" then.
func (c *NewsChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Announce is for reporters, as the identity provider says.
func (c *NewsChannel) Announce(_ context.Context, text string) error {
	claims, _ := c.User().Value.(Claims)
	if !slices.Contains(claims.Roles, "reporter") {
		return pando.Errorf("denied", "only reporters announce")
	}
	return c.Notify("announced", text)
}

func news(app *pando.App) {
	app.Handle("news/{room_id}", pando.For(
		func() *NewsChannel { return &NewsChannel{} },
		pando.Public(),
		pando.Actions((*NewsChannel).Announce),
	))
}

// suspend ends what somebody may do, on all servers.
func suspend(ctx context.Context, db *sql.DB, users *token.Store, user int64) error {
	if _, err := db.ExecContext(ctx, `DELETE FROM members WHERE user_id = ?`, user); err != nil {
		return err
	}
	return users.RevokeAll(ctx, user)
}
