package sqlitefeed

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// More result codes of SQLite.
const (
	codeConstraint = 19
	// codeTrigger is a constraint that is a trigger's RAISE.
	codeTrigger = 1811
)

// constraintPattern is SQLite's text for a constraint, which every driver's
// error has in it, and modernc's the code after it.
var constraintPattern = regexp.MustCompile(`(UNIQUE|NOT NULL|FOREIGN KEY|CHECK) constraint failed(?:: (.*?))?(?: \(\d+\))?$`)

var constraints = map[string]feed.Constraint{
	"UNIQUE": feed.Unique, "NOT NULL": feed.NotNull, "FOREIGN KEY": feed.ForeignKey, "CHECK": feed.Check,
}

// asConstraint makes an error of a statement on table, which may be nil, a
// *feed.ConstraintError if it is one. What a trigger raises counts as a check,
// where the driver is modernc's and tells.
func asConstraint(table *schema.Table, err error) error {
	if err == nil {
		return nil
	}
	if found := constraintPattern.FindStringSubmatch(err.Error()); found != nil {
		return &feed.ConstraintError{Constraint: constraints[found[1]], Column: columnNamed(table, found[2]), Err: err}
	}
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code() == codeTrigger {
		return &feed.ConstraintError{Constraint: feed.Check, Column: -1, Err: err}
	}
	return err
}

// columnNamed finds the column that SQLite names with its table, -1 if it names
// several, or something else.
func columnNamed(table *schema.Table, text string) int {
	if table == nil {
		return -1
	}
	return slices.IndexFunc(table.Columns, func(c schema.Column) bool {
		return !c.Derived() && strings.EqualFold(text, table.Name+"."+c.Name)
	})
}

// refused tells that a COMMIT was not carried out for certain: for a constraint
// or a lock. Of a failure to write nothing is known.
func refused(err error) bool {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		switch failure.Code() & 0xff {
		case codeConstraint, codeBusy, codeLocked:
			return true
		}
		return false
	}
	return passing(err) || constraintPattern.MatchString(err.Error())
}
