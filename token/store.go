package token

import (
	"database/sql"
	"log/slog"
	"reflect"
	"time"
)

// DefaultLifetime is how long a token is good for unless WithLifetime says
// otherwise.
const DefaultLifetime = 30 * 24 * time.Hour

// Store keeps users and tokens in a database.
type Store struct {
	db       *sql.DB
	hasher   *hasher
	lifetime time.Duration
	log      *slog.Logger
	now      func() time.Time
}

var _ Revocable = (*Store)(nil)

// Option changes a default of New.
type Option func(*Store)

// WithLifetime sets how long a new token is good for; 0 is for ever.
func WithLifetime(d time.Duration) Option {
	return func(s *Store) { s.lifetime = d }
}

// WithLogger sets where the server's own errors at POST /api/token go, which
// is slog's default otherwise.
func WithLogger(log *slog.Logger) Option {
	return func(s *Store) { s.log = log }
}

// New returns a Store over db, a handle of any SQLite or PostgreSQL driver
// that takes $1 as a placeholder. It does not touch the database; Migrate
// makes the tables.
func New(db *sql.DB, opts ...Option) *Store {
	s := &Store{
		db:       db,
		hasher:   newHasher(),
		lifetime: DefaultLifetime,
		log:      slog.Default(),
		now:      time.Now,
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// tokenRow and userRow are what identities depend on.
type (
	tokenRow struct {
		Hash      string `db:"hash" pando:"key,public"`
		UserID    int64  `db:"user_id"`
		ExpiresAt *int64 `db:"expires_at"`
	}
	userRow struct {
		ID       int64 `db:"id" pando:"key"`
		IsActive bool  `db:"is_active"`
	}
)

// TableName names the table for Pando.
func (tokenRow) TableName() string { return "auth_tokens" }

// TableName names the table for Pando.
func (userRow) TableName() string { return "users" }

// Credentials implements Revocable: a token that is deleted, and a user who is
// deactivated or deleted, end the connections that stand on them.
func (*Store) Credentials() []Credential {
	return []Credential{
		{Row: reflect.TypeFor[tokenRow](), Column: "user_id"},
		{Row: reflect.TypeFor[userRow](), Column: "id"},
	}
}
