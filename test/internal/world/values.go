package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// A key is the SQL literals of its parts with keySep between them, "" for none.
const keySep = "\x1f"

func parts(key string) []string { return strings.Split(key, keySep) }

// keyOf is a row's key.
func keyOf(t *model.Table, r oracle.Row) string {
	all := make([]string, len(t.Key))
	for i, name := range t.Key {
		all[i] = literal(r[t.Index(name)])
	}
	return strings.Join(all, keySep)
}

// literal is a value as SQL.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf("x'%x'", v)
	case nil:
		return "NULL"
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	default:
		return fmt.Sprint(v)
	}
}

// keyTexts are keys of text: digits, cases, what routes must escape, and runes
// beyond the basic plane, whose order differs in UTF-16.
var keyTexts = []string{"1", "a", "A", "10", "a b", "é/ü", "🌲", "\uffee", "\"q\"", "it's", "100%", "x,y", "?#&", "ß"}

// room is how many keys of a kind there are: few, so that they come again.
func keyRoom(kind model.Kind) int {
	if kind == model.Text {
		return len(keyTexts)
	}
	return 32
}

// keyNumber is the i-th key of a kind.
func keyNumber(kind model.Kind, i int) any {
	switch kind {
	case model.Int:
		return int64(i + 1)
	case model.BigInt:
		return int64(9007199254740993) + int64(i)*3 - int64(i%2)*18014398509481984
	case model.UUID:
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", (i*7)%5, i+1)
	default:
		return keyTexts[i]
	}
}

// allKeys are the keys that a table's rows may have.
func allKeys(t *model.Table) []string {
	kind := t.Column(t.Key[0]).Kind
	var all []string
	if len(t.Key) == 1 {
		for i := range keyRoom(kind) {
			all = append(all, literal(keyNumber(kind, i)))
		}
		return all
	}
	second := t.Column(t.Key[1]).Kind
	if t.Joins() {
		for i := range 24 {
			all = append(all, literal(keyNumber(kind, i%5))+keySep+literal(keyNumber(second, i/5)))
		}
		return all
	}
	for i := range 24 {
		all = append(all, literal(keyNumber(kind, i%6))+keySep+literal(keyNumber(second, i/4)))
	}
	return all
}

// Keys are the keys of a table as routes have them.
func Keys(t *model.Table) []string {
	all := allKeys(t)
	for i, key := range all {
		row := make(oracle.Row, len(t.Columns))
		for k, part := range parts(key) {
			row[t.Index(t.Key[k])] = unquote(part)
		}
		all[i] = oracle.KeyText(t, row)
	}
	return all
}

func unquote(literal string) string {
	if strings.HasPrefix(literal, "'") {
		return strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
	}
	return literal
}

var words = []string{"ash", "birch", "cedar", "douglas fir", "Elm", "elm", "it's", `"quoted"`, "naïve", "木", "🌲🌳", "\uffee", "", "<b>", "tab\there", "1", "10", "line\u2028end"}

// mark is a text that no other row has ever had.
func (g *Generator) mark() string {
	text := fmt.Sprintf("~%08x~", g.rng.Uint32()) + g.draw(words)
	if g.schema.Fat && g.rng.IntN(3) == 0 {
		text += strings.Repeat(" and more of the same", 50+g.rng.IntN(150))
	}
	return literal(text)
}

// value draws what a column that is no key and no link may hold.
func (g *Generator) value(c *model.Column) string { return g.sql.value(c.Kind, g.common(c)) }

// common draws a value as a literal of SQLite's: from few, so that orders have
// ties and conditions are met.
func (g *Generator) common(c *model.Column) string {
	if c.Marked && !c.Nullable {
		return g.mark()
	}
	if c.Nullable && g.rng.IntN(5) == 0 {
		return "NULL"
	}
	if c.Marked {
		return g.mark()
	}
	n := g.rng.IntN(8)
	switch c.Kind {
	case model.Bool:
		return strconv.Itoa(n % 2)
	case model.Int:
		if c.Name == tenantColumn {
			return strconv.Itoa(1 + n/6)
		}
		if c.Name == "owner" {
			return strconv.Itoa(1 + n%3)
		}
		return strconv.Itoa(n - 1)
	case model.BigInt:
		return strconv.FormatInt(9007199254740990+int64(n), 10)
	case model.Float:
		return []string{"-1.5", "0.0", "0.25", "1.0", "2.5", "1e21", "1.5e-07", "-0.0"}[n]
	case model.Time:
		return literal(fmt.Sprintf("20%02d-02-28T23:59:59.%06dZ", 20+n/2, n*100))
	case model.UUID:
		return literal(fmt.Sprintf("%08x-1111-4111-8111-111111111111", n))
	case model.Bytes:
		return []string{"x''", "x'00'", "x'00ff'", "x'7f'", "x'80'", "x'616263'", "x'ff'", "x'ffff'"}[n]
	case model.JSON:
		return literal([]string{`{}`, `[]`, `{"b": 1, "a": [true, null]}`, `{"a":{"z":"ü","y":"<"}}`, `"text"`, `3`, `[1, 2, {"k":"v"}]`, `true`}[n])
	default:
		if c.Unique {
			return literal(words[n])
		}
		return literal(g.draw(words))
	}
}

// keys are the keys of a table's rows.
func (g *Generator) keys(t *model.Table) []string {
	rows := g.data.Tables[t.Name]
	all := make([]string, len(rows))
	for i, r := range rows {
		all[i] = keyOf(t, r)
	}
	return all
}

// some draws the key of a row that exists, "" when there is none.
func (g *Generator) some(t *model.Table) string { return g.draw(g.keys(t)) }

// fresh draws a key that no row has now, "" when all are taken.
func (g *Generator) fresh(t *model.Table) string {
	taken := g.keys(t)
	return g.draw(slices.DeleteFunc(allKeys(t), func(key string) bool { return slices.Contains(taken, key) }))
}

func (g *Generator) draw(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return from[g.rng.IntN(len(from))]
}

// target draws what a link may hold: mostly a row that exists, sometimes
// nothing, sometimes a row that does not exist.
func (g *Generator) target(t *model.Table, link []string) string {
	c := t.Column(link[0])
	to := g.schema.Table(c.References)
	switch n := g.rng.IntN(12); {
	case n == 0 && c.Nullable:
		return nothing(link)
	case n == 1 && !g.schema.ForeignKeys:
		return g.orNothing(t, link, g.fresh(to))
	default:
		return g.orNothing(t, link, g.some(to))
	}
}

// orNothing is a key, or NULL, or where that is not allowed any key.
func (g *Generator) orNothing(t *model.Table, link []string, key string) string {
	c := t.Column(link[0])
	switch {
	case key != "":
		return key
	case c.Nullable:
		return nothing(link)
	default:
		return allKeys(g.schema.Table(c.References))[0]
	}
}

func nothing(link []string) string {
	all := make([]string, len(link))
	for i := range all {
		all[i] = "NULL"
	}
	return strings.Join(all, keySep)
}
