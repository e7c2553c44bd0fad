package pgfeed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// mends are the errors of PostgreSQL that do not pass by themselves, by their
// codes, with what to do.
var mends = map[string]string{
	"28000":           "let the role connect for replication in pg_hba.conf",
	"28P01":           "give the URL the right password",
	"3D000":           "give the URL the database's name",
	"42501":           "ALTER ROLE … REPLICATION for the role of the replication URL, or on Amazon RDS and Aurora GRANT rds_replication TO it, and grant it what migrate --print-sql lists",
	"42704":           "run migrate, which creates the publication",
	codeNotReady:      "set wal_level = logical in postgresql.conf and restart the server",
	"0A000":           "use PostgreSQL 14 or newer, and a replication URL that leads to the server without a pooler in between",
	codeNoCommand:     "give a replication URL that leads to PostgreSQL without a pooler in between",
	codeNoStatement:   preparedMend,
	codeSameStatement: preparedMend,
}

// codeNoCommand is that of a command that is none, as those of replication are on
// other connections.
const codeNoCommand = "42601"

// codeNotReady is that of a server or an object that is not in the state that is
// needed.
const codeNotReady = "55000"

// wrongServerError tells that the replication URL and the handle lead to two
// databases.
type wrongServerError struct{ message string }

func (e *wrongServerError) Error() string { return e.message }

// permanent tells whether an error stays until somebody mends what it is about.
func permanent(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		// The code has other meanings, too, as that a slot is lost.
		return mends[refused.Code] != "" && (refused.Code != codeNotReady || strings.Contains(refused.Message, "wal_level"))
	}
	if _, ok := errors.AsType[*wrongServerError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*brokenError](err); ok {
		return true
	}
	_, ok := errors.AsType[*undecodableError](err)
	return ok || errors.Is(err, errGarbage)
}

// passes tells whether an error is that of a server which cannot be reached, or is
// busy, so that it may be gone the next time.
func passes(err error) bool {
	if _, ok := errors.AsType[*mismatch](err); ok || permanent(err) {
		return false
	}
	state := code(err)
	return len(state) < 2 || slices.Contains([]string{"08", "40", "53", "55", "57"}, state[:2])
}

// mended adds to an error what to do about it.
func mended(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("%w: %s", err, mends[refused.Code])
	}
	return err
}

// brokenError tells that the declared tables cannot be followed any more.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
