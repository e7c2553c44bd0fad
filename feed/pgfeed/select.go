package pgfeed

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// selection is a query in SQL.
type selection struct {
	query *feed.Query
	table *table
	// where are conditions, args their parameters.
	where []string
	args  []any
	// whole tells that SQL selects just the rows of the query; else Go does, of all
	// that SQL selects.
	whole bool
	// strict orders by what values are, where the database has some that
	// schema.Value has not; else those are put in order by the database's own way,
	// which an index has.
	strict bool
}

// newSelection puts into SQL what SQL compares as schema.Value does.
func newSelection(q *feed.Query, t *table, strict bool) *selection {
	s := &selection{query: q, table: t, whole: true, strict: strict}
	s.addValues()
	for i := range q.Where {
		s.addCondition(&q.Where[i])
	}
	if s.ordered() && q.After != nil {
		s.addAfter()
	}
	return s
}

// bind adds a parameter.
func (s *selection) bind(text, cast string) string {
	s.args = append(s.args, text)
	return fmt.Sprintf("$%d::%s", len(s.args), cast)
}

// ordered tells whether SQL orders the rows and cuts them off. It cannot where a
// column of the order is compared by Go, nor where Go drops rows.
func (s *selection) ordered() bool {
	if s.query.Limit == 0 || !s.whole {
		return false
	}
	for _, o := range s.order() {
		if s.table.columns[o.Column].compare == inGo {
			s.whole = false
			return false
		}
	}
	return true
}

// order is that of the query with the key's columns.
func (s *selection) order() []schema.Order {
	order := append([]schema.Order{}, s.query.Order...)
	for _, i := range stored(s.table.declared, s.table.declared.Key) {
		order = append(order, schema.Order{Column: i})
	}
	return order
}

// sql is the statement.
func (s *selection) sql(lock string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	first := true
	for _, c := range s.table.columns {
		if c == nil {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(c.output())
	}
	b.WriteString(" FROM " + s.table.sqlName() + " AS t")
	for i, condition := range s.where {
		b.WriteString([]string{" WHERE ", " AND "}[min(i, 1)] + "(" + condition + ")")
	}
	if s.ordered() {
		b.WriteString(" ORDER BY ")
		for i, o := range s.order() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(s.orderBy(o))
		}
		fmt.Fprintf(&b, " LIMIT %d", s.query.Limit)
	}
	b.WriteString(lock)
	return b.String()
}

func (s *selection) orderBy(o schema.Order) string {
	c := s.table.columns[o.Column]
	text := s.sortable(c)
	if o.Desc {
		text += " DESC"
	}
	if c.notNull && c.compare != asFloats {
		return text // an index has no NULLs where they do not belong
	}
	if o.Desc {
		return text + " NULLS LAST"
	}
	return text + " NULLS FIRST"
}

// sortable is SQL for what a column is ordered by.
func (s *selection) sortable(c *column) string {
	if c.compare == asTimes && !s.strict {
		return c.quoted
	}
	return c.ordinal()
}

// ordinal is SQL for what SQL orders as schema.Value orders the column's values.
func (c *column) ordinal() string {
	switch c.compare {
	case asTexts, asLabels:
		if c.collation == "C" || c.collation == "POSIX" {
			return c.quoted
		}
		return "(" + c.output() + `) COLLATE "C"`
	case asTimes:
		return fmt.Sprintf("CASE WHEN %s < '0001-01-01 00:00:00+00 BC' THEN '0001-01-01 00:00:00+00 BC' WHEN %[1]s > '%[2]s' THEN '%[2]s' ELSE %[1]s END", c.quoted, c.last().Str())
	case asFloats:
		const largest = "1.7976931348623157e308"
		return fmt.Sprintf("CASE %s WHEN 'NaN' THEN NULL WHEN 'Infinity' THEN %s WHEN '-Infinity' THEN -%[2]s ELSE %[1]s END", c.quoted, largest)
	default:
		return c.quoted
	}
}

