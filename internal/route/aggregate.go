package route

import (
	"slices"

	"github.com/pando-sync/pando/schema"
)

// aggregate is a column that is made of related rows.
type aggregate struct {
	column  int
	def     *schema.Aggregate
	sources []*link
}

// readAggregates finds the links that each table's aggregates are made from.
func (t *Router) readAggregates() {
	for _, tab := range t.tables {
		for i := range tab.def.Columns {
			def := tab.def.Columns[i].Aggregate
			if def == nil {
				continue
			}
			a := aggregate{column: i, def: def}
			for _, s := range def.Sources {
				l := t.tables[s.Table.ID].linkBy(s.Link)
				l.table.feeds = true
				if !slices.Contains(l.feeds, tab) {
					l.feeds = append(l.feeds, tab)
				}
				a.sources = append(a.sources, l)
			}
			tab.aggregates = append(tab.aggregates, a)
		}
	}
}

// restate has the aggregates made anew that a change of a row concerns: its
// own, which no feed and no read knows, and those that it is a source of.
func (t *Router) restate(r *row, old, vals schema.Row) {
	if vals != nil && len(r.table.aggregates) > 0 {
		t.stale(r)
	}
	if !r.table.feeds {
		return
	}
	for _, l := range r.table.links {
		if len(l.feeds) == 0 {
			continue
		}
		if old != nil {
			t.restateOf(l, old[l.column])
		}
		if vals != nil && (old == nil || old[l.column] != vals[l.column]) {
			t.restateOf(l, vals[l.column])
		}
	}
}

// restateOf has the aggregates made anew of the rows that a bucket is below.
func (t *Router) restateOf(l *link, v schema.Value) {
	for _, tab := range l.feeds {
		if r := tab.rows.get(v); r != nil {
			t.stale(r)
		}
	}
}

func (t *Router) stale(r *row) {
	if !r.stale {
		r.stale = true
		t.stales = append(t.stales, r)
	}
}

// aggregate makes the aggregates anew that the turn has concerned.
func (t *Router) aggregate() {
	for _, r := range t.stales {
		r.stale = false
		if r.vals == nil {
			continue
		}
		vals, differs := t.aggregated(r)
		if !differs {
			continue
		}
		for i := range r.members.list {
			m := &r.members.list[i]
			t.note(r, m.scope, m.node, r.vals)
		}
		r.vals = vals
	}
	clear(t.stales)
	t.stales = t.stales[:0]
}

// aggregated is a row with the present values of its aggregates.
func (t *Router) aggregated(r *row) (vals schema.Row, differs bool) {
	vals = r.vals
	for i := range r.table.aggregates {
		a := &r.table.aggregates[i]
		v, known := a.value(r)
		if !known || v == vals[a.column] {
			continue
		}
		if !differs {
			vals, differs = slices.Clone(vals), true
		}
		vals[a.column] = v
	}
	return vals, differs
}

// value makes an aggregate, when all rows that it is made of are in memory.
func (a *aggregate) value(r *row) (schema.Value, bool) {
	related := make([][]schema.Row, len(a.sources))
	for i, l := range a.sources {
		b := l.buckets.get(r.key)
		if b == nil || !b.complete {
			return schema.Value{}, false
		}
		rows := make([]schema.Row, 0, len(b.rows))
		for _, o := range b.rows {
			if schema.Meets(a.def.Sources[i].Where, o.vals, nil) {
				rows = append(rows, o.vals)
			}
		}
		key := l.table.def.Key
		slices.SortFunc(rows, func(x, y schema.Row) int { return x[key].Compare(y[key]) })
		related[i] = rows
	}
	return a.def.Value(r.vals, related), true
}
