package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// selection is the statement that reads the rows of a query, and what is left
// to do in Go: SQL compares values as they are stored, a query as they are
// meant, so only columns whose form is known to agree are compared in SQL.
type selection struct {
	arguments

	query *feed.Query
	where []string
	order string
	// whole tells that the statement reads exactly what the query selects, in
	// its order; otherwise it reads more rows, and Go selects.
	whole bool
}

// formOf tells how a column's values are stored.
type formOf func(column int, ask aspect) (storage, error)

// newSelection decides what of the query SQL can do.
func newSelection(q *feed.Query, formOf formOf) (*selection, error) {
	s := &selection{query: q, whole: true}
	if err := s.values(formOf); err != nil {
		return nil, err
	}
	for i := range q.Where {
		if err := s.condition(&q.Where[i], formOf); err != nil {
			return nil, err
		}
	}
	if q.Limit == 0 && q.After == nil {
		return s, nil
	}
	return s, s.ordered(formOf)
}

// values limits the rows to those whose Column is one of Values.
func (s *selection) values(formOf formOf) error {
	q := s.query
	column := &q.Table.Columns[q.Column]
	parts := stored(q.Table, q.Column)
	forms := make([]storage, len(parts))
	for n, i := range parts {
		f, err := formOf(i, comparisons)
		if err != nil || f.form == odd {
			s.whole = false
			return err
		}
		forms[n] = f
	}
	switch values := fitting(q, parts); {
	case len(values) == 0:
		s.where = append(s.where, "0")
	case len(parts) == 0:
	case column.Parts == nil:
		s.add(s.in(quote(column.Name), forms[0], values))
	case len(values) == 1:
		for n, part := range values[0].Parts() {
			s.add(s.in(quote(q.Table.Columns[parts[n]].Name), forms[n], []schema.Value{part}))
		}
	default:
		s.inTuples(parts, forms, values)
	}
	return nil
}

// add adds a condition that SQL can tell, if ok.
func (s *selection) add(sql string, ok bool) {
	if !ok {
		s.whole = false
		return
	}
	s.where = append(s.where, sql)
}

// in holds for the rows in which a column is one of values. One value alone
// leaves the rows in the order of an index that goes on with other columns.
func (s *selection) in(name string, f storage, values []schema.Value) (sql string, ok bool) {
	values = f.layout.exactly(values)
	switch {
	case len(values) == 0:
		return "0", true
	case len(values) == 1 && f.form == canonical:
		return name + " = " + s.param(values[0]), true
	}
	set, ok := s.set(values)
	return name + " IN (" + set + ")", ok
}

// fitting are the values that a row can have: of the column's kind.
func fitting(q *feed.Query, parts []int) []schema.Value {
	column := &q.Table.Columns[q.Column]
	return slices.DeleteFunc(slices.Clone(q.Values), func(v schema.Value) bool {
		if v.Kind() != column.Kind {
			return true
		}
		if column.Parts == nil {
			return false
		}
		values := v.Parts()
		for i := range values {
			if i >= len(parts) || values[i].Kind() != q.Table.Columns[parts[i]].Kind {
				return true
			}
		}
		return len(values) != len(parts)
	})
}

// condition adds one of the query's conditions, or leaves it to Go.
func (s *selection) condition(c *schema.Bound, formOf formOf) error {
	column := &s.query.Table.Columns[c.Column]
	ask := comparisons
	if c.Op == schema.IsNull || c.Op == schema.NotNull {
		ask = nulls
	}
	f, err := formOf(c.Column, ask)
	if err != nil {
		return err
	}
	fits := !slices.ContainsFunc(c.Values, func(v schema.Value) bool { return !v.IsNull() && v.Kind() != column.Kind })
	if f.form == odd || !fits {
		s.whole = false
		return nil
	}
	s.add(s.compare(c, column, f))
	return nil
}

// compare is a condition in SQL, where SQL can tell.
func (s *selection) compare(c *schema.Bound, column *schema.Column, f storage) (sql string, ok bool) {
	name := quote(column.Name) + " COLLATE BINARY"
	switch c.Op {
	case schema.IsNull, schema.NotNull:
		return name + " " + strings.ToUpper(c.Op.String()), true
	case schema.Eq, schema.In, schema.Ne:
		values := slices.DeleteFunc(slices.Clone(c.Values), schema.Value.IsNull)
		if len(values) == 0 {
			return "0", true
		}
		sql, ok := s.in(name, f, values)
		if c.Op == schema.Ne {
			sql = name + " IS NOT NULL AND NOT (" + sql + ")"
		}
		return sql, ok
	default:
		if c.Values[0].IsNull() {
			return "0", true
		}
		floor, exact := f.layout.floor(c.Values[0])
		return name + " " + comparison(c.Op, exact) + " " + s.param(floor), f.form == canonical
	}
}