// addValues limits the rows to those of the query's values.
func (s *selection) addValues() {
	i := s.query.Column
	declared := &s.table.declared.Columns[i]
	switch {
	case declared.Parts != nil:
		s.addTuples(declared.Parts)
	case declared.Derived():
		s.whole = false
	default:
		s.where = append(s.where, s.among(s.table.columns[i], s.query.Values))
	}
}

// among is a condition that a column has one of the values; it is true where only
// Go can tell.
func (s *selection) among(c *column, values []schema.Value) string {
	if c.compare == inGo {
		s.whole = false
		return "true"
	}
	var texts []string
	ends := false
	for _, v := range values {
		if !c.findable(v) {
			continue
		}
		ends = ends || c.atEnd(v)
		texts = append(texts, c.text(v))
	}
	switch {
	case len(texts) == 0:
		return "false"
	case c.compare == asLabels:
		return fmt.Sprintf("%s = ANY(ARRAY(SELECT l.enumlabel::text::%s FROM pg_enum l WHERE l.enumtypid = %d AND l.enumlabel = ANY(%s)))",
			c.quoted, c.sqlType, c.typ, s.bind(array(texts), "text[]"))
	case ends || c.compare == asFloats:
		return c.ordinal() + " = ANY(" + s.bind(array(texts), c.sqlType+"[]") + ")"
	case c.byType():
		return c.quoted + " = ANY(" + s.bind(array(texts), c.cast()+"[]") + ")"
	default:
		return c.output() + " = ANY(" + s.bind(array(texts), "text[]") + ")"
	}
}

// atEnd tells that a value is a time which those beyond the years of schema.Time
// count as.
func (c *column) atEnd(v schema.Value) bool {
	if c.compare != asTimes {
		return false
	}
	return v.Str() == firstTime || v == c.last()
}

// last is the last time that the column can have.
func (c *column) last() schema.Value {
	last, _ := c.floor(lastValue)
	return last
}

var lastValue, _ = schema.Time.FromDriver(lastTime)

// addTuples limits the rows to those in which columns together are one of the
// query's tuples.
func (s *selection) addTuples(parts []int) {
	if len(parts) == 0 {
		return // one tuple is that of every row
	}
	columns := make([]*column, len(parts))
	for i, p := range parts {
		columns[i] = s.table.columns[p]
		if columns[i].compare == inGo || columns[i].compare == asFloats {
			s.whole = false
			return
		}
	}
	texts := make([][]string, len(parts))
	for _, tuple := range s.query.Values {
		values := tuple.Parts()
		if len(values) != len(parts) {
			continue
		}
		for i, v := range values {
			if !columns[i].findable(v) {
				values = nil
				break
			}
			if columns[i].atEnd(v) {
				s.whole = false // rare enough
				return
			}
		}
		for i, v := range values {
			texts[i] = append(texts[i], columns[i].text(v))
		}
	}
	if len(texts[0]) == 0 {
		s.where = append(s.where, "false")
		return
	}
	var names, sets, values []string
	for i, c := range columns {
		name, cast := c.quoted, c.cast()
		if !c.byType() || c.compare == asLabels {
			name, cast = c.output(), "text"
		}
		names, sets = append(names, name), append(sets, s.bind(array(texts[i]), cast+"[]"))
		values = append(values, fmt.Sprintf("v%d", i))
	}
	list := strings.Join(values, ", ")
	s.where = append(s.where, fmt.Sprintf("(%s) IN (SELECT %s FROM unnest(%s) AS v (%[2]s))", strings.Join(names, ", "), list, strings.Join(sets, ", ")))
}

// addCondition adds one of the query's conditions.
func (s *selection) addCondition(b *schema.Bound) {
	c := s.table.columns[b.Column]
	if c == nil || c.compare == inGo {
		s.whole = false
		return
	}
	switch b.Op {
	case schema.IsNull:
		s.where = append(s.where, s.nullable(c)+" IS NULL")
	case schema.NotNull:
		s.where = append(s.where, s.nullable(c)+" IS NOT NULL")
	case schema.In, schema.Eq:
		s.where = append(s.where, s.among(c, b.Values))
	default:
		s.where = append(s.where, s.compared(c, b.Op, b.Values[0]))
	}
}

