package pgfeed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// installLock is the number of the advisory lock that is held while something is
// put in place, by one process at a time.
const installLock = 0x70616e646f // "pando"

// Setup implements feed.Source. It first looks, and writes only what lacks, so that
// the role of an app needs no right to create anything where a migration has been
// before; what that may be is told by Print. It refuses a server, a role or a table
// that cannot be followed, with the mend.
func (s *Source) Setup(ctx context.Context, tables []*schema.Table) error {
	s.setup.Lock()
	defer s.setup.Unlock()
	if s.isClosed() {
		return errClosed
	}
	known, err := s.prepare(ctx, tables)
	if err != nil {
		return fmt.Errorf("set up the postgres feed: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalog = known
	s.tables = append(make([]*schema.Table, 0, len(tables)), tables...)
	return nil
}

func (s *Source) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// prepare puts in place what lacks and describes the tables.
func (s *Source) prepare(ctx context.Context, tables []*schema.Table) (*catalog, error) {
	found, err := s.examine(ctx, tables)
	if err != nil {
		return nil, err
	}
	if len(found.statements) == 0 {
		return found.catalog, nil
	}
	return s.install(ctx, tables)
}

// examine looks at the way to the server, the tables and the server.
func (s *Source) examine(ctx context.Context, tables []*schema.Table) (*installation, error) {
	if err := s.checkHandle(ctx); err != nil {
		return nil, err
	}
	found, err := s.inspect(ctx, s.db, tables)
	return found, errors.Join(err, s.checkServer(ctx))
}

// install writes what lacks in one transaction. Whoever else does that waits and
// finds it in place.
func (s *Source) install(ctx context.Context, tables []*schema.Table) (*catalog, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(installLock))); err != nil {
		return nil, fmt.Errorf("wait for another process that sets up: %w", err)
	}
	found, err := s.inspect(ctx, tx, tables)
	if err != nil {
		return nil, err
	}
	for _, statement := range found.statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return nil, s.cannotInstall(err, statement, found.statements)
		}
	}
	known, err := s.describeAll(ctx, tx, tables)
	if err != nil {
		return nil, err
	}
	return known, tx.Commit()
}

// cannotInstall tells what to run where the role may not.
func (s *Source) cannotInstall(err error, statement string, statements []string) error {
	if code(err) == insufficientPrivilege {
		return fmt.Errorf("the role may not install what lacks: run migrate as one that owns the tables and may create, or have it run what migrate --print-sql prints (%s): %w", strings.Join(statements, "; "), err)
	}
	return fmt.Errorf("%s: %w", statement, err)
}

// Check implements feed.Checker.
func (s *Source) Check(ctx context.Context, tables []*schema.Table) (ready bool, err error) {
	found, err := s.examine(ctx, tables)
	if err != nil {
		return false, fmt.Errorf("check the database: %w", err)
	}
	return len(found.statements) == 0, nil
}
