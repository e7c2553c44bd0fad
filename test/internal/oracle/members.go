package oracle

import (
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// Member is a row of a tree as a row of one struct, or, with the name of a
// relation, a place below it in which rows may stand.
type Member struct {
	// Struct is the layer that stands for the struct, Key the key as routes have it.
	Struct   *model.Layer
	Key      string
	Relation string
}

// Members are the rows that a route's tree has for a user: what it shows, and
// what it holds beside that. What a list leaves out for its limit is in the tree.
// structs has for each layer the one that stands for its struct.
func (d *Data) Members(r Route, user string, structs map[*model.Layer]*model.Layer) map[Member]bool {
	c := d.Schema.Channels[r.Channel]
	g := &gathering{nesting: d.nest(c, r, user), structs: structs, all: map[Member]bool{}}
	t := d.Schema.Table(c.Root.Table)
	rows := d.Tables[t.Name]
	if !c.List {
		rows = nil
		if key, ok := parseKey(t, r.Args[len(r.Args)-1]); ok {
			rows = d.group(t, t.Key, key)
		}
	}
	g.gather(c.Root, g.live(c.Root, t, rows), nil)
	return g.all
}

// nest is what nests the state of a route.
func (d *Data) nest(c *model.Channel, r Route, user string) *nesting {
	n := &nesting{data: d, marks: map[string]bool{}, env: map[string]string{"$user": user}, tenant: c.Tenant, args: r.Args}
	for i, p := range c.Params {
		n.env["$"+p] = r.Args[i]
	}
	return n
}

// gathering collects the rows of a tree.
type gathering struct {
	*nesting

	structs map[*model.Layer]*model.Layer
	all     map[Member]bool
}

func (g *gathering) gather(l *model.Layer, rows []Row, depth map[*model.Layer]int) {
	t := g.data.Schema.Table(l.Table)
	for _, r := range rows {
		self := Member{Struct: g.structs[l], Key: KeyText(t, r)}
		g.all[self] = true
		for _, child := range l.Layers {
			if below, stands := descend(child, depth); stands {
				shown := model.Spine(l, child)
				g.all[Member{self.Struct, self.Key, child.Name}] = true
				g.gather(shown, g.related(shown, child, t, r), below)
			}
		}
	}
}

// related are the rows that a row has by a relation.
func (g *gathering) related(shown, l *model.Layer, above *model.Table, r Row) []Row {
	t := g.data.Schema.Table(shown.Table)
	switch l.Relation {
	case model.BelongsTo:
		return g.live(l, t, g.data.group(t, t.Key, pick(above, r, l.Link)))
	case model.ManyToMany:
		return g.through(l, t, pick(above, r, above.Key))
	default:
		return g.live(l, t, g.data.group(t, l.Link, pick(above, r, above.Key)))
	}
}

// Row finds a row by its key as routes have it, nil for none.
func (d *Data) Row(table, key string) Row {
	t := d.Schema.Table(table)
	values, ok := parseKey(t, key)
	if !ok {
		return nil
	}
	if found := d.group(t, t.Key, values); found != nil {
		return found[0]
	}
	return nil
}

// LinkText is the key that a row's link holds as routes have it, "" for none.
func LinkText(t *model.Table, link []string, r Row) string {
	parts := make([]string, len(link))
	for i, v := range pick(t, r, link) {
		if v == nil {
			return ""
		}
		parts[i] = keyText(v)
		if len(parts) > 1 {
			parts[i] = strings.NewReplacer("%", "%25", ",", "%2C").Replace(parts[i])
		}
	}
	return strings.Join(parts, ",")
}

// Text is a column's value as it travels.
func Text(t *model.Table, column string, v any) string {
	w, key := writer{}, false
	for _, k := range t.Key {
		key = key || k == column
	}
	w.value(t.Column(column), key, v)
	return w.String()
}