// nullable is SQL for what is NULL when the value is.
func (s *selection) nullable(c *column) string {
	if c.compare == asFloats {
		return c.ordinal()
	}
	return c.quoted
}

// compared is a comparison with one value, which does not hold for NULLs.
func (s *selection) compared(c *column, op schema.Op, v schema.Value) string {
	if v.IsNull() {
		return "false"
	}
	if v.Kind() != c.declared.Kind {
		// Values of other kinds are all before or all after those of the column.
		if holds(op, cmp.Compare(c.declared.Kind, v.Kind())) {
			return s.nullable(c) + " IS NOT NULL"
		}
		return "false"
	}
	cut, exact := c.floor(v)
	if !exact { // between two values that there can be
		switch op {
		case schema.Ne:
			return c.quoted + " IS NOT NULL"
		case schema.Lt:
			op = schema.Le
		case schema.Ge:
			op = schema.Gt
		default:
		}
	}
	left, right := s.sides(c, cut)
	return left + " " + op.String() + " " + right
}

// sides are SQL for what is ordered of a column, and for a value to compare it
// with.
func (s *selection) sides(c *column, v schema.Value) (left, right string) {
	switch c.compare {
	case asTexts, asLabels:
		if !storable(v.Str()) {
			return "convert_to(" + c.output() + ", 'UTF8')", s.bind(`\x`+fmt.Sprintf("%x", v.Str()), "bytea")
		}
		return c.ordinal(), s.bind(v.Str(), "text")
	case asTimes:
		if !c.atEnd(v) {
			return c.quoted, s.bind(c.text(v), c.sqlType)
		}
		return c.ordinal(), s.bind(c.text(v), c.sqlType)
	default:
		return c.ordinal(), s.bind(c.text(v), c.cast())
	}
}

// holds tells whether a comparison of two different things holds by their order.
func holds(op schema.Op, order int) bool {
	switch op {
	case schema.Ne:
		return true
	case schema.Lt, schema.Le:
		return order < 0
	case schema.Gt, schema.Ge:
		return order > 0
	default:
		return false
	}
}

// addAfter limits the rows to those that come after a row in the order.
func (s *selection) addAfter() {
	order := s.order()
	after := s.beyond(order[len(order)-1])
	for i := len(order) - 2; i >= 0; i-- {
		after = s.beyond(order[i]) + " OR " + s.same(order[i]) + " AND (" + after + ")"
	}
	s.where = append(s.where, after)
	// An index can begin with the first column.
	first := order[0]
	c, v := s.table.columns[first.Column], s.query.After[first.Column]
	if v.IsNull() || first.Desc && !c.notNull || c.atEnd(v) || len(order) == 1 {
		return
	}
	op := schema.Ge
	if first.Desc {
		op = schema.Le
	}
	s.where = append(s.where, s.compared(c, op, v))
}

// beyond is SQL for that a column of the order is beyond that of the row After.
func (s *selection) beyond(o schema.Order) string {
	c, v := s.table.columns[o.Column], s.query.After[o.Column]
	switch {
	case v.IsNull() && o.Desc:
		return "false"
	case v.IsNull():
		return s.nullable(c) + " IS NOT NULL"
	case !o.Desc:
		return s.compared(c, schema.Gt, v)
	case c.notNull && c.compare != asFloats:
		return s.compared(c, schema.Lt, v)
	default:
		return "(" + s.compared(c, schema.Lt, v) + " OR " + s.nullable(c) + " IS NULL)"
	}
}

// same is SQL for that a column of the order is as that of the row After.
func (s *selection) same(o schema.Order) string {
	c, v := s.table.columns[o.Column], s.query.After[o.Column]
	if v.IsNull() {
		return s.nullable(c) + " IS NULL"
	}
	if _, exact := c.floor(v); !exact {
		return "false"
	}
	left, right := s.sides(c, v)
	return left + " = " + right
}
