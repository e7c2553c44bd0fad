package pgfeed

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pando-sync/pando/schema"
)

// Values go in as texts with casts, so that they are the same by every driver.

// cast is the type that a parameter of the column's values is cast to.
func (c *column) cast() string {
	if c.declared.Kind == schema.Int && c.typ != pgtype.NumericOID {
		return "int8" // one that is too large for the column is of no row
	}
	return c.sqlType
}

// text is a value, which is of the column's kind, as a parameter.
func (c *column) text(v schema.Value) string {
	switch v.Kind() {
	case schema.Bytes:
		return `\x` + hex.EncodeToString([]byte(v.Str()))
	case schema.Time:
		return timeText(v)
	case schema.Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return v.String()
	}
}

// timeText is how PostgreSQL reads a time: it has no year 0.
func timeText(v schema.Value) string {
	s := v.Str()
	if strings.HasPrefix(s, "0000-") {
		return "0001" + s[4:] + " BC"
	}
	return s
}

// storable tells whether a text can be in the database: it has no NUL.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// findable tells whether a row of the column can have a value, so that it may be
// asked for by its type.
func (c *column) findable(v schema.Value) bool {
	if v.Kind() != c.declared.Kind {
		return false
	}
	s := v.Str()
	switch v.Kind() {
	case schema.Time:
		_, exact := c.floor(v)
		return exact
	case schema.Text:
		switch {
		case !storable(s):
			return false
		case c.typ == pgtype.BPCharOID:
			return !strings.HasSuffix(s, " ")
		case c.typ == pgtype.UUIDOID:
			same, err := schema.UUID.FromDriver(s)
			return err == nil && same.Str() == s
		case slices.Contains(integerTypes, c.typ):
			i, err := strconv.ParseInt(s, 10, 64)
			return err == nil && strconv.FormatInt(i, 10) == s
		}
	default:
	}
	return true
}

// byType tells whether equal values are found by the column itself, whose index
// serves then, and not by their texts.
func (c *column) byType() bool {
	switch c.compare {
	case plainly, asTimes, asLabels:
		return true
	case asTexts:
		return slices.Contains(textTypes, c.typ) && c.typ != pgtype.NameOID && c.deterministic || slices.Contains(integerTypes, c.typ) || c.typ == pgtype.UUIDOID
	default:
		return false
	}
}

// floor is the latest time that the column's type can tell which is not after v,
// and whether that is v itself. Values of other kinds are their own.
func (c *column) floor(v schema.Value) (cut schema.Value, exact bool) {
	if v.Kind() != schema.Time {
		return v, true
	}
	t, err := time.Parse(schema.TimeFormat, v.Str())
	if err != nil {
		return v, true // no value of kind Time has another form
	}
	at := t
	switch {
	case c.typ == pgtype.DateOID:
		at = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	case c.secondDigits() < 6:
		step := 1
		for range 9 - c.secondDigits() {
			step *= 10
		}
		at = t.Add(-time.Duration(t.Nanosecond() % step))
	}
	return schema.TimeValue(at), at.Equal(t)
}

// array is an array of texts as PostgreSQL reads it.
func array(texts []string) string {
	b := make([]byte, 0, 16*len(texts)+2)
	b = append(b, '{')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendElement(b, text)
	}
	return string(append(b, '}'))
}

func appendElement(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}

// argument is a value as it is written into the column, nil for NULL.
func (c *column) argument(v schema.Value) (any, error) {
	switch {
	case v.IsNull():
		return nil, nil
	case v.Kind() == schema.Time:
		v, _ = c.floor(v) // the database would round
	case v.Kind() == schema.JSON && c.array:
		return c.arrayOf(v.Str())
	case v.Kind() == schema.JSON && c.typ == pgtype.JSONBOID, v.Kind() == schema.JSON && c.typ == pgtype.JSONOID:
		return v.Str(), nil
	case v.Kind() == schema.Text && !storable(v.Str()):
		return nil, fmt.Errorf("a text with the character U+0000, or that is not UTF-8, cannot be stored in column %q", c.name)
	}
	return c.text(v), nil
}

// arrayOf is a JSON array as PostgreSQL reads an array.
func (c *column) arrayOf(doc string) (any, error) {
	var list any
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, nil
	}
	if _, ok := list.([]any); !ok {
		return nil, fmt.Errorf("%.40q is no array, as column %q needs", doc, c.name)
	}
	b, err := c.appendNested(nil, list)
	return string(b), err
}

func (c *column) appendNested(b []byte, doc any) ([]byte, error) {
	list, nested := doc.([]any)
	if nested && c.element != pgtype.JSONOID && c.element != pgtype.JSONBOID || nested && b == nil {
		b = append(b, '{')
		for i, element := range list {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = c.appendNested(b, element); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	switch doc := doc.(type) {
	case string:
		if c.element == pgtype.JSONOID || c.element == pgtype.JSONBOID {
			break
		}
		return appendElement(b, doc), nil
	case json.Number:
		return append(b, doc...), nil
	case bool:
		return strconv.AppendBool(b, doc), nil
	case nil:
		return append(b, "NULL"...), nil
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return appendElement(b, strings.TrimSpace(text.String())), nil
}
