package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// tokenBytes is how many random bytes a token has, and maxToken the length of
// text that is looked up at all.
const (
	tokenBytes = 32
	maxToken   = 256
)

// Issue returns a new token for the user, good for the Store's lifetime. Only
// its hash is kept, so that it cannot be shown again.
func (s *Store) Issue(ctx context.Context, userID int64) (string, error) {
	token := newToken()
	now := s.now()
	var expires sql.NullInt64
	if s.lifetime > 0 {
		expires = sql.NullInt64{Int64: now.Add(s.lifetime).Unix(), Valid: true}
	}
	// Expired tokens of the user go as new ones come, so that the table is
	// bounded by logins in one lifetime without a job that sweeps it.
	_, err := s.db.ExecContext(ctx, `DELETE FROM auth_tokens WHERE user_id = $1 AND expires_at <= $2`, userID, now.Unix())
	if err != nil {
		return "", fmt.Errorf("issue token: delete expired: %w", err)
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO auth_tokens (hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
		hashToken(token), userID, now.Unix(), expires)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	return token, nil
}

// Revoke ends a token. A token that is unknown is no error. Sessions that were
// opened with it are the caller's to close.
func (s *Store) Revoke(ctx context.Context, token string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM auth_tokens WHERE hash = $1`, hashToken(token)); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// Authenticate implements Authenticator: one SELECT by primary key, nothing
// cached. Identity.ID is users.id in decimal digits, Identity.Value a User.
func (s *Store) Authenticate(ctx context.Context, _ *http.Request, token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrNone
	}
	if len(token) > maxToken {
		return Identity{}, ErrInvalid
	}
	var user User
	var expires sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT u.id, u.username, COALESCE(u.name, ''), t.expires_at
		FROM auth_tokens t JOIN users u ON u.id = t.user_id
		WHERE t.hash = $1 AND u.is_active`, hashToken(token)).Scan(&user.ID, &user.Username, &user.Name, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, ErrInvalid
	}
	if err != nil {
		return Identity{}, fmt.Errorf("authenticate: read token: %w", err)
	}
	identity := Identity{ID: strconv.FormatInt(user.ID, 10), Value: user}
	if expires.Valid {
		identity.Expires = time.Unix(expires.Int64, 0)
		if !s.now().Before(identity.Expires) {
			return Identity{}, ErrInvalid
		}
	}
	return identity, nil
}

func newToken() string {
	var b [tokenBytes]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashToken needs no salt and no slowness: tokens are random, not chosen.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
