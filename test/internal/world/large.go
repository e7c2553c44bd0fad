package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// farAway is where the keys of large transactions begin.
const farAway = 1_000_000

// thousands inserts many rows below some, or nowhere: they go again soon.
func (g *Generator) thousands() []Statement {
	t := g.any()
	if g.large != "" || g.rng.IntN(4) > 0 || len(t.Key) > 1 || t.Column(t.Key[0]).Kind != model.Int || t.Name == "nodes" || g.multiplies(t.Name) ||
		slices.ContainsFunc(t.Columns, func(c *model.Column) bool { return c.Unique }) {
		return nil
	}
	g.large = t.Name
	values := map[string]string{t.Key[0]: fmt.Sprintf("%d + i", farAway), "mark": g.sql.numbered()}
	for _, link := range t.Links() {
		for i, part := range parts(g.target(t, link)) {
			values[link[i]] = part
		}
	}
	var names, literals []string
	for _, c := range t.Columns {
		v, ok := values[c.Name]
		if !ok {
			v = g.value(c)
		}
		names, literals = append(names, c.Name), append(literals, v)
	}
	return []Statement{{t.Name, fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "+
		"INSERT INTO %s (%s) SELECT %s FROM n", 300+g.rng.IntN(1500), t.Name, strings.Join(names, ", "), strings.Join(literals, ", "))}}
}

// multiplies tells whether some tree shows rows of a table below rows of it,
// so that thousands would become millions.
func (g *Generator) multiplies(table string) bool {
	var most func(l *model.Layer, above int) int
	most = func(l *model.Layer, above int) int {
		if l.Relation != model.BelongsTo && (l.Table == table || l.Through != nil && l.Through.Table == table) {
			above++
		}
		n := above
		for _, child := range l.Layers {
			n = max(n, most(child, above))
		}
		return n
	}
	return slices.ContainsFunc(g.schema.Channels, func(c *model.Channel) bool { return most(c.Root, 0) > 1 })
}

func (g *Generator) deleteThousands() []Statement {
	t := g.large
	g.large = ""
	return []Statement{{t, fmt.Sprintf("DELETE FROM %s WHERE id > %d", t, farAway)}}
}
