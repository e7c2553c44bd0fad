package pgfeed

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// catalog is what the database says about the declared tables.
type catalog struct {
	tables map[*schema.Table]*table
	// byOID finds a table as the log names it.
	byOID map[uint32]*table
}

// table is a declared table as the database has it.
type table struct {
	declared *schema.Table
	oid      uint32
	// schema and name are how the log names the table.
	schema, name string
	kind         relationKind
	identity     byte
	persistence  byte
	isPartition  bool
	inherited    bool
	hidesRows    bool
	// columns are those of declared.Columns, nil for derived ones.
	columns []*column
	// unique are the sets of columns, sorted, that no two rows share.
	unique []uniqueSet
	// identifying are the columns of the replica identity; nil when the identity is
	// FULL or NOTHING.
	identifying []string
}

// relationKind is pg_class.relkind.
type relationKind byte

const (
	plainTable       relationKind = 'r'
	partitionedTable relationKind = 'p'
	foreignTable     relationKind = 'f'
)

// The replica identities, as pg_class.relreplident.
const (
	identityDefault = 'd'
	identityNothing = 'n'
	identityAll     = 'f'
	identityIndex   = 'i'
)

// uniqueSet is a unique index without conditions.
type uniqueSet struct {
	Name      string   `json:"name"`
	Columns   []string `json:"columns"`
	Primary   bool     `json:"primary"`
	Identity  bool     `json:"identity"`
	Immediate bool     `json:"immediate"`
}

// sqlName names the table in statements.
func (t *table) sqlName() string { return quote(t.schema) + "." + quote(t.name) }

// A mismatch is a declared table or column that the database cannot follow.
type mismatch struct{ message string }

func (m *mismatch) Error() string { return m.message }

func mismatchf(format string, args ...any) error {
	return &mismatch{fmt.Sprintf(format, args...)}
}

// asker is a handle or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// describeAll describes tables in order. Its error has all that cannot be
// followed, joined; those that lack are for the caller to leave out.
func (s *Source) describeAll(ctx context.Context, q asker, tables []*schema.Table) (*catalog, error) {
	c := &catalog{tables: make(map[*schema.Table]*table), byOID: make(map[uint32]*table)}
	var errs []error
	for _, declared := range tables {
		t, err := s.describe(ctx, q, declared)
		if err == nil && c.byOID[t.oid] != nil {
			err = mismatchf("%q and %q are one table: declare it by one name", declared.Name, c.byOID[t.oid].declared.Name)
		}
		if err != nil {
			if _, ours := errors.AsType[*mismatch](err); !ours {
				err = fmt.Errorf("describe table %q: %w", declared.Name, err)
			}
			errs = append(errs, err)
			continue
		}
		c.tables[declared], c.byOID[t.oid] = t, t
	}
	return c, errors.Join(errs...)
}

// messagesTable is the declared name of Pando's own table of messages, which is in
// Pando's schema.
const messagesTable = "pando_messages"

// reference is how a declared table is named in SQL: as it is, or, when there is
// none of that name, with its schema before a dot.
func (s *Source) reference(declared string) (whole, parted string) {
	if declared == messagesTable {
		return s.own("messages"), ""
	}
	if before, after, ok := strings.Cut(declared, "."); ok {
		parted = quote(before) + "." + quote(after)
	}
	return quote(declared), parted
}

const relationQuery = `SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relreplident::text, c.relpersistence::text, c.relispartition,
	EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid), row_security_active(c.oid)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = coalesce(to_regclass($1::text), to_regclass($2::text))`

// describe reads how the database defines a table and refuses what cannot be
// followed.
func (s *Source) describe(ctx context.Context, q asker, declared *schema.Table) (*table, error) {
	t := &table{declared: declared}
	whole, parted := s.reference(declared.Name)
	var kind, identity, persistence string
	err := q.QueryRowContext(ctx, relationQuery, whole, sql.NullString{String: parted, Valid: parted != ""}).Scan(
		&t.oid, &t.schema, &t.name, &kind, &identity, &persistence, &t.isPartition, &t.inherited, &t.hidesRows)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, mismatchf("table %q does not exist, or is not in the search_path: create it, or give its Go struct a TableName method that returns the right name, with its schema before a dot", declared.Name)
	case err != nil:
		return nil, err
	}
	t.kind, t.identity, t.persistence = relationKind(kind[0]), identity[0], persistence[0]
	if err := t.checkKind(); err != nil {
		return nil, err
	}
	if err := t.readColumns(ctx, q); err != nil {
		return nil, err
	}
	if err := t.readUnique(ctx, q); err != nil {
		return nil, err
	}
	return t, errors.Join(t.checkColumns(), t.checkKey(), t.checkIdentity(s.isFull(declared)), t.checkFilled(ctx, q))
}

