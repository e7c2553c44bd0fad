package sqlitefeed

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// format is the version of what is installed.
const format = 1

// Statements that create what is installed besides triggers. The log's value
// columns are added as wide as the widest followed table needs.
const (
	createMeta = `CREATE TABLE pando_meta (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	format INTEGER NOT NULL,
	epoch TEXT NOT NULL,
	generation INTEGER NOT NULL,
	trimmed INTEGER NOT NULL
)`
	createShape = `CREATE TABLE pando_shape (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	columns TEXT NOT NULL,
	UNIQUE (name, columns)
)`
	createLog = `CREATE TABLE pando_log (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
	shape INTEGER NOT NULL,
	op INTEGER NOT NULL
)`
)

// ownTable is a table of ours that is no part of the log, by the statements that
// create it. Releases without it leave it alone.
type ownTable struct {
	name   string
	create []string
	// declared tells that only those need it who declare it.
	declared bool
}

var ownTables = []ownTable{
	{name: "pando_claims", create: []string{
		`CREATE TABLE pando_claims (
	owner TEXT NOT NULL,
	key TEXT NOT NULL,
	print TEXT NOT NULL,
	reply BLOB,
	at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
	PRIMARY KEY (owner, key)
)`,
		"CREATE INDEX pando_claims_at ON pando_claims (at)",
	}},
	{name: "pando_messages", declared: true, create: []string{
		`CREATE TABLE pando_messages (
	id TEXT PRIMARY KEY,
	topic TEXT NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	created_at INTEGER NOT NULL
)`,
	}},
}

