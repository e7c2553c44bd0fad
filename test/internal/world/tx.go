package world

import (
	"math/rand/v2"
	"slices"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// Tx is one transaction to make.
type Tx struct {
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// Statements stand between BEGIN and COMMIT.
	Statements []Statement `json:"statements"`
	// Rollback ends it with ROLLBACK instead.
	Rollback bool `json:"rollback,omitempty"`
}

// Generator draws transactions. What it draws depends on its random numbers
// and on what the database holds, and on nothing else. It is used by one
// goroutine.
type Generator struct {
	rng    *rand.Rand
	schema *model.Schema
	sql    dialect
	data   *oracle.Data
	// gone are the keys that rows once had, by table.
	gone map[string][]string
	had  map[string][]string
	// large is the table that holds thousands of rows, "" for none.
	large string
}

// NewGenerator returns a generator for a schema.
func NewGenerator(rng *rand.Rand, s *model.Schema) *Generator {
	return &Generator{rng: rng, schema: s, sql: speaks(s), gone: map[string][]string{}, had: map[string][]string{}}
}

// First fills the tables.
func (g *Generator) First() Tx {
	g.data = &oracle.Data{Schema: g.schema, Tables: map[string][]oracle.Row{}}
	chosen, most := map[string][]string{}, 8
	if g.rng.IntN(3) == 0 {
		most = 30 // so that there is more than a list with a limit keeps
	}
	for _, t := range g.schema.Tables {
		keys := allKeys(t)
		g.rng.Shuffle(len(keys)/2, func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
		chosen[t.Name] = keys[:min(len(keys), 3+g.rng.IntN(most))]
		for _, key := range chosen[t.Name] {
			row := make(oracle.Row, len(t.Columns))
			for i, part := range parts(key) {
				row[t.Index(t.Key[i])] = raw(part)
			}
			g.data.Tables[t.Name] = append(g.data.Tables[t.Name], row)
		}
	}
	all := g.sql.unchecked()
	for _, t := range g.schema.Tables {
		for _, key := range chosen[t.Name] {
			all = append(all, g.sql.unlessTaken(t, g.insert(t, key, nil)))
		}
	}
	return Tx{Kind: "first", Statements: all}
}

// raw is an SQL literal as a value that literal writes alike.
type raw string

// Next draws a transaction for a database that holds data.
func (g *Generator) Next(data *oracle.Data) Tx {
	g.data = data
	g.remember()
	if g.large != "" && g.rng.IntN(3) == 0 {
		return Tx{Kind: "delete thousands", Statements: g.deleteThousands()}
	}
	for {
		k := drawn(g.rng, kinds)
		if k.dangling && g.schema.ForeignKeys {
			continue
		}
		all := slices.DeleteFunc(k.make(g), func(s Statement) bool { return s.SQL == none })
		if len(all) > 0 && !slices.ContainsFunc(all, func(s Statement) bool { return s.SQL == "" }) {
			return Tx{Kind: k.name, Statements: all, Rollback: k.rollback}
		}
	}
}

// none is a statement that may be left out; an empty one spoils its
// transaction.
const none = "-"

// remember notes the keys of rows that were there before and are no more.
func (g *Generator) remember() {
	for _, t := range g.schema.Tables {
		now := g.keys(t)
		if t.Name == g.large {
			continue
		}
		for _, key := range g.had[t.Name] {
			if !slices.Contains(now, key) && !slices.Contains(g.gone[t.Name], key) {
				g.gone[t.Name] = append(g.gone[t.Name], key)
			}
		}
		g.had[t.Name] = now
	}
}

// any draws a table.
func (g *Generator) any() *model.Table {
	return g.schema.Tables[g.rng.IntN(len(g.schema.Tables))]
}

// linked draws a table that has links, and one of them; link is nil when no
// table has any.
func (g *Generator) linked() (t *model.Table, link []string) {
	type pair struct {
		t    *model.Table
		link []string
	}
	var all []pair
	for _, t := range g.schema.Tables {
		for _, link := range t.Links() {
			all = append(all, pair{t, link})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	p := all[g.rng.IntN(len(all))]
	return p.t, p.link
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