// checkKind refuses what is no table whose changes the server logs.
func (t *table) checkKind() error {
	switch {
	case t.kind == foreignTable:
		return mismatchf("%q is a foreign table, which cannot be followed: follow it where its rows are", t.declared.Name)
	case t.kind != plainTable && t.kind != partitionedTable:
		return mismatchf("%q is a view, which cannot be followed: declare the tables that it reads", t.declared.Name)
	case t.persistence == 'u':
		return mismatchf("table %q is unlogged, so that its changes are in no log: ALTER TABLE %s SET LOGGED", t.declared.Name, t.sqlName())
	case t.persistence == 't':
		return mismatchf("table %q is temporary, which no other connection sees: create a permanent one", t.declared.Name)
	case t.kind == plainTable && t.inherited:
		return mismatchf("other tables inherit from table %q, and their changes are not logged as its own: make it a partitioned table, or declare the others", t.declared.Name)
	case t.hidesRows:
		return mismatchf("row-level security hides rows of table %q from the role that the app connects as, while the log has all: ALTER ROLE … BYPASSRLS, and let the channels' permissions decide", t.declared.Name)
	}
	return nil
}

// The type of a column is that below all of its domains.
const columnsQuery = `SELECT a.attname, a.atttypid, b.oid, b.modifier, t.typname, t.typtype::text, t.typcategory::text,
	coalesce(e.typname, ''), coalesce(t.typelem, 0), format_type(b.oid, -1), a.attnotnull, a.attgenerated::text,
	CASE WHEN l.collname = 'default' AND (SELECT d.datcollate IN ('C', 'POSIX') AND to_jsonb(d) ->> 'datlocprovider' IS DISTINCT FROM 'i'
		FROM pg_database d WHERE d.datname = current_database()) THEN 'C' ELSE coalesce(l.collname, '') END, coalesce(l.collisdeterministic, true),
	EXISTS (SELECT FROM pg_cast x WHERE x.castsource = b.oid AND x.casttarget = 'text'::regtype AND x.castmethod = 'f')
	FROM pg_attribute a
	CROSS JOIN LATERAL (WITH RECURSIVE d (oid, modifier, typtype, base, below) AS (
		SELECT t.oid, a.atttypmod, t.typtype, t.typbasetype, t.typtypmod FROM pg_type t WHERE t.oid = a.atttypid
		UNION ALL SELECT t.oid, d.below, t.typtype, t.typbasetype, t.typtypmod FROM d JOIN pg_type t ON t.oid = d.base WHERE d.typtype = 'd')
		SELECT d.oid, d.modifier FROM d WHERE d.typtype <> 'd') b
	JOIN pg_type t ON t.oid = b.oid
	LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
	LEFT JOIN pg_collation l ON l.oid = a.attcollation
	WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

// readColumns fills columns.
func (t *table) readColumns(ctx context.Context, q asker) error {
	rows, err := q.QueryContext(ctx, columnsQuery, int64(t.oid))
	if err != nil {
		return err
	}
	defer rows.Close()
	all := make(map[string]*column)
	for rows.Next() {
		c := &column{}
		var typtype, category, generated string
		err := rows.Scan(&c.name, &c.declaredType, &c.typ, &c.modifier, &c.typeName, &typtype, &category,
			&c.elementName, &c.element, &c.sqlType, &c.notNull, &generated, &c.collation, &c.deterministic, &c.castsOtherwise)
		if err != nil {
			return err
		}
		c.enum, c.array, c.generated = typtype == "e", category == "A", generated != ""
		all[c.name] = c
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range t.declared.Columns {
		declared := &t.declared.Columns[i]
		if declared.Derived() {
			t.columns = append(t.columns, nil)
			continue
		}
		found := all[declared.Name]
		if found == nil {
			return mismatchf(`column %q of table %q does not exist: add it to the table, name the right one with the tag db:"…", or leave the field out with pando:"-"`, declared.Name, t.declared.Name)
		}
		c := *found
		c.declared, c.table, c.bare, c.quoted = declared, t.declared.Name, quote(c.name), "t."+quote(c.name)
		t.columns = append(t.columns, &c)
	}
	return nil
}

const uniqueQuery = `SELECT coalesce(json_agg(json_build_object('name', i.indexrelid::regclass::text, 'primary', i.indisprimary, 'identity', i.indisreplident,
		'immediate', i.indimmediate, 'columns', (SELECT json_agg(a.attname ORDER BY a.attname)
			FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (num, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
			WHERE k.place <= i.indnkeyatts))), '[]')::text
	FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL`

// readUnique fills unique and identifying.
func (t *table) readUnique(ctx context.Context, q asker) error {
	var text string
	if err := q.QueryRowContext(ctx, uniqueQuery, int64(t.oid)).Scan(&text); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), &t.unique); err != nil {
		return err
	}
	for _, u := range t.unique {
		slices.Sort(u.Columns)
		if u.Primary && t.identity == identityDefault || u.Identity && t.identity == identityIndex {
			t.identifying = u.Columns
		}
	}
	return nil
}

// checkColumns refuses columns whose values cannot be had as they are declared,
// or that compare otherwise.
func (t *table) checkColumns() error {
	linking := make(map[int]bool)
	for _, i := range append([]int{t.declared.Key}, t.declared.Links...) {
		for _, part := range stored(t.declared, i) {
			linking[part] = true
		}
	}
	var errs []error
	for i, c := range t.columns {
		if c != nil {
			errs = append(errs, c.accept(linking[i]))
		}
	}
	return errors.Join(errs...)
}

const neededQuery = `SELECT a.attname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
	WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attnotnull OR t.typnotnull)
		AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AND t.typdefault IS NULL ORDER BY a.attnum`

// checkFilled refuses a table whose rows cannot be inserted with the columns that
// are set.
func (t *table) checkFilled(ctx context.Context, q asker) error {
	if t.declared.Filled == nil {
		return nil
	}
	rows, err := q.QueryContext(ctx, neededQuery, int64(t.oid))
	if err != nil {
		return err
	}
	defer rows.Close()
	var errs []error
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !slices.ContainsFunc(t.declared.Filled, func(i int) bool { return t.declared.Columns[i].Name == name }) {
			errs = append(errs, mismatchf("column %q of table %q must have a value, which writes of a many-to-many relation do not give: "+
				"ALTER TABLE %s ALTER COLUMN %s SET DEFAULT …, or leave the relation out of the Fields of bindings that write", name, t.declared.Name, t.sqlName(), quote(name)))
		}
	}
	return errors.Join(append(errs, rows.Err())...)
}

// stored returns the columns that hold a column's values in the database: its
// parts if it is a tuple, and else itself.
func stored(table *schema.Table, column int) []int {
	if parts := table.Columns[column].Parts; parts != nil {
		return parts
	}
	return []int{column}
}

// checkKey refuses a key that may name two rows.
func (t *table) checkKey() error {
	key := t.key()
	for _, u := range t.unique {
		if slices.Equal(u.Columns, key) {
			return nil
		}
	}
	if len(key) > 1 {
		return mismatchf("key columns %q of table %q are together neither the primary key nor unique: declare another key, or CREATE UNIQUE INDEX on them", key, t.declared.Name)
	}
	return mismatchf("key column %q of table %q is neither the primary key nor unique: declare another key, or CREATE UNIQUE INDEX on it", key, t.declared.Name)
}

// key names the columns of the declared key, sorted.
func (t *table) key() []string {
	var key []string
	for _, i := range stored(t.declared, t.declared.Key) {
		key = append(key, t.declared.Columns[i].Name)
	}
	slices.Sort(key)
	return key
}

// checkIdentity refuses a table of whose deleted rows the log does not tell the
// key, and one that could not be changed once it was published; full tells that it
// has, or is to get, the identity FULL.
func (t *table) checkIdentity(full bool) error {
	if full || t.identity == identityAll {
		return nil
	}
	mend := "ALTER TABLE " + t.sqlName() + " REPLICA IDENTITY FULL"
	for _, u := range t.unique {
		if slices.Equal(u.Columns, t.key()) && u.Immediate && !u.Primary {
			mend = "make the columns NOT NULL, and ALTER TABLE " + t.sqlName() + " REPLICA IDENTITY USING INDEX " + u.Name
		}
	}
	if t.identifying == nil {
		return mismatchf("table %q has neither a primary key nor another replica identity, so that it could not be updated once its changes are published: %s", t.declared.Name, mend)
	}
	for _, name := range t.key() {
		if !slices.Contains(t.identifying, name) {
			return mismatchf("key column %q of table %q is not in its replica identity %q, so that the log does not tell which row was deleted: declare the primary key as key, or %s", name, t.declared.Name, t.identifying, mend)
		}
	}
	return nil
}