// missing returns those of our tables that tables need and the database lacks.
func missing(ctx context.Context, c *conn, tables []*schema.Table) (lacking []ownTable, err error) {
	for _, own := range ownTables {
		if own.declared && !slices.ContainsFunc(tables, func(t *schema.Table) bool { return strings.EqualFold(t.Name, own.name) }) {
			continue
		}
		err := c.queryRow(ctx, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", make([]driver.Value, 1), own.name)
		switch {
		case errors.Is(err, io.EOF):
			lacking = append(lacking, own)
		case err != nil:
			return nil, fmt.Errorf("look for table %s: %w", own.name, err)
		}
	}
	return lacking, nil
}

// createOwn creates those of our tables that are missing.
func createOwn(ctx context.Context, c *conn, tables []*schema.Table) error {
	lacking, err := missing(ctx, c, tables)
	if err != nil {
		return err
	}
	for _, own := range lacking {
		for _, sql := range own.create {
			if err := c.exec(ctx, sql); err != nil {
				return fmt.Errorf("create table %s: %w", own.name, err)
			}
		}
	}
	return nil
}

// install puts in place whatever is missing or differs, in one write
// transaction; it writes nothing when all is in place. Triggers that were put
// back raise the log's generation, because changes may have gone unlogged;
// restored does so by itself.
func install(ctx context.Context, c *conn, tables []*schema.Table, restored bool) error {
	if !restored {
		if err := c.begin(); err != nil {
			return err
		}
		ready, err := inPlace(ctx, c, tables)
		if e := c.end(); err == nil {
			err = e
		}
		if ready || err != nil {
			return err
		}
	}
	return c.write(ctx, func() error { return putInPlace(ctx, c, tables, restored) })
}

// putInPlace is install within the caller's write transaction.
func putInPlace(ctx context.Context, c *conn, tables []*schema.Table, restored bool) error {
	created, err := createTables(ctx, c)
	if err != nil {
		return err
	}
	if err := createOwn(ctx, c, tables); err != nil {
		return err
	}
	descriptions, err := c.describeAll(ctx, tables)
	if err != nil {
		return err
	}
	changed := restored
	for _, d := range descriptions {
		replaced, err := installTriggers(ctx, c, d)
		if err != nil {
			return fmt.Errorf("install triggers on table %q: %w", d.name, err)
		}
		changed = changed || replaced
	}
	if created || !changed {
		return nil
	}
	return c.exec(ctx, "UPDATE pando_meta SET generation = generation + 1")
}

// inPlace tells whether everything that tables need is installed. It reads
// within the caller's transaction.
func inPlace(ctx context.Context, c *conn, tables []*schema.Table) (bool, error) {
	if ok, err := hasLog(ctx, c); !ok || err != nil {
		return false, err
	}
	if lacking, err := missing(ctx, c, tables); len(lacking) > 0 || err != nil {
		return false, err
	}
	descriptions, err := c.describeAll(ctx, tables)
	if err != nil {
		return false, err
	}
	for _, d := range descriptions {
		shape, err := findShape(ctx, c, d)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, t := range d.triggers(shape) {
			if same, err := hasTrigger(ctx, c, t); !same || err != nil {
				return false, err
			}
		}
		if first, err := firesFirst(ctx, c, d); !first || err != nil {
			return false, err
		}
	}
	return true, nil
}

// hasLog tells whether the log and its meta row exist in our format.
func hasLog(ctx context.Context, c *conn) (bool, error) {
	row := make([]driver.Value, 1)
	const sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('pando_meta', 'pando_shape', 'pando_log')"
	if err := c.queryRow(ctx, sql, row); err != nil || row[0] != int64(3) {
		return false, err
	}
	err := c.queryRow(ctx, "SELECT format FROM pando_meta", row)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err == nil && row[0] != int64(format) {
		return false, mismatchf("the database's change log has format %v and this program writes %d: run the release of Pando that wrote it, or drop pando_log, pando_shape and pando_meta", row[0], format)
	}
	return err == nil, err
}

// createTables makes the log anew, with a new epoch, unless it is whole.
func createTables(ctx context.Context, c *conn) (created bool, err error) {
	if ok, err := hasLog(ctx, c); ok || err != nil {
		return false, err
	}
	for _, sql := range []string{
		"DROP TABLE IF EXISTS pando_meta", createMeta,
		"DROP TABLE IF EXISTS pando_shape", createShape,
		"DROP TABLE IF EXISTS pando_log", createLog,
		fmt.Sprintf("INSERT INTO pando_meta VALUES (1, %d, '%s', 1, 0)", format, newEpoch()),
	} {
		if err := c.exec(ctx, sql); err != nil {
			return false, fmt.Errorf("create the change log: %w", err)
		}
	}
	return true, nil
}

// newEpoch names a history that there has not been yet.
func newEpoch() string {
	random := make([]byte, 8)
	rand.Read(random)
	return hex.EncodeToString(random)
}

// firesFirst tells whether d's triggers are the newest on its table, which fire
// before older ones. An author's trigger that fires before them can keep them
// from firing and the row changed, by RAISE(IGNORE), or by failing in a
// statement with OR FAIL.
func firesFirst(ctx context.Context, c *conn, d *description) (bool, error) {
	row := make([]driver.Value, 1)
	const sql = `SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema AS theirs, sqlite_schema AS ours
		WHERE theirs.type = 'trigger' AND theirs.tbl_name = ?1 COLLATE NOCASE AND substr(theirs.name, 1, 6) <> 'pando_'
		AND ours.type = 'trigger' AND ours.tbl_name = ?1 COLLATE NOCASE AND substr(ours.name, 1, 6) = 'pando_'
		AND theirs.rowid > ours.rowid)`
	err := c.queryRow(ctx, sql, row, d.name)
	return row[0] == int64(1), err
}

// installTriggers puts d's triggers in place and tells whether one of them
// was missing or differed, or did not fire first.
func installTriggers(ctx context.Context, c *conn, d *description) (replaced bool, err error) {
	if err := widenLog(ctx, c, len(d.columns)); err != nil {
		return false, err
	}
	if err := c.exec(ctx, "INSERT OR IGNORE INTO pando_shape (name, columns) VALUES (?, ?)", d.name, columnList(d)); err != nil {
		return false, err
	}
	shape, err := findShape(ctx, c, d)
	if err != nil {
		return false, err
	}
	first, err := firesFirst(ctx, c, d)
	if err != nil {
		return false, err
	}
	for _, t := range d.triggers(shape) {
		same, err := hasTrigger(ctx, c, t)
		if err != nil {
			return false, err
		}
		if same && first {
			continue
		}
		replaced = true
		if err := c.exec(ctx, "DROP TRIGGER IF EXISTS "+quote(t.name)); err != nil {
			return false, err
		}
		if t.sql == "" {
			continue
		}
		if err := c.exec(ctx, t.sql); err != nil {
			return false, err
		}
	}
	return replaced, nil
}

// widenLog adds the value columns that a table of n columns needs.
func widenLog(ctx context.Context, c *conn, n int) error {
	row := make([]driver.Value, 1)
	const sql = "SELECT count(*) FROM pragma_table_info('pando_log') WHERE substr(name, 1, 4) = 'new_'"
	if err := c.queryRow(ctx, sql, row); err != nil {
		return err
	}
	for i := int(integerIn(row[0])); i < n; i++ {
		for _, side := range [...]string{"old_", "new_"} {
			if err := c.exec(ctx, "ALTER TABLE pando_log ADD COLUMN "+side+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasTrigger tells whether t stands in the database word for word, or is not
// there when it must not be.
func hasTrigger(ctx context.Context, c *conn, t trigger) (bool, error) {
	row := make([]driver.Value, 1)
	err := c.queryRow(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ? COLLATE NOCASE", row, t.name)
	if errors.Is(err, io.EOF) {
		return t.sql == "", nil
	}
	return err == nil && row[0] == t.sql, err
}

// findShape returns the id of d's columns, or io.EOF.
func findShape(ctx context.Context, c *conn, d *description) (int64, error) {
	row := make([]driver.Value, 1)
	err := c.queryRow(ctx, "SELECT id FROM pando_shape WHERE name = ? AND columns = ?", row, d.name, columnList(d))
	if err != nil {
		return 0, err
	}
	return integerIn(row[0]), nil
}

// columnList is how a shape stores the names of d's columns.
func columnList(d *description) string {
	list, _ := json.Marshal(d.columns) //nolint:errchkjson // strings always marshal
	return string(list)
}
