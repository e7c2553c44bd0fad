package sqlitefeed

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/pando-sync/pando/schema"
)

// layout is one of the ways to store times in which SQL orders them as
// schema.Value does. The values of a query are compared in the layout of their
// column. A nil layout is that of what is stored in its canonical form, and of
// a column that has no values.
type layout struct {
	// format is that of texts, in UTC and of one width; empty for integers.
	format string
	// unit is what integers count from 1970 on.
	unit time.Duration
}

// layouts are those that are known; a column with times of any other, or of
// several, is odd.
var layouts = []*layout{
	{format: schema.TimeFormat},
	{format: time.DateTime},              // CURRENT_TIMESTAMP, datetime('now')
	{format: "2006-01-02T15:04:05.000Z"}, // strftime('%Y-%m-%dT%H:%M:%fZ'), JavaScript
	{format: "2006-01-02T15:04:05Z"},
	{format: time.DateOnly}, // CURRENT_DATE
	{unit: time.Second},     // unixepoch()
	{unit: time.Millisecond},
}

// layoutOf returns the first layout that a stored time has, or nil.
func layoutOf(raw driver.Value) *layout {
	v, err := schema.Time.FromDriver(raw)
	if err != nil || v.IsNull() {
		return nil
	}
	for _, l := range layouts {
		if l.writes(v, raw) {
			return l
		}
	}
	return nil
}

// writes tells whether v is stored as raw.
func (l *layout) writes(v schema.Value, raw driver.Value) bool {
	stored, exact := l.floor(v)
	return exact && raw == stored.Driver()
}

// floor returns, as it is stored, the latest time of the layout that is not
// after v, and whether that is v itself. Without a layout it is v.
func (l *layout) floor(v schema.Value) (stored schema.Value, exact bool) {
	if l == nil || v.Kind() != schema.Time {
		return v, true
	}
	t, err := time.Parse(schema.TimeFormat, v.Str())
	if err != nil {
		return schema.Value{}, false // no value of kind Time has another form
	}
	switch l.unit {
	case time.Second:
		return schema.IntValue(t.Unix()), t.Equal(time.Unix(t.Unix(), 0))
	case time.Millisecond:
		return schema.IntValue(t.UnixMilli()), t.Equal(time.UnixMilli(t.UnixMilli()))
	default:
		text := t.Format(l.format)
		cut, err := time.Parse(l.format, text)
		return schema.TextValue(text), err == nil && cut.Equal(t)
	}
}

// exactly returns, as they are stored, those of the values that the layout can
// tell.
func (l *layout) exactly(values []schema.Value) []schema.Value {
	if l == nil {
		return values
	}
	var exact []schema.Value
	for _, v := range values {
		if stored, ok := l.floor(v); ok {
			exact = append(exact, stored)
		}
	}
	return exact
}

// comparison is what compares a column with the floor of an operand as op does
// with the operand: nothing lies between the two.
func comparison(op schema.Op, exact bool) string {
	switch {
	case !exact && op == schema.Lt:
		op = schema.Le
	case !exact && op == schema.Ge:
		op = schema.Gt
	}
	return op.String()
}

// plainTime is SQL that holds for times which surely have the layout.
func (l *layout) plainTime() string {
	if l == nil {
		l = layouts[0]
	}
	year0 := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	year9999 := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch l.unit {
	case time.Second:
		return fmt.Sprintf("typeof(%%[1]s) = 'integer' AND %%[1]s BETWEEN %d AND %d", year0.Unix(), year9999.Unix())
	case time.Millisecond: // smaller ones count seconds
		return fmt.Sprintf("typeof(%%[1]s) = 'integer' AND %%[1]s BETWEEN 1000000000001 AND %d", year9999.UnixMilli())
	default:
		return fmt.Sprintf("typeof(%%[1]s) = 'text' AND length(CAST(%%[1]s AS BLOB)) = %d AND %%[1]s GLOB '%s'"+
			" AND substr(%%[1]s, 12, 2) < '24' AND date(substr(%%[1]s, 1, 10)) IS substr(%%[1]s, 1, 10)", len(l.format), timePattern.Replace(l.format))
	}
}

// timePattern makes a format a pattern.
var timePattern = strings.NewReplacer("2006", digits(4), "01", digits(2), "02", digits(2), "15", digits(2),
	"04", "[0-5]"+digits(1), "05", "[0-5]"+digits(1), "0", digits(1))
