package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var (
	_ feed.Printer     = (*Source)(nil)
	_ feed.Uninstaller = (*Source)(nil)
	_ feed.Renewer     = (*Source)(nil)
)

// Print implements feed.Printer.
func (s *Source) Print(ctx context.Context, tables []*schema.Table) ([]string, error) {
	found, err := s.inspect(ctx, s.db, tables)
	if err != nil {
		return nil, fmt.Errorf("look at what lacks: %w", err)
	}
	return found.statements, nil
}

// Grants implements feed.Printer: what lets a role follow, read and write the
// declared tables.
func (s *Source) Grants(ctx context.Context, tables []*schema.Table, role string) ([]string, error) {
	found, err := s.inspect(ctx, s.db, tables)
	if err != nil {
		return nil, fmt.Errorf("look at what is to be granted: %w", err)
	}
	to := " TO " + quote(role)
	var grants []string
	if !s.logs {
		grant, err := s.replicationGrant(ctx, role)
		if err != nil {
			return nil, err
		}
		grants = append(grants, grant)
	}
	grants = append(grants,
		"GRANT USAGE ON SCHEMA "+quote(s.schema)+to,
		"GRANT SELECT, UPDATE ON "+s.own("meta")+to,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON "+s.own("claims")+to)
	if s.logs {
		grants = append(grants, "GRANT SELECT, DELETE ON "+s.own("log")+to, "GRANT SELECT, UPDATE ON "+s.own("log_state")+to)
	}
	var schemas []string
	for _, t := range found.ordered() {
		if !slices.Contains(schemas, t.schema) && t.schema != s.schema {
			schemas = append(schemas, t.schema)
			grants = append(grants, "GRANT USAGE ON SCHEMA "+quote(t.schema)+to)
		}
		if t.declared.Name != messagesTable {
			grants = append(grants, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+t.sqlName()+to)
		}
	}
	if declaresMessages(tables) {
		grants = append(grants, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+s.own("messages")+to)
	}
	return grants, nil
}

// replicationGrant lets a role replicate: by the attribute, or, where nobody may give
// that, as on Amazon RDS and Aurora, by the provider's own role.
func (s *Source) replicationGrant(ctx context.Context, role string) (string, error) {
	var amazon bool
	if err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication')").Scan(&amazon); err != nil {
		return "", fmt.Errorf("look for the roles of the provider: %w", err)
	}
	if amazon {
		return "GRANT rds_replication TO " + quote(role), nil
	}
	return "ALTER ROLE " + quote(role) + " REPLICATION", nil
}

// Uninstall implements feed.Uninstaller: it drops the durable slot, the publication,
// and the schema with Pando's tables in it. Other things in the schema make it fail,
// and so does a process that reads the slot. Replica identities that Setup has set
// stay: what they were before is not known.
func (s *Source) Uninstall(ctx context.Context) error {
	if err := s.uninstall(ctx); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	return nil
}

func (s *Source) uninstall(ctx context.Context) error {
	slot, err := s.slotName(ctx)
	if err != nil {
		return err
	}
	// A slot cannot be dropped in a transaction that has written, and comes first:
	// it would keep the server's log.
	_, err = s.db.ExecContext(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1::text AND database = current_database() AND NOT temporary", slot)
	if err != nil {
		return fmt.Errorf("drop the replication slot %q (stop what reads it): %w", slot, err)
	}
	statements := []string{"DROP PUBLICATION IF EXISTS " + quote(s.publication())}
	for _, own := range ownTables {
		statements = append(statements, "DROP TABLE IF EXISTS "+s.own(own.name))
	}
	statements = append(statements, "DROP SCHEMA IF EXISTS "+quote(s.schema))
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.removeTriggers(ctx, tx); err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}

// Renew implements feed.Renewer.
func (s *Source) Renew(ctx context.Context) error {
	if err := s.ready(); err != nil {
		return err
	}
	result, err := s.db.ExecContext(ctx, s.statement("UPDATE pando.meta SET generation = greatest(generation + 1, extract(epoch FROM clock_timestamp())::bigint)"))
	if err != nil {
		return fmt.Errorf("begin another epoch: %w", err)
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		return errors.Join(errors.New("begin another epoch: nothing is installed: run migrate"), err)
	}
	return nil
}

// inTx runs fn in a transaction.
func (s *Source) inTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}
