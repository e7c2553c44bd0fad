package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
)

// jsonFrom reads a document. SQLite gives a column declared JSON numeric
// affinity, so that a number comes back as one.
func jsonFrom(src any) (Value, error) {
	if text, ok := textOf(src); ok {
		doc, err := canonicalJSON([]byte(text))
		if err != nil {
			return Value{}, mismatch(JSON, src)
		}
		return Value{kind: JSON, str: string(doc)}, nil
	}
	if i, ok := integerOf(src); ok {
		return Value{kind: JSON, str: strconv.FormatInt(i, 10)}, nil
	}
	switch s := src.(type) {
	case bool:
		return Value{kind: JSON, str: strconv.FormatBool(s)}, nil
	case float64:
		if !math.IsNaN(s) && !math.IsInf(s, 0) {
			return Value{kind: JSON, str: string(appendFloat(nil, s))}, nil
		}
	}
	return Value{}, mismatch(JSON, src)
}

var errMoreThanOne = errors.New("more than one JSON document")

// canonicalJSON rewrites a document with sorted keys and no spaces. Of equal
// keys the last stands. Numbers keep their digits as they are written.
func canonicalJSON(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errMoreThanOne
	}
	return appendDocument(make([]byte, 0, len(raw)), doc), nil
}

func appendDocument(dst []byte, doc any) []byte {
	switch doc := doc.(type) {
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(doc)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, key), ':')
			dst = appendDocument(dst, doc[key])
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, element := range doc {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendDocument(dst, element)
		}
		return append(dst, ']')
	case string:
		return appendString(dst, doc)
	case json.Number:
		return append(dst, doc...)
	case bool:
		return strconv.AppendBool(dst, doc)
	default: // nil, the last thing that a decoder makes
		return append(dst, "null"...)
	}
}