// ordered adds the order, what comes after After, and the limit, or leaves all
// of it to Go. The columns of the key come last.
func (s *selection) ordered(formOf formOf) error {
	q := s.query
	order := slices.Clone(q.Order)
	for _, i := range stored(q.Table, q.Table.Key) {
		order = append(order, schema.Order{Column: i})
	}
	layouts := make([]*layout, len(order))
	for n, o := range order {
		f, err := formOf(o.Column, comparisons)
		if err != nil || f.form != canonical {
			s.whole = false
			return err
		}
		layouts[n] = f.layout
	}
	if !s.whole {
		return nil
	}
	for _, i := range stored(q.Table, q.Table.Key) {
		s.where = append(s.where, quote(q.Table.Columns[i].Name)+" IS NOT NULL")
	}
	if q.After != nil {
		s.where = append(s.where, s.after(order, layouts))
	}
	if q.Limit == 0 {
		return nil
	}
	var terms []string
	for _, o := range order {
		term := quote(q.Table.Columns[o.Column].Name) + " COLLATE BINARY"
		if o.Desc {
			term += " DESC"
		}
		terms = append(terms, term)
	}
	s.order = " ORDER BY " + strings.Join(terms, ", ") + " LIMIT " + s.bind(int64(q.Limit))
	return nil
}

// after holds for the rows that come after q.After. SQLite puts NULLs first,
// and last where the order is descending.
func (s *selection) after(order []schema.Order, layouts []*layout) string {
	o := order[0]
	name := quote(s.query.Table.Columns[o.Column].Name) + " COLLATE BINARY"
	value, exact := layouts[0].floor(s.query.After[o.Column])
	later, equal := "0", name+" IS NULL"
	switch {
	case value.IsNull() && !o.Desc:
		later = name + " IS NOT NULL"
	case !value.IsNull():
		param := s.param(value)
		later, equal = name+" > "+param, "0"
		if exact {
			equal = name + " = " + param
		}
		if o.Desc {
			later = "(" + name + " " + comparison(schema.Lt, exact) + " " + param + " OR " + name + " IS NULL)"
		}
	}
	if len(order) == 1 {
		return later
	}
	rest := "(" + later + " OR " + equal + " AND " + s.after(order[1:], layouts[1:]) + ")"
	if o.Desc || value.IsNull() {
		return rest
	}
	// By this an index finds its place.
	return name + " >= " + s.param(value) + " AND " + rest
}

// sql is the whole statement.
func (s *selection) sql() string {
	sql := selectColumns(s.query.Table)
	if len(s.where) > 0 {
		sql += " WHERE " + strings.Join(s.where, " AND ")
	}
	return sql + s.order
}

// selectColumns begins a statement that reads the stored columns of a table.
// The plus takes a column's declared type from the result, by which the driver
// would guess at times; the values come as they are stored, like those in the
// log.
func selectColumns(table *schema.Table) string {
	var columns []string
	for i := range table.Columns {
		if column := &table.Columns[i]; !column.Derived() {
			columns = append(columns, "+"+quote(column.Name))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + quote(table.Name)
}

// run reads the rows of the query and calls fn with each.
func (s *selection) run(ctx context.Context, from querier, source *Source, fn func(schema.Row) error) error {
	q := s.query
	wanted := make(map[schema.Value]bool)
	if !s.whole {
		for _, v := range q.Values {
			wanted[v] = true
		}
	}
	first := q.First()
	err := from.query(ctx, s.sql(), s.args, func(raw []driver.Value) error {
		row := source.canonicalRow(q.Table, raw, nil)
		switch {
		case row == nil:
			return nil
		case s.whole:
			return fn(row)
		case !wanted[row[q.Column]] || !q.Meets(row):
			return nil
		case q.Limit > 0:
			first.Add(row)
			return nil
		default:
			return fn(row)
		}
	})
	for _, row := range first.Rows() {
		if err != nil {
			return err
		}
		err = fn(row)
	}
	return err
}

// arguments are those of a statement.
type arguments struct{ args []driver.NamedValue }

// bind adds an argument and returns its name in the statement.
func (a *arguments) bind(v driver.Value) string {
	a.args = append(a.args, driver.NamedValue{Ordinal: len(a.args) + 1, Value: v})
	return "?" + strconv.Itoa(len(a.args))
}

// param adds a value as it is stored in canonical form. Drivers bind an empty
// blob as they like.
func (a *arguments) param(v schema.Value) string {
	switch v.Kind() {
	case schema.Bool:
		return a.bind(boolInteger(v))
	case schema.Bytes:
		return a.blob(v.Str())
	default:
		return a.bind(v.Driver())
	}
}

// blob adds bytes.
func (a *arguments) blob(bytes string) string {
	return fmt.Sprintf("unhex(%s)", a.bind(fmt.Sprintf("%x", bytes)))
}

func boolInteger(v schema.Value) int64 {
	if v.Bool() {
		return 1
	}
	return 0
}
