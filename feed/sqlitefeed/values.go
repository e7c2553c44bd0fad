package sqlitefeed

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// The values of a set travel in JSON arrays, so that a statement has the same
// text for any number of them. All but integers travel in hexadecimal: JSON
// text in SQLite loses NUL and what is not UTF-8.

// maxFloats bounds a set of floats, which are bound one by one: SQLite does
// not read every float exactly from its text.
const maxFloats = 64

// set returns what stands in IN (…) for values, which are of one kind, or false
// when only Go can find them. A UUID is found in each form that libraries store.
func (s *selection) set(values []schema.Value) (sql string, ok bool) {
	kind := values[0].Kind()
	switch kind {
	case schema.Bool, schema.Int:
		return "SELECT value FROM json_each(" + s.bind(integerArray(values)) + ")", true
	case schema.Float:
		if len(values) > maxFloats {
			return "", false
		}
		params := make([]string, len(values))
		for i, v := range values {
			params[i] = s.param(v)
		}
		return strings.Join(params, ", "), true
	case schema.UUID:
		texts, bytes := uuidForms(values)
		return "SELECT CAST(unhex(value) AS TEXT) FROM json_each(" + s.bind(hexArray(texts)) + ")" +
			" UNION ALL SELECT unhex(value) FROM json_each(" + s.bind("["+strings.Join(bytes, ",")+"]") + ")", true
	default:
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = v.Str()
		}
		array := s.bind(hexArray(texts))
		if kind == schema.Bytes {
			return "SELECT unhex(value) FROM json_each(" + array + ")", true
		}
		return "SELECT CAST(unhex(value) AS TEXT) FROM json_each(" + array + ")", true
	}
}

func integerArray(values []schema.Value) string {
	b := make([]byte, 0, 8*len(values)+2)
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendInteger(b, v)
	}
	return string(append(b, ']'))
}

func appendInteger(b []byte, v schema.Value) []byte {
	if v.Kind() == schema.Bool {
		return strconv.AppendInt(b, boolInteger(v), 10)
	}
	return strconv.AppendInt(b, v.Int(), 10)
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

// inTuples limits the rows to those in which columns together are one of the
// tuples, or leaves it to Go.
func (s *selection) inTuples(columns []int, forms []storage, tuples []schema.Value) {
	found := exactTuples(forms, tuples)
	if len(found) == 0 {
		s.where = append(s.where, "0")
		return
	}
	var names, parts []string
	for i, column := range columns {
		kind := found[0][i].Kind()
		if kind == schema.Float {
			s.whole = false
			return
		}
		names = append(names, quote(s.query.Table.Columns[column].Name))
		parts = append(parts, tuplePart(kind, i))
	}
	b := []byte{'['}
	for _, tuple := range found {
		for _, forms := range tupleForms(tuple) {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(b, '[')
			b = append(b, strings.Join(forms, ",")...)
			b = append(b, ']')
		}
	}
	array := s.bind(string(append(b, ']')))
	s.where = append(s.where, "("+strings.Join(names, ", ")+") IN (SELECT "+strings.Join(parts, ", ")+" FROM json_each("+array+"))")
}

// exactTuples returns the parts of tuples, as they are stored, without the
// tuples that the layouts of their columns cannot tell.
func exactTuples(forms []storage, tuples []schema.Value) [][]schema.Value {
	var found [][]schema.Value
	for _, tuple := range tuples {
		all := true
		parts := tuple.Parts()
		stored := make([]schema.Value, len(parts))
		for i, part := range parts {
			var exact bool
			stored[i], exact = forms[i].layout.floor(part)
			all = all && exact
		}
		if all {
			found = append(found, stored)
		}
	}
	return found
}

// tuplePart reads the i-th part of the tuple that value is. A part of a kind
// that may be stored as text or bytes begins with a letter that tells which.
func tuplePart(kind schema.Kind, i int) string {
	part := fmt.Sprintf("json_extract(value, '$[%d]')", i)
	switch kind {
	case schema.Bool, schema.Int:
		return part
	case schema.UUID:
		return fmt.Sprintf("CASE substr(%s, 1, 1) WHEN 't' THEN CAST(unhex(substr(%[1]s, 2)) AS TEXT) ELSE unhex(substr(%[1]s, 2)) END", part)
	case schema.Bytes:
		return "unhex(" + part + ")"
	default:
		return "CAST(unhex(" + part + ") AS TEXT)"
	}
}

// tupleForms returns a tuple as JSON elements, once for each form in which it
// may be stored.
func tupleForms(parts []schema.Value) [][]string {
	all := [][]string{nil}
	for _, part := range parts {
		var next [][]string
		for _, form := range partForms(part) {
			for _, before := range all {
				next = append(next, append(slices.Clip(before), form))
			}
		}
		all = next
	}
	return all
}

func partForms(part schema.Value) []string {
	switch part.Kind() {
	case schema.Bool, schema.Int:
		return []string{string(appendInteger(nil, part))}
	case schema.UUID:
		texts, bytes := uuidForms([]schema.Value{part})
		forms := []string{`"b` + bytes[0][1:]}
		for _, text := range texts {
			forms = append(forms, `"t`+hex.EncodeToString([]byte(text))+`"`)
		}
		return forms
	default:
		return []string{`"` + hex.EncodeToString([]byte(part.Str())) + `"`}
	}
}
