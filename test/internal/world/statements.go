package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// Statements that kinds are made of. Each draws its rows, and is empty when
// there are none.

// insert is a new row with a given key; values that are not fixed are drawn.
func (g *Generator) insert(t *model.Table, key string, fixed map[string]string) Statement {
	if key == "" {
		return Statement{}
	}
	values := map[string]string{}
	for _, link := range t.Links() {
		for i, part := range parts(g.target(t, link)) {
			values[link[i]] = part
		}
	}
	for i, part := range parts(key) {
		values[t.Key[i]] = part // it may be a link too
	}
	var names, literals []string
	for _, c := range t.Columns {
		v, ok := fixed[c.Name]
		if !ok {
			v, ok = values[c.Name]
		}
		if !ok {
			v = g.value(c)
		}
		names, literals = append(names, c.Name), append(literals, v)
	}
	return Statement{t.Name, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.Name, strings.Join(names, ", "), strings.Join(literals, ", "))}
}

// fix gives a link's columns the parts of a key.
func fix(link []string, key string) map[string]string {
	fixed := map[string]string{}
	for i, part := range parts(key) {
		fixed[link[i]] = part
	}
	return fixed
}

// set is "a = 1, b = 2".
func set(columns []string, key, between string) string {
	all := make([]string, len(columns))
	for i, part := range parts(key) {
		all[i] = columns[i] + " = " + part
	}
	return strings.Join(all, between)
}

func is(t *model.Table, key string) string { return " WHERE " + set(t.Key, key, " AND ") }

// update changes one or two columns that are neither key nor link.
func (g *Generator) update(t *model.Table, key string) Statement {
	if key == "" {
		return Statement{}
	}
	var free []*model.Column
	for _, c := range t.Columns {
		if c.References == "" && !slices.Contains(t.Key, c.Name) && !c.Unique {
			free = append(free, c)
		}
	}
	c := free[g.rng.IntN(len(free))]
	change := c.Name + " = " + g.value(c)
	if o := free[g.rng.IntN(len(free))]; o != c && g.rng.IntN(2) == 0 {
		change += ", " + o.Name + " = " + g.value(o)
	}
	return Statement{t.Name, "UPDATE " + t.Name + " SET " + change + is(t, key)}
}

// move gives a row another key in a link.
func move(t *model.Table, key string, link []string, to string) Statement {
	if key == "" || to == "" {
		return Statement{}
	}
	return Statement{t.Name, "UPDATE " + t.Name + " SET " + set(link, to, ", ") + is(t, key)}
}

func remove(t *model.Table, key string) Statement {
	if key == "" {
		return Statement{}
	}
	return Statement{t.Name, "DELETE FROM " + t.Name + is(t, key)}
}

// held is the key that a row has in a link.
func held(t *model.Table, r oracle.Row, link []string) string {
	all := make([]string, len(link))
	for i, name := range link {
		all[i] = literal(r[t.Index(name)])
	}
	return strings.Join(all, keySep)
}

// one draws some statement.
func (g *Generator) one() Statement {
	t := g.any()
	switch n := g.rng.IntN(10); {
	case n < 3:
		return g.insert(t, g.fresh(t), nil)
	case n < 6:
		return g.update(t, g.some(t))
	case n == 6:
		return remove(t, g.some(t))
	default:
		if t, link := g.linked(); t != nil {
			return move(t, g.some(t), link, g.target(t, link))
		}
		return Statement{}
	}
}

// several draws between least and most statements.
func (g *Generator) several(least, most int) []Statement {
	var all []Statement
	for n, tries := least+g.rng.IntN(most-least+1), 0; len(all) < n && tries < 50; tries++ {
		if s := g.one(); s.SQL != "" {
			all = append(all, s)
		}
	}
	return all
}

func plain(sql string) Statement { return Statement{SQL: sql} }
