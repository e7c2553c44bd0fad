package pgfeed

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// steady reads the rows of a transaction that sees one state.
//
// PostgreSQL does not keep the rows of that state where a table is emptied by
// TRUNCATE, or rewritten by ALTER TABLE, between the snapshot and the first
// statement that reads it: the table seems to be empty. Afterwards the statement's
// lock keeps it as it is.
type steady struct {
	tx *sql.Tx
	// kept are the tables that were read and had their rows.
	kept map[*schema.Table]bool
}

func newSteady(tx *sql.Tx) steady { return steady{tx, make(map[*schema.Table]bool)} }

// rows is Source.rows, and fails where the database has not kept the rows.
func (r steady) rows(ctx context.Context, s *Source, q feed.Query, fn func(schema.Row) error) error {
	some := false
	err := s.rows(ctx, r.tx, q, func(row schema.Row) error {
		some = true
		return fn(row)
	})
	if err != nil || len(q.Values) == 0 || r.kept[q.Table] {
		return err
	}
	known, err := s.described()
	if err != nil {
		return err
	}
	t := known.tables[q.Table]
	if !some || t.kind != plainTable {
		if err := t.checkKept(ctx, r.tx); err != nil {
			return err
		}
	}
	r.kept[q.Table] = true
	return nil
}

// checkKept compares the files of a table as the transaction's state has them with
// those that there are.
func (t *table) checkKept(ctx context.Context, tx *sql.Tx) error {
	var kept bool
	err := tx.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT FROM pg_class c
		WHERE (c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid)))
			AND c.relkind = 'r' AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid))`, int64(t.oid)).Scan(&kept)
	switch {
	case err != nil:
		return fmt.Errorf("look whether table %q has kept its rows: %w", t.declared.Name, err)
	case !kept:
		return fmt.Errorf("table %q was emptied or rewritten after the snapshot was taken: its rows are to be read in another one", t.declared.Name)
	}
	return nil
}
