package sqlitefeed

import (
	"database/sql/driver"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// Statements that yield the values of one or two JSON arrays, so that a query
// has the same text for any number of them. All but numbers travel in
// hexadecimal: JSON text in SQLite loses NUL and what is not UTF-8.
const (
	numberSet = "SELECT value FROM json_each(?1)"
	textSet   = "SELECT CAST(unhex(value) AS TEXT) FROM json_each(?1)"
	bytesSet  = "SELECT unhex(value) FROM json_each(?1)"
	// uuidSet finds a UUID in each form that libraries store: text with and
	// without dashes in either case, and sixteen bytes.
	uuidSet = textSet + " UNION ALL SELECT unhex(value) FROM json_each(?2)"
)

// valueSet returns a statement that yields values, and its arguments.
func valueSet(kind schema.Kind, values []schema.Value) (sql string, args []driver.NamedValue) {
	switch kind {
	case schema.Bool, schema.Int, schema.Float:
		return numberSet, bind(numberArray(values))
	case schema.UUID:
		texts, bytes := uuidForms(values)
		return uuidSet, bind(hexArray(texts), "["+strings.Join(bytes, ",")+"]")
	case schema.Bytes:
		sql = bytesSet
	default:
		sql = textSet
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.Str()
	}
	return sql, bind(hexArray(texts))
}

func numberArray(values []schema.Value) string {
	b := make([]byte, 0, 8*len(values)+2)
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		switch v.Kind() {
		case schema.Float:
			b = strconv.AppendFloat(b, v.Float(), 'e', -1, 64)
		case schema.Bool:
			if v.Bool() {
				b = append(b, '1')
			} else {
				b = append(b, '0')
			}
		default:
			b = strconv.AppendInt(b, v.Int(), 10)
		}
	}
	return string(append(b, ']'))
}

func hexArray(texts []string) string {
	b := make([]byte, 0, 64*len(texts)+2)
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = hex.AppendEncode(b, []byte(text))
		b = append(b, '"')
	}
	return string(append(b, ']'))
}

// uuidForms returns the texts that may stand for UUIDs, and their bytes as
// JSON strings of hexadecimal.
func uuidForms(values []schema.Value) (texts, bytes []string) {
	for _, v := range values {
		dashed := v.Str()
		plain := strings.ReplaceAll(dashed, "-", "")
		texts = append(texts, dashed, strings.ToUpper(dashed), plain, strings.ToUpper(plain))
		bytes = append(bytes, strconv.Quote(plain))
	}
	return texts, bytes
}
