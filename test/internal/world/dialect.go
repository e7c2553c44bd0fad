package world

import (
	"fmt"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// dialect is the SQL that each kind of database has for itself. Literals are
// SQLite's until value makes them its own; those of keys and links are alike
// everywhere.
type dialect interface {
	// create makes a table and all that stands on it, foreignKeys what of it has to
	// wait for the other tables.
	create(s *model.Schema, t *model.Table) []Statement
	foreignKeys(s *model.Schema) []Statement
	value(kind model.Kind, literal string) string
	// unchecked begins a transaction that may break links.
	unchecked() []Statement
	// unlessTaken inserts a row unless a unique column has its value already.
	unlessTaken(t *model.Table, insert Statement) Statement
	// replace inserts a row in the place of those that have its key, or its value
	// in the column by, "" for none.
	replace(t *model.Table, insert Statement, key, by, value string) []Statement
	// everyNth is a condition that some rows meet.
	everyNth(n int) string
	deleteFirst(t *model.Table, by string, n int) Statement
	// numbered is an SQL expression of another mark for each integer i.
	numbered() string
}

// speaks is the dialect of a schema's database.
func speaks(s *model.Schema) dialect {
	if s.Database == model.Postgres {
		return postgres{}
	}
	return sqlite{}
}

// sqlite is SQLite's dialect. It has a name for every row, and puts rows in the
// place of others.
type sqlite struct{}

func (sqlite) create(s *model.Schema, t *model.Table) []Statement {
	return append([]Statement{{SQL: createTable(s, t, t.Name)}}, furnish(t)...)
}

func (sqlite) foreignKeys(*model.Schema) []Statement { return nil }

func (sqlite) value(_ model.Kind, literal string) string { return literal }

// unchecked implements dialect: connections differ instead.
func (sqlite) unchecked() []Statement { return nil }

func (sqlite) unlessTaken(_ *model.Table, insert Statement) Statement {
	insert.SQL = strings.Replace(insert.SQL, "INSERT", "INSERT OR IGNORE", 1)
	return insert
}

func (sqlite) replace(_ *model.Table, insert Statement, _, _, _ string) []Statement {
	insert.SQL = strings.Replace(insert.SQL, "INSERT", "INSERT OR REPLACE", 1)
	return []Statement{insert}
}

func (sqlite) everyNth(n int) string { return fmt.Sprintf("rowid %% %d = 0", n) }

func (sqlite) deleteFirst(t *model.Table, by string, n int) Statement {
	return Statement{t.Name, fmt.Sprintf("DELETE FROM %[1]s WHERE rowid IN (SELECT rowid FROM %[1]s ORDER BY %[2]s LIMIT %[3]d)", t.Name, by, n)}
}

func (sqlite) numbered() string { return "printf('~%08x~', i * 2654435761 % 4294967296)" }
