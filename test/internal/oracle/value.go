package oracle

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// compareRows sorts by the order's columns, then by the key.
func compareRows(t *model.Table, a, b Row, order []model.Order) int {
	for _, o := range order {
		i := t.Index(o.Column)
		c := compare(a[i], b[i])
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	for _, column := range t.Key {
		i := t.Index(column)
		if c := compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// compare sorts NULL first, numbers by size and texts by their bytes.
func compare(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b)
		}
	}
	panic(fmt.Sprintf("oracle: one column holds a %T and a %T", a, b))
}

// meets tells whether a row meets all conditions.
func (n *nesting) meets(t *model.Table, r Row, where []model.Condition) bool {
	return !slices.ContainsFunc(where, func(c model.Condition) bool { return !n.holds(t, r, c) })
}

// holds is SQL's comparison: NULL meets nothing but "null".
func (n *nesting) holds(t *model.Table, r Row, c model.Condition) bool {
	v, kind := r[t.Index(c.Column)], t.Column(c.Column).Kind
	switch c.Op {
	case "null":
		return v == nil
	case "not null":
		return v != nil
	}
	return v != nil && slices.ContainsFunc(c.Operands, func(o model.Operand) bool {
		w := parse(kind, n.operand(o))
		return w != nil && compares(c.Op, compare(v, w))
	})
}

func (n *nesting) operand(o model.Operand) string {
	if o.Env != "" {
		return n.env[o.Env]
	}
	return o.Text
}

func compares(op string, c int) bool {
	switch op {
	case "=", "in":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	default:
		panic("oracle: no comparison " + op)
	}
}

// parse reads a value as a database holds it; nil is a text that is none.
func parse(kind model.Kind, text string) any {
	switch kind {
	case model.Int, model.BigInt:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i
		}
		return nil
	case model.Bool:
		return map[string]any{"true": int64(1), "false": int64(0)}[text]
	case model.Float:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
		return nil
	default:
		return text
	}
}

// parseKey reads a key as a route has it: parts with commas between them.
func parseKey(t *model.Table, text string) ([]any, bool) {
	parts := []string{text}
	if len(t.Key) > 1 {
		parts = strings.Split(text, ",")
	}
	if len(parts) != len(t.Key) {
		return nil, false
	}
	key := make([]any, len(parts))
	for i, part := range parts {
		if len(parts) > 1 {
			part = strings.NewReplacer("%2C", ",", "%25", "%").Replace(part)
		}
		if key[i] = parse(t.Column(t.Key[i]).Kind, part); key[i] == nil {
			return nil, false
		}
	}
	return key, true
}

// KeyText is a row's key as a route has it.
func KeyText(t *model.Table, r Row) string {
	parts := make([]string, len(t.Key))
	for i, v := range pick(t, r, t.Key) {
		parts[i] = keyText(v)
		if len(parts) > 1 {
			parts[i] = strings.NewReplacer("%", "%25", ",", "%2C").Replace(parts[i])
		}
	}
	return strings.Join(parts, ",")
}

func keyText(v any) string { return fmt.Sprint(v) }

// computed writes a field that is made of related rows.
func (n *nesting) computed(t *model.Table, r Row, c model.Computed) {
	mark, _ := r[t.Index("mark")].(string)
	switch c.Func {
	case "size":
		n.json(len(mark))
		return
	case "quoted":
		n.marks[mark] = true
		n.json("<" + mark + ">")
		return
	}
	from := n.data.Schema.Table(c.Table)
	var values []any
	count := 0
	for _, related := range n.data.group(from, []string{c.Link}, pick(t, r, t.Key)) {
		if !n.meets(from, related, c.Where) {
			continue
		}
		count++
		if c.Column != "" && related[from.Index(c.Column)] != nil {
			values = append(values, related[from.Index(c.Column)])
		}
	}
	switch {
	case c.Func == "count":
		n.json(count)
	case c.Func == "sum":
		n.json(sum(values))
	case len(values) == 0:
		n.WriteString("null")
	case c.Func == "min":
		n.json(slices.MinFunc(values, compare))
	default:
		n.json(slices.MaxFunc(values, compare))
	}
}

func sum(values []any) any {
	var whole int64
	var broken float64
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			whole += v
		case float64:
			broken += v
		default:
			panic(fmt.Sprintf("oracle: the sum of a %T", v))
		}
	}
	if broken != 0 {
		return broken + float64(whole)
	}
	return whole
}

// writer writes JSON without spaces.
type writer struct{ strings.Builder }

func (w *writer) quote(text string) { w.json(text) }

func (w *writer) json(value any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("oracle: encode %v: %v", value, err))
	}
	w.Write(bytes.TrimSpace(b.Bytes()))
}

// value writes a column's value as it travels: integers that are keys or links
// are texts.
func (w *writer) value(c *model.Column, key bool, v any) {
	if v == nil {
		w.WriteString("null")
		return
	}
	switch c.Kind {
	case model.Int, model.BigInt:
		if key || c.References != "" || c.Kind == model.BigInt {
			v = fmt.Sprint(v)
		}
	case model.Bool:
		v = v != int64(0)
	case model.Bytes:
		if raw, ok := v.([]byte); ok {
			v = base64.StdEncoding.EncodeToString(raw)
		}
	case model.JSON:
		v = document(v)
	default: // as it is
	}
	w.json(v)
}

// document is a JSON text with the members of its objects sorted.
func document(v any) any {
	d := json.NewDecoder(strings.NewReader(fmt.Sprint(v)))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		panic(fmt.Sprintf("oracle: %v is no JSON: %v", v, err))
	}
	return doc
}
