package token

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what a user chooses, in bytes. A least length of passwords is
// the app's to decide.
const (
	maxUsername = 150
	maxPassword = 1024
)

// Errors about users.
var (
	// ErrUserExists is returned when the username is taken.
	ErrUserExists = errors.New("user exists")
	// ErrUnknownUser is returned when no user has the id or name.
	ErrUnknownUser = errors.New("unknown user")
)

// User is what Identity.Value holds for an identity of a Store.
type User struct {
	ID       int64
	Username string
	Name     string
}

// CreateUser adds an active user and returns the id. The username is 1 to 150
// bytes, compared exactly, the password 1 to 1024 bytes. It returns
// ErrUserExists when the username is taken.
func (s *Store) CreateUser(ctx context.Context, username, password, name string) (int64, error) {
	if err := checkUsername(username); err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	hash, err := s.hashNew(ctx, password)
	if err != nil {
		return 0, fmt.Errorf("create user %s: %w", username, err)
	}
	var id int64
	err = s.db.QueryRowContext(ctx, `INSERT INTO users (username, name, password, is_active) VALUES ($1, $2, $3, TRUE)
		ON CONFLICT (username) DO NOTHING RETURNING id`, username, name, hash).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUserExists
	}
	if err != nil {
		return 0, fmt.Errorf("create user %s: %w", username, err)
	}
	return id, nil
}

// FindUser returns the user of a name, also one that is not active. It returns
// ErrUnknownUser when there is none.
func (s *Store) FindUser(ctx context.Context, username string) (User, error) {
	user := User{Username: username}
	err := s.db.QueryRowContext(ctx, `SELECT id, COALESCE(name, '') FROM users WHERE username = $1`, username).
		Scan(&user.ID, &user.Name)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknownUser
	}
	if err != nil {
		return User{}, fmt.Errorf("find user %.200q: %w", username, err)
	}
	return user, nil
}

// SetPassword gives the user a new password and revokes all of the user's
// tokens, since who changes a password may do so because it is known to
// others. It returns ErrUnknownUser when there is no such user.
func (s *Store) SetPassword(ctx context.Context, userID int64, password string) error {
	hash, err := s.hashNew(ctx, password)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	result, err := tx.ExecContext(ctx, `UPDATE users SET password = $1 WHERE id = $2`, hash, userID)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("set password of user %d: %w", userID, errors.Join(ErrUnknownUser, err))
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM auth_tokens WHERE user_id = $1`, userID); err != nil {
		return fmt.Errorf("set password: revoke tokens: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// Login checks a password and returns a new token. It returns ErrInvalid for
// an unknown user, one that is not active and a wrong password, after the same
// work; and ErrBusy when too many logins wait already.
func (s *Store) Login(ctx context.Context, username, password string) (string, error) {
	if len(password) > maxPassword || checkUsername(username) != nil {
		return "", fmt.Errorf("log in: %w", ErrInvalid)
	}
	var id int64
	var stored string
	err := s.db.QueryRowContext(ctx, `SELECT id, COALESCE(password, '') FROM users WHERE username = $1 AND is_active`,
		username).Scan(&id, &stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("log in: read user: %w", err)
	}
	ok, err := s.hasher.verify(ctx, stored, password)
	if err != nil {
		return "", fmt.Errorf("log in as %s: %w", username, err)
	}
	if !ok {
		return "", fmt.Errorf("log in: %w", ErrInvalid)
	}
	if err := s.strengthen(ctx, id, stored, password); err != nil {
		return "", fmt.Errorf("log in as %s: %w", username, err)
	}
	return s.Issue(ctx, id)
}

// strengthen replaces a hash that was made with other parameters than today's,
// as the password is at hand only now.
func (s *Store) strengthen(ctx context.Context, id int64, stored, password string) error {
	if !outdated(stored) {
		return nil
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	// A password that was changed in between stays as it is.
	_, err = s.db.ExecContext(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3`, hash, id, stored)
	if err != nil {
		return fmt.Errorf("renew password hash: %w", err)
	}
	return nil
}

func (s *Store) hashNew(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty: choose one")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password has %d bytes: choose one of at most %d", len(password), maxPassword)
	}
	return s.hasher.hash(ctx, password)
}

func checkUsername(username string) error {
	switch {
	case username == "":
		return errors.New("the username is empty: choose one")
	case len(username) > maxUsername:
		return fmt.Errorf("the username has %d bytes: choose one of at most %d", len(username), maxUsername)
	case !utf8.ValidString(username) || strings.ContainsFunc(username, unicode.IsControl):
		return errors.New("the username has characters that cannot be shown: leave them out")
	}
	return nil
}
