package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var (
	_ feed.Printer     = (*Source)(nil)
	_ feed.Uninstaller = (*Source)(nil)
	_ feed.Renewer     = (*Source)(nil)
)

// Print implements feed.Printer. It makes the changes in a transaction that it
// takes back, for which it waits for other writers until ctx ends.
func (s *Source) Print(ctx context.Context, tables []*schema.Table) (statements []string, err error) {
	err = s.alone(ctx, func(c *conn) error {
		mode := make([]driver.Value, 1)
		if err := c.queryRow(ctx, "PRAGMA journal_mode", mode); err != nil {
			return err
		}
		if !strings.EqualFold(textIn(mode[0]), "wal") {
			statements = append(statements, "PRAGMA journal_mode=WAL")
		}
		if err := patiently(ctx, func() error { return c.exec(ctx, "BEGIN IMMEDIATE") }); err != nil {
			return err
		}
		c.printed = func(sql string, args []driver.Value) { statements = append(statements, inlined(sql, args)) }
		ready, err := inPlace(ctx, c, tables)
		if !ready && err == nil {
			err = putInPlace(ctx, c, tables, false)
		}
		c.printed = nil
		return errors.Join(err, c.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	})
	if err != nil {
		return nil, fmt.Errorf("print the statements of a setup: %w", err)
	}
	return statements, nil
}

// inlined puts arguments, which are texts and integers, into a statement of which
// nothing else has question marks.
func inlined(sql string, args []driver.Value) string {
	for _, arg := range args {
		text := "'" + strings.ReplaceAll(textIn(arg), "'", "''") + "'"
		if n, ok := arg.(int64); ok {
			text = strconv.FormatInt(n, 10)
		}
		sql = strings.Replace(sql, "?", text, 1)
	}
	return sql
}

// Grants implements feed.Printer: who may write the file may do all.
func (*Source) Grants(context.Context, []*schema.Table, string) ([]string, error) { return nil, nil }

// Uninstall implements feed.Uninstaller: it drops the triggers and Pando's own
// tables. The file stays in WAL mode.
func (s *Source) Uninstall(ctx context.Context) error {
	err := s.alone(ctx, func(c *conn) error {
		return c.write(ctx, func() error { return c.dropAll(ctx) })
	})
	if err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	return nil
}

// dropAll drops what bears Pando's name: triggers first, which name the tables.
func (c *conn) dropAll(ctx context.Context) error {
	var statements []string
	const sql = `SELECT type, name FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 6) = 'pando_'
		OR type = 'table' AND name IN ('pando_log', 'pando_shape', 'pando_meta', 'pando_claims', 'pando_messages') ORDER BY type DESC`
	err := c.query(ctx, sql, nil, func(row []driver.Value) error {
		statements = append(statements, "DROP "+strings.ToUpper(textIn(row[0]))+" "+quote(textIn(row[1])))
		return nil
	})
	for _, statement := range statements {
		if err == nil {
			err = c.exec(ctx, statement)
		}
	}
	return err
}

// Renew implements feed.Renewer.
func (s *Source) Renew(ctx context.Context) error {
	if _, _, err := s.ready(); err != nil {
		return err
	}
	err := s.alone(ctx, func(c *conn) error {
		return c.write(ctx, func() error { return c.exec(ctx, "UPDATE pando_meta SET epoch = ?", newEpoch()) })
	})
	if err != nil {
		return fmt.Errorf("begin another epoch: %w", err)
	}
	return nil
}

// alone calls fn with a connection of its own that may write.
func (s *Source) alone(ctx context.Context, fn func(c *conn) error) error {
	f, err := locate(ctx, s.author)
	if err != nil {
		return err
	}
	c, err := f.open(ctx, false)
	if err != nil {
		return err
	}
	return errors.Join(fn(c), c.close())
}
