package oracle

import (
	"maps"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// State is what a route shows to a user.
type State struct {
	// JSON is the form of GET /state, "null" where the anchor does not exist.
	JSON string
	// Marks are the marked texts of all rows that its frames may carry: those of
	// has-one layers that are not shown too.
	Marks map[string]bool
}

// Route is what a client opens.
type Route struct {
	// Channel is an index in Schema.Channels.
	Channel int `json:"channel"`
	// Args are the values of the channel's parameters, the anchor's key the
	// last, as they are written in the route, unescaped.
	Args []string `json:"args"`
}

// State nests what a route shows to a user.
func (d *Data) State(r Route, user string) *State {
	name := strings.Join(append([]string{string(rune('0' + r.Channel)), user}, r.Args...), "\x00")
	if s := d.states[name]; s != nil {
		return s
	}
	c := d.Schema.Channels[r.Channel]
	n := d.nest(c, r, user)
	n.root(c)
	s := &State{JSON: n.String(), Marks: n.marks}
	d.states[name] = s
	return s
}

// nesting writes one state.
type nesting struct {
	writer

	data   *Data
	marks  map[string]bool
	env    map[string]string
	tenant string
	args   []string
}

func (n *nesting) root(c *model.Channel) {
	t := n.data.Schema.Table(c.Root.Table)
	if !c.List {
		key, ok := parseKey(t, n.args[len(n.args)-1])
		var found []Row
		if ok {
			found = n.live(c.Root, t, n.data.group(t, t.Key, key))
		}
		n.one(c.Root, found, nil)
		return
	}
	found := n.live(c.Root, t, n.data.Tables[t.Name])
	n.sort(t, found, c.Root.Order)
	if c.Limit > 0 && len(found) > c.Limit {
		found = found[:c.Limit]
	}
	n.many(c.Root, found, nil)
}

// live keeps the rows that meet a layer's conditions and that the user may see.
func (n *nesting) live(l *model.Layer, t *model.Table, rows []Row) []Row {
	var live []Row
	for _, r := range rows {
		if n.meets(t, r, l.Where) && n.ofUser(t, r, l.UserKey) && (l.Shared || n.ofTenant(t, r)) {
			live = append(live, r)
		}
	}
	return live
}

func (n *nesting) ofUser(t *model.Table, r Row, column string) bool {
	if column == "" {
		return true
	}
	v := r[t.Index(column)]
	return v != nil && n.env["$user"] != "" && keyText(v) == n.env["$user"]
}

func (n *nesting) ofTenant(t *model.Table, r Row) bool {
	if n.tenant == "" {
		return true
	}
	return n.holds(t, r, model.Condition{Column: n.tenant, Op: "=", Operands: []model.Operand{{Env: "$user"}}})
}

func (n *nesting) one(l *model.Layer, rows []Row, depth map[*model.Layer]int) {
	for _, r := range rows[min(1, len(rows)):] {
		n.beside(l, r, depth)
	}
	if len(rows) == 0 {
		n.WriteString("null")
		return
	}
	n.object(l, rows[0], depth)
}

// beside collects the marks of a row that is held and not shown.
func (n *nesting) beside(l *model.Layer, r Row, depth map[*model.Layer]int) {
	kept := n.writer
	n.writer = writer{}
	n.object(l, r, depth)
	n.writer = kept
}

func (n *nesting) many(l *model.Layer, rows []Row, depth map[*model.Layer]int) {
	n.WriteByte('[')
	for i, r := range rows {
		if i > 0 {
			n.WriteByte(',')
		}
		n.object(l, r, depth)
	}
	n.WriteByte(']')
}

// object writes a row: its fields, its computed fields, its relations.
func (n *nesting) object(l *model.Layer, r Row, depth map[*model.Layer]int) {
	t := n.data.Schema.Table(l.Table)
	n.WriteByte('{')
	inside := false
	name := func(name string) {
		if inside {
			n.WriteByte(',')
		}
		inside = true
		n.quote(name)
		n.WriteByte(':')
	}
	for _, field := range l.Fields {
		c, v := t.Column(field), r[t.Index(field)]
		if text, ok := v.(string); ok && c.Marked {
			n.marks[text] = true
		}
		name(field)
		n.value(c, slices.Contains(t.Key, field), v)
	}
	for _, c := range l.Computed {
		name(c.Name)
		n.computed(t, r, c)
	}
	for _, child := range l.Layers {
		below, stands := descend(child, depth)
		if !stands {
			continue
		}
		name(child.Name)
		n.relation(l, child, t, r, below)
	}
	n.WriteByte('}')
}

// descend counts the times that a layer has repeated itself on this path, and
// tells whether it stands here.
func descend(l *model.Layer, depth map[*model.Layer]int) (map[*model.Layer]int, bool) {
	if l.Depth == 0 {
		return depth, true
	}
	if depth[l] == l.Depth {
		return nil, false
	}
	below := maps.Clone(depth)
	if below == nil {
		below = map[*model.Layer]int{}
	}
	below[l]++
	return below, true
}

func (n *nesting) relation(parent, l *model.Layer, above *model.Table, r Row, depth map[*model.Layer]int) {
	shown := l
	if l.Depth > 0 {
		shown = parent
	}
	t := n.data.Schema.Table(shown.Table)
	switch l.Relation {
	case model.BelongsTo:
		n.one(shown, n.live(l, t, n.data.group(t, t.Key, pick(above, r, l.Link))), depth)
	case model.ManyToMany:
		n.many(shown, n.through(l, t, pick(above, r, above.Key)), depth)
	default:
		found := n.live(l, t, n.data.group(t, l.Link, pick(above, r, above.Key)))
		n.sort(t, found, l.Order)
		if l.Relation == model.HasOne {
			n.one(shown, found, depth)
		} else {
			n.many(shown, found, depth)
		}
	}
}

// through are the targets of a many-to-many relation, one for each row between.
func (n *nesting) through(l *model.Layer, t *model.Table, key []any) []Row {
	between := n.data.Schema.Table(l.Through.Table)
	type pair struct{ place, target Row }
	var pairs []pair
	for _, place := range n.data.group(between, l.Link, key) {
		if !n.meets(between, place, l.Through.Where) || !n.ofTenant(between, place) {
			continue
		}
		for _, target := range n.live(l, t, n.data.group(t, t.Key, pick(between, place, l.Through.Target))) {
			pairs = append(pairs, pair{place, target})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if len(l.Through.Order) > 0 {
			return compareRows(between, a.place, b.place, l.Through.Order)
		}
		if c := compareRows(t, a.target, b.target, l.Order); c != 0 {
			return c
		}
		return compareRows(between, a.place, b.place, nil)
	})
	found := make([]Row, len(pairs))
	for i, p := range pairs {
		found[i] = p.target
	}
	return found
}

func (n *nesting) sort(t *model.Table, rows []Row, order []model.Order) {
	slices.SortStableFunc(rows, func(a, b Row) int { return compareRows(t, a, b, order) })
}
