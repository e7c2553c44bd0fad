package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// Tx is one transaction to make.
type Tx struct {
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// SQL are the statements between BEGIN and COMMIT.
	SQL []string `json:"sql"`
	// Rollback ends it with ROLLBACK instead.
	Rollback bool `json:"rollback"`
}

// Generator draws transactions. What it draws depends on its random numbers
// and on what the database holds, and on nothing else. It is used by one
// goroutine.
type Generator struct {
	rng   *rand.Rand
	shape Shape
	data  *oracle.Data
	// gone are the keys that rows once had, by table.
	gone map[string][]string
	had  map[string][]string
}

// NewGenerator returns a generator for a database of the given shape.
func NewGenerator(rng *rand.Rand, shape Shape) *Generator {
	return &Generator{rng: rng, shape: shape, gone: map[string][]string{}, had: map[string][]string{}}
}

// Next draws a transaction for a database that holds data.
func (g *Generator) Next(data *oracle.Data) Tx {
	g.data = data
	g.remember()
	for {
		k := drawn(g.rng, kinds)
		if k.dangling && g.shape.ForeignKeys {
			continue
		}
		if sql := k.make(g); len(sql) > 0 {
			return Tx{Kind: k.name, SQL: sql, Rollback: k.rollback}
		}
	}
}

// remember notes the keys of rows that were there before and are no more.
func (g *Generator) remember() {
	for _, t := range tables {
		now := g.keys(t.name)
		for _, key := range g.had[t.name] {
			if !slices.Contains(now, key) && !slices.Contains(g.gone[t.name], key) {
				g.gone[t.name] = append(g.gone[t.name], key)
			}
		}
		g.had[t.name] = now
	}
}

// keyColumn is the column of a table's key.
func keyColumn(table string) string {
	if table == "labels" {
		return "code"
	}
	return "id"
}

// keys are the keys of a table as SQL literals.
func (g *Generator) keys(table string) []string {
	rows := g.data.Tables[table]
	all := make([]string, len(rows))
	for i, r := range rows {
		all[i] = literal(r[keyColumn(table)])
	}
	return all
}

// some draws the key of a row that exists, "" when there is none.
func (g *Generator) some(table string) string { return g.draw(g.keys(table)) }

func (g *Generator) draw(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return from[g.rng.IntN(len(from))]
}

// room is how many keys a table has: few, so that they come again.
var room = map[string]int{"users": 7, "labels": 5, "boards": 6, "lists": 12, "cards": 40, "covers": 12, "comments": 60}

// fresh draws a key that no row has now, "" when all are taken.
func (g *Generator) fresh(table string) string {
	var free []string
	taken := g.keys(table)
	for i := 1; i <= room[table]; i++ {
		if key := keyOf(table, i); !slices.Contains(taken, key) {
			free = append(free, key)
		}
	}
	return g.draw(free)
}

func keyOf(table string, i int) string {
	switch table {
	case "labels":
		return literal([]string{"bug", "Idee für später", "a\"b", "10", "☃🌲"}[i-1])
	case "covers":
		return literal(fmt.Sprintf("00000000-0000-4000-8000-%012x", i))
	default:
		return strconv.Itoa(i)
	}
}

// link draws what a link column may hold: mostly a row that exists, sometimes
// nothing, sometimes a row that does not exist.
func (g *Generator) link(table string) string {
	switch n := g.rng.IntN(12); {
	case n == 0:
		return "NULL"
	case n == 1 && !g.shape.ForeignKeys:
		return orNull(g.fresh(table))
	default:
		return orNull(g.some(table))
	}
}

func orNull(key string) string {
	if key == "" {
		return "NULL"
	}
	return key
}

// place draws a position; equal ones and none are not rare.
func (g *Generator) place() string {
	if g.rng.IntN(8) == 0 {
		return "NULL"
	}
	return strconv.FormatFloat(float64(g.rng.IntN(24)-4)/4, 'f', -1, 64)
}

var words = []string{"ash", "birch", "cedar", "douglas fir", "elm", "fig", "ginkgo", "holly", "it's", `"quoted"`, "naïve", "木", "🌲🌳", "", "<b>", "tab\there"}

// text draws a text as a literal.
func (g *Generator) text() string {
	s := g.draw(words) + " " + strconv.Itoa(g.rng.IntN(100))
	if g.shape.Fat && g.rng.IntN(3) == 0 {
		s += strings.Repeat(" and more of the same", 50+g.rng.IntN(150))
	}
	return literal(s)
}

// literal is a value as SQL.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case nil:
		return "NULL"
	default:
		return fmt.Sprint(v)
	}
}

// drawn draws one of the kinds by their weights.
func drawn(rng *rand.Rand, from []kind) kind {
	total := 0
	for _, k := range from {
		total += k.weight
	}
	n := rng.IntN(total)
	for _, k := range from {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	panic("world: weights do not add up")
}
