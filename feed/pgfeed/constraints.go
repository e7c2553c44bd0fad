package pgfeed

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Codes of PostgreSQL's errors.
const (
	insufficientPrivilege = "42501"
	undefinedTable        = "42P01"
	undefinedColumn       = "42703"
	// dataException is the class of values that a column cannot have.
	dataException = "22"
	// rolledBack is the class of transactions that were undone for others' sake:
	// serialization failures and deadlocks.
	rolledBack = "40"
	// completionUnknown is of that class, and the one that says nothing.
	completionUnknown = "40003"
)

var constraints = map[string]feed.Constraint{
	"23505": feed.Unique, "23502": feed.NotNull, "23503": feed.ForeignKey, "23514": feed.Check,
	"23001": feed.ForeignKey, "23P01": feed.Unique, "23000": feed.Check, "44000": feed.Check,
	"P0001": feed.Check, // RAISE EXCEPTION of an author's trigger
}

// code is the SQLSTATE of a database's error, by any driver, "" for another error.
func code(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// detail is the name of the constraint or the column that an error tells.
func detail(err error) (constraint, column string) {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.ConstraintName, refused.ColumnName
	}
	var fields interface{ Get(field byte) string } // lib/pq
	if errors.As(err, &fields) {
		return fields.Get('n'), fields.Get('c')
	}
	return "", ""
}

// asConstraint makes an error of a statement on a table, which may be nil, a
// *feed.ConstraintError if it is one. A value that a column cannot have counts as a
// check, and so does what a trigger raises.
func asConstraint(t *table, err error) error {
	if err == nil {
		return nil
	}
	state := code(err)
	kind, met := constraints[state]
	if !met && !strings.HasPrefix(state, dataException) {
		return err
	}
	if !met {
		kind = feed.Check
	}
	return &feed.ConstraintError{Constraint: kind, Column: t.concerned(kind, err), Err: err}
}

// concerned finds the column that an error is about, -1 if it is about several, or
// one that is not declared.
func (t *table) concerned(kind feed.Constraint, err error) int {
	if t == nil {
		return -1
	}
	constraint, column := detail(err)
	if column == "" && kind == feed.Unique {
		for _, u := range t.unique {
			if len(u.Columns) == 1 && unqualified(u.Name) == constraint {
				column = u.Columns[0]
			}
		}
	}
	return slices.IndexFunc(t.declared.Columns, func(c schema.Column) bool { return column != "" && !c.Derived() && c.Name == column })
}

// unqualified is the name of an index as errors tell it.
func unqualified(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
}

// refused tells that a transaction was not carried out for certain: the server said
// so.
func refused(err error) bool {
	state := code(err)
	if state == "" || state == completionUnknown {
		return false
	}
	class := state[:2]
	return class == "23" || class == rolledBack || class == dataException || class == "44" || class == "P0" || class == "25"
}
