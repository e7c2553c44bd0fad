package pgfeed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// oldest is the oldest server that has what is needed, as server_version_num.
const oldest = 140000

// serverFacts are what a server and its database say about themselves.
type serverFacts struct {
	version, slots, senders int
	level                   string
	standby                 bool
	system, database        string
}

const serverQuery = `SELECT current_setting('server_version_num')::int, current_setting('max_replication_slots')::int,
	current_setting('max_wal_senders')::int, current_setting('wal_level'), pg_is_in_recovery(),
	(SELECT system_identifier::text FROM pg_control_system()), current_database()`

// checkServer refuses a server or a role that does not let the database be
// followed.
func (s *Source) checkServer(ctx context.Context) error {
	var f serverFacts
	if err := s.db.QueryRowContext(ctx, serverQuery).Scan(&f.version, &f.slots, &f.senders, &f.level, &f.standby, &f.system, &f.database); err != nil {
		return fmt.Errorf("look at the server: %w", err)
	}
	switch {
	case f.version < oldest:
		return mismatchf("the server is PostgreSQL %d: 14 is the oldest that Pando follows", f.version/10000)
	case f.standby:
		return mismatchf("the handle leads to a standby, which cannot be written: give the address of the primary")
	case s.logs:
		return nil
	}
	var errs []error
	if f.level != "logical" {
		errs = append(errs, mismatchf("the server's wal_level is %s: ALTER SYSTEM SET wal_level = logical, and restart it (a hosted one has an option for logical replication); or use pgfeed.WithTriggerLog", f.level))
	}
	if f.slots == 0 || f.senders == 0 {
		errs = append(errs, mismatchf("the server has max_replication_slots = %d and max_wal_senders = %d: set both to 10 or more, and restart it", f.slots, f.senders))
	}
	return errors.Join(append(errs, s.checkReplication(ctx, &f))...)
}

// checkReplication tries the replication connection.
func (s *Source) checkReplication(ctx context.Context, f *serverFacts) error {
	if s.url == "" {
		return mismatchf("there is no URL for the replication connection: give pgfeed.New that of the server as its second argument; or use pgfeed.WithTriggerLog")
	}
	conn, err := connectReplication(ctx, s.url)
	if err != nil {
		return cannotReplicate(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was only looked at
	identity, err := command(ctx, conn, "IDENTIFY_SYSTEM")
	if err != nil {
		return cannotReplicate(err)
	}
	if identity["systemid"] != f.system || identity["dbname"] != f.database {
		return &wrongServerError{fmt.Sprintf("the replication URL leads to the database %q of the server %s, and the handle to %q of %s: give the URL of the same database",
			identity["dbname"], identity["systemid"], f.database, f.system)}
	}
	process, err := command(ctx, conn, "SELECT pg_backend_pid() AS pid")
	if err != nil {
		return cannotReplicate(err)
	}
	if process["pid"] != strconv.FormatUint(uint64(conn.PID()), 10) {
		return errLogPooler
	}
	return nil
}

// cannotReplicate says what is to be done about a replication connection that the
// server does not take.
func cannotReplicate(err error) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch {
	// A pooler refuses the parameters of replication, or forgets them, so that its
	// commands are none.
	case strings.Contains(refused.Message, "startup parameter") || strings.Contains(refused.Message, "pgbouncer") || refused.Code == codeNoCommand:
		return fmt.Errorf("%w: %w", errLogPooler, err)
	case refused.Code == "53300":
		return fmt.Errorf("all WAL senders of the server are in use: set max_wal_senders higher and restart it: %w", err)
	case mends[refused.Code] != "":
		return mended(err)
	default:
		return err
	}
}
