package pgfeed

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pando-sync/pando/schema"
)

// parse returns the value of a text that PostgreSQL's output function for the
// column's type wrote. What is read and what is fed both come by here. An error
// says what the column held instead of the declared kind.
//
//   - A time beyond the years of schema.Time, and an infinite one, is the first or
//     the last instant of it, as an infinite float is the largest one.
//   - A char(n) loses the spaces that fill it, which have no meaning in SQL.
//   - An array of kind JSON is a JSON array, whose elements are numbers, booleans,
//     documents or texts.
func (c *column) parse(text []byte) (schema.Value, error) {
	s := string(text)
	switch c.declared.Kind {
	case schema.Bytes:
		raw, err := hex.DecodeString(strings.TrimPrefix(s, `\x`))
		if err != nil {
			return schema.Value{}, fmt.Errorf("%.40q is no bytea in hexadecimal: %w", s, err)
		}
		return schema.BytesValue(raw), nil
	case schema.Time:
		v, err := parseTime(s)
		if v == lastValue {
			v = c.last()
		}
		return v, err
	case schema.Text:
		if c.typ == pgtype.BPCharOID {
			s = strings.TrimRight(s, " ")
		}
	case schema.Float:
		if c.typ == pgtype.Float4OID {
			f, err := strconv.ParseFloat(s, 32)
			return schema.FloatValue(f), err
		}
	case schema.Int:
		// A numeric without digits behind the point has no point.
	case schema.JSON:
		if c.array {
			return c.parseArray(s)
		}
	default:
	}
	return c.declared.Kind.FromDriver(s)
}

// valueOf is parse of a column's text, nil for NULL. What its kind cannot hold is
// NULL, and reported once.
func (s *Source) valueOf(c *column, text []byte) schema.Value {
	if text == nil {
		return schema.Value{}
	}
	v, err := c.parse(text)
	if err == nil {
		return v
	}
	name := c.table + "." + c.name
	if _, known := s.complained.LoadOrStore(name, true); !known {
		s.log.Error("a value cannot be had as its field is declared and is taken as NULL", "column", name, "error", err)
	}
	return schema.Value{}
}

// The first and the last instant of schema.Time.
const (
	firstTime = "0000-01-01T00:00:00.000000Z"
	lastTime  = "9999-12-31T23:59:59.999999Z"
)

// parseTime reads a time in ISO style: the year 1 BC is schema.Time's year 0.
func parseTime(s string) (schema.Value, error) {
	ancient := strings.HasSuffix(s, " BC")
	year, rest, _ := strings.Cut(strings.TrimSuffix(s, " BC"), "-")
	switch {
	case s == "infinity" || !ancient && len(year) > 4:
		s = lastTime
	case s == "-infinity" || ancient && year != "0001":
		s = firstTime
	case ancient:
		s = "0000-" + rest
	}
	return schema.Time.FromDriver(s)
}

// parseArray makes a JSON array of an array's text. The elements are parsed as if
// they were texts, since all types write them alike.
func (c *column) parseArray(s string) (schema.Value, error) {
	var a pgtype.Array[*string]
	if err := arrays.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(s), &a); err != nil {
		return schema.Value{}, fmt.Errorf("%.40q is no array: %w", s, err)
	}
	if len(a.Dims) == 0 {
		return schema.JSON.FromDriver("[]")
	}
	elements := a.Elements
	doc, err := c.nest(a.Dims, &elements)
	if err != nil {
		return schema.Value{}, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return schema.Value{}, fmt.Errorf("%.40q is no array: %w", s, err)
	}
	return schema.JSON.FromDriver(text)
}

// arrays reads and writes arrays of texts.
var arrays = pgtype.NewMap()

// nest takes the elements of an array off their list, dimension by dimension.
func (c *column) nest(dims []pgtype.ArrayDimension, elements *[]*string) (any, error) {
	if len(dims) == 0 {
		first := (*elements)[0]
		*elements = (*elements)[1:]
		return c.documentOf(first)
	}
	list := make([]any, dims[0].Length)
	for i := range list {
		var err error
		if list[i], err = c.nest(dims[1:], elements); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// documentOf is an element of an array as a JSON document.
func (c *column) documentOf(element *string) (any, error) {
	if element == nil {
		return nil, nil
	}
	switch c.element {
	case pgtype.BoolOID:
		return *element == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		if !json.Valid([]byte(*element)) { // NaN, Infinity
			return *element, nil
		}
		return json.Number(*element), nil
	case pgtype.JSONOID, pgtype.JSONBOID:
		return json.RawMessage(*element), nil
	case pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
		v, err := parseTime(*element)
		return v.Str(), err
	default:
		return *element, nil
	}
}
