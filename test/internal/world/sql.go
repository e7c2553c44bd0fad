package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// Statement is one SQL statement and the table that it changes, "" for none.
type Statement struct {
	Table string `json:"table,omitempty"`
	SQL   string `json:"sql"`
}

// DSN names a database file with the connection settings of a schema.
func DSN(s *model.Schema, file string, foreignKeys bool) string {
	flag := map[bool]int{true: 1}
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"+
		"&_pragma=foreign_keys(%d)&_pragma=recursive_triggers(%d)", file, flag[foreignKeys], flag[s.Recursive])
}

// Create makes the tables, their indexes and their triggers.
func Create(s *model.Schema) []Statement {
	var all []Statement
	sql := speaks(s)
	for _, t := range s.Tables {
		all = append(all, sql.create(s, t)...)
	}
	if s.ForeignKeys {
		all = append(all, sql.foreignKeys(s)...)
	}
	return all
}

// sqlTypes are the types of columns: those by which SQLite keeps values as they
// are.
var sqlTypes = map[model.Kind]string{
	model.Int: "INTEGER", model.BigInt: "INTEGER", model.Bool: "INTEGER", model.Float: "REAL", model.Text: "TEXT",
	model.UUID: "TEXT", model.Time: "TEXT", model.Bytes: "BLOB", model.JSON: "TEXT",
}

// defaults are what columns have that are not set.
var defaults = map[model.Kind]string{
	model.Int: "1", model.BigInt: "9007199254740993", model.Bool: "0", model.Float: "0.5", model.Text: "'ash'",
	model.UUID: "'00000000-1111-4111-8111-111111111111'", model.Time: "'2020-02-28T23:59:59.000000Z'", model.Bytes: "x''", model.JSON: "'{}'",
}

func createTable(s *model.Schema, t *model.Table, name string) string {
	var parts []string
	for _, c := range t.Columns {
		part := c.Name + " " + sqlTypes[c.Kind]
		if !c.Nullable {
			part += " NOT NULL"
		}
		if !c.Nullable && c.References == "" && !c.Marked && !slices.Contains(t.Key, c.Name) {
			part += " DEFAULT " + defaults[c.Kind]
		}
		if c.Unique {
			part += " UNIQUE"
		}
		parts = append(parts, part)
	}
	parts = append(parts, "PRIMARY KEY ("+strings.Join(t.Key, ", ")+")")
	if s.ForeignKeys {
		for _, link := range t.Links() {
			parts = append(parts, foreignKey(s, t, link))
		}
	}
	return "CREATE TABLE " + name + " (" + strings.Join(parts, ", ") + ")"
}

// foreignKey is checked at the commit, so that a child may come first.
func foreignKey(s *model.Schema, t *model.Table, link []string) string {
	c := t.Column(link[0])
	action := "SET NULL"
	if c.Cascade {
		action = "CASCADE"
	}
	return fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
		strings.Join(link, ", "), c.References, strings.Join(s.Table(c.References).Key, ", "), action)
}

// furnish makes what stands on a table: it goes with it.
func furnish(t *model.Table) []Statement {
	var all []Statement
	for _, column := range t.Indexes {
		all = append(all, Statement{SQL: fmt.Sprintf("CREATE INDEX %s_%s ON %s (%s)", t.Name, column, t.Name, column)})
	}
	if g := t.Trigger; g != nil {
		all = append(all, Statement{SQL: fmt.Sprintf("CREATE TRIGGER %[1]s_counts AFTER INSERT ON %[1]s BEGIN "+
			"UPDATE %[2]s SET %[3]s = coalesce(%[3]s, 0) + 1 WHERE id = NEW.%[4]s; END", t.Name, g.Table, g.Column, g.Link)})
	}
	if t.Touch != "" {
		all = append(all, touch(t))
	}
	return all
}

func touch(t *model.Table) Statement {
	return Statement{SQL: fmt.Sprintf("CREATE TRIGGER %[1]s_touch AFTER UPDATE OF mark ON %[1]s WHEN NEW.mark <> OLD.mark BEGIN "+
		"UPDATE %[1]s SET %[2]s = coalesce(%[2]s, 0) + 1 WHERE rowid = NEW.rowid; END", t.Name, t.Touch)}
}

// Retrigger makes a table's trigger anew, so that it is younger than those of
// the feed; there is none for most tables.
func Retrigger(s *model.Schema, table string) []Statement {
	t := s.Table(table)
	if t.Touch == "" {
		return nil
	}
	return []Statement{{SQL: "DROP TRIGGER " + table + "_touch"}, touch(t)}
}

// Rebuild changes a table the way of SQLite's migrations: create, copy, drop,
// rename. It must run on a connection that does not check foreign keys. There
// is none for a table that a trigger names.
func Rebuild(s *model.Schema, table string) []Statement {
	if slices.ContainsFunc(s.Tables, func(t *model.Table) bool { return t.Trigger != nil && t.Trigger.Table == table }) {
		return nil
	}
	t := s.Table(table)
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	columns := strings.Join(names, ", ")
	return append([]Statement{
		{SQL: createTable(s, t, "rebuilt")},
		{SQL: "INSERT INTO rebuilt (" + columns + ") SELECT " + columns + " FROM " + table},
		{SQL: "DROP TABLE " + table},
		{SQL: "ALTER TABLE rebuilt RENAME TO " + table},
	}, furnish(t)...)
}
