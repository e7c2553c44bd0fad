package token

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDRFKey is the size of Django REST framework's key column.
const maxDRFKey = 40

// DRF is an Authenticator over the tables of Django REST framework's token
// authentication, which another program keeps: it reads them and writes nothing.
//
//	authtoken_token(key, created, user_id)
//	auth_user(id, username, is_active, first_name, last_name)
//
// Identity.ID is the user's id in decimal digits and Identity.Value a [User].
// The tokens do not expire; a token that is deleted, and a user who is
// deactivated or deleted, end the connections that stand on them.
//
// The key column holds the tokens themselves: a copy of the database opens
// every door. No channel may declare it.
type DRF struct {
	db            *sql.DB
	tokens, users string
	query         string
}

var _ Revocable = (*DRF)(nil)

// DRFOption changes a default of NewDRF.
type DRFOption func(*DRF)

// WithDRFTables names the two tables, where a project has models of its own
// for them.
func WithDRFTables(tokens, users string) DRFOption {
	return func(d *DRF) { d.tokens, d.users = tokens, users }
}

// NewDRF returns a DRF over db, a handle of any SQLite or PostgreSQL driver that
// takes $1 as a placeholder. It does not touch the database.
func NewDRF(db *sql.DB, opts ...DRFOption) *DRF {
	d := &DRF{db: db, tokens: "authtoken_token", users: "auth_user"}
	for _, opt := range opts {
		opt(d)
	}
	d.query = `SELECT t.key, u.id, u.username, u.first_name, u.last_name
		FROM ` + quoted(d.tokens) + ` t JOIN ` + quoted(d.users) + ` u ON u.id = t.user_id
		WHERE t.key = $1 AND u.is_active`
	return d
}

// quoted makes an identifier of a table's name, which may have a schema before
// it.
func quoted(table string) string {
	parts := strings.Split(table, ".")
	for i, part := range parts {
		parts[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}

// Authenticate implements Authenticator: one SELECT by primary key, nothing
// cached. The time that an index takes to find a key tells next to nothing of
// 160 random bits; what it found is compared in constant time.
func (d *DRF) Authenticate(ctx context.Context, _ *http.Request, token string) (Identity, error) {
	switch {
	case token == "":
		return Identity{}, ErrNone
	case len(token) > maxDRFKey, !utf8.ValidString(token), strings.IndexByte(token, 0) >= 0:
		return Identity{}, ErrForeign // PostgreSQL has no such texts
	}
	var user User
	var key string
	var first, last sql.NullString
	err := d.db.QueryRowContext(ctx, d.query, token).Scan(&key, &user.ID, &user.Username, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, unknownKey(token)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("authenticate: read %s: %w", d.tokens, err)
	}
	// A column that ignores case finds more than it was asked for.
	if subtle.ConstantTimeCompare([]byte(key), []byte(token)) != 1 {
		return Identity{}, unknownKey(token)
	}
	user.Name = strings.TrimSpace(first.String + " " + last.String)
	return Identity{ID: strconv.FormatInt(user.ID, 10), Value: user}, nil
}

// unknownKey tells keys as the framework makes them from other text.
func unknownKey(token string) error {
	if len(token) == maxDRFKey && strings.Trim(token, "0123456789abcdef") == "" {
		return ErrInvalid
	}
	return ErrForeign
}

// Credentials implements Revocable.
func (d *DRF) Credentials() []Credential {
	return []Credential{
		{Row: credentialRow(d.tokens, column[string]("Key", "key", "key"), column[int64]("UserID", "user_id", "")), Column: "user_id"},
		{Row: credentialRow(d.users, column[int64]("ID", "id", "key"), column[bool]("IsActive", "is_active", "")), Column: "id"},
	}
}

// credentialRow declares a table whose name is known at run time only.
func credentialRow(table string, columns ...reflect.StructField) reflect.Type {
	blank := reflect.StructField{
		Name: "_", PkgPath: reflect.TypeFor[DRF]().PkgPath(), Type: reflect.TypeFor[struct{}](),
		Tag: reflect.StructTag(fmt.Sprintf("pando:%q", "table:"+table)),
	}
	return reflect.StructOf(append([]reflect.StructField{blank}, columns...))
}

func column[T any](name, column, tag string) reflect.StructField {
	return reflect.StructField{
		Name: name, Type: reflect.TypeFor[T](), Tag: reflect.StructTag(fmt.Sprintf("db:%q pando:%q", column, tag)),
	}
}
