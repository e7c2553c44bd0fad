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

// Issue returns a new token for an active user, good for the Store's lifetime.
// Only its hash is kept, so that it cannot be shown again. It returns
// ErrUnknownUser when no active user has the id.
func (s *Store) Issue(ctx context.Context, userID int64) (string, error) {
	return s.IssueFor(ctx, userID, s.lifetime)
}

// IssueFor is Issue with a lifetime of its own, in whole seconds; 0 is for ever.
func (s *Store) IssueFor(ctx context.Context, userID int64, lifetime time.Duration) (string, error) {
	token := newToken()
	now := s.now()
	var expires sql.NullInt64
	if lifetime > 0 {
		expires = sql.NullInt64{Int64: now.Add(lifetime).Unix(), Valid: true}
	}
	// Expired tokens of the user go as new ones come, so that the table is
	// bounded by logins in one lifetime without a job that sweeps it.
	_, err := s.db.ExecContext(ctx, `DELETE FROM auth_tokens WHERE user_id = $1 AND expires_at <= $2`, userID, now.Unix())
	if err != nil {
		return "", fmt.Errorf("issue token: delete expired: %w", err)
	}
	result, err := s.db.ExecContext(ctx, `INSERT INTO auth_tokens (hash, user_id, created_at, expires_at)
		SELECT CAST($1 AS TEXT), id, CAST($2 AS BIGINT), CAST($3 AS BIGINT) FROM users WHERE id = $4 AND is_active`,
		hashToken(token), now.Unix(), expires, userID)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return "", fmt.Errorf("issue token: user %d is not there, or not active: %w", userID, errors.Join(ErrUnknownUser, err))
	}
	return token, nil
}

// Refresh returns a new token for the user of a token that is still good, which
// lives as long as that one was made to live. The old one stays good until it
// expires or is revoked, so that whoever shares it, or never got the answer, is
// not shut out. It returns ErrInvalid for a token that is not good.
func (s *Store) Refresh(ctx context.Context, token string) (string, error) {
	identity, err := s.Authenticate(ctx, nil, token)
	if err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	var created int64
	err = s.db.QueryRowContext(ctx, `SELECT created_at FROM auth_tokens WHERE hash = $1`, hashToken(token)).Scan(&created)
	if errors.Is(err, sql.ErrNoRows) { // revoked in between
		err = ErrInvalid
	}
	if err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	var lifetime time.Duration
	if !identity.Expires.IsZero() {
		lifetime = max(identity.Expires.Sub(time.Unix(created, 0)), time.Second)
	}
	user, ok := identity.Value.(User)
	if !ok {
		return "", fmt.Errorf("refresh token: the identity's value is a %T", identity.Value)
	}
	return s.IssueFor(ctx, user.ID, lifetime)
}

// Revoke ends a token, and the connections that stand on it, on every node that
// follows the database. A token that is unknown is no error.
func (s *Store) Revoke(ctx context.Context, token string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM auth_tokens WHERE hash = $1`, hashToken(token)); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// RevokeAll ends all tokens of a user, as Revoke does. A user who has none, or
// does not exist, is no error.
func (s *Store) RevokeAll(ctx context.Context, userID int64) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM auth_tokens WHERE user_id = $1`, userID); err != nil {
		return fmt.Errorf("revoke tokens of user %d: %w", userID, err)
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
		return Identity{}, ErrForeign
	}
	var user User
	var expires sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT u.id, u.username, COALESCE(u.name, ''), t.expires_at
		FROM auth_tokens t JOIN users u ON u.id = t.user_id
		WHERE t.hash = $1 AND u.is_active`, hashToken(token)).Scan(&user.ID, &user.Username, &user.Name, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, unknownToken(token)
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

// unknownToken tells tokens as newToken makes them from other text.
func unknownToken(token string) error {
	if b, err := base64.RawURLEncoding.DecodeString(token); err == nil && len(b) == tokenBytes {
		return ErrInvalid
	}
	return ErrForeign
}

// hashToken needs no salt and no slowness: tokens are random, not chosen.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
