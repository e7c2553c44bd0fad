// Package world is what a simulation plays with: applications, drawn at random,
// as SQL and as Go types, and random transactions over their tables.
package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/pando-sync/pando/test/internal/model"
)

// tableNames are drawn from; "nodes" refers to itself.
var tableNames = []string{"apples", "books", "cats", "dogs", "eggs", "figs", "goats", "hats"}

// drawer makes a schema.
type drawer struct {
	rng *rand.Rand
	s   *model.Schema
	// layers is how many more layers the present channel may have.
	layers int
}

// RandomSchema draws an application.
func RandomSchema(rng *rand.Rand) *model.Schema {
	d := &drawer{rng: rng, s: &model.Schema{
		ForeignKeys: rng.IntN(3) == 0, Recursive: rng.IntN(2) == 0, Fat: rng.IntN(8) == 0,
	}}
	d.tables()
	for range 2 + rng.IntN(3) {
		d.s.Channels = append(d.s.Channels, d.channel())
	}
	return d.s
}

func (d *drawer) one(of ...string) string { return of[d.rng.IntN(len(of))] }

func (d *drawer) chance(percent int) bool { return d.rng.IntN(100) < percent }

func (d *drawer) tables() {
	n := 3 + d.rng.IntN(5)
	for i := range n {
		d.s.Tables = append(d.s.Tables, d.table(tableNames[i]))
	}
	if d.chance(35) {
		d.s.Tables = append(d.s.Tables, nodes())
	}
	// Links name any table, also one's own and later ones: chains and cycles.
	for i, t := range d.s.Tables {
		links := 1 + d.rng.IntN(2)
		if i == 0 {
			links = d.rng.IntN(2)
		}
		for k := range links {
			target := d.s.Tables[d.rng.IntN(len(d.s.Tables))]
			if i > 0 && k == 0 {
				target = d.s.Tables[d.rng.IntN(i)]
			}
			d.link(t, target, k)
		}
	}
	if d.chance(40) {
		d.join()
	}
	if d.chance(25) {
		d.trigger()
	}
	if d.chance(15) {
		for _, t := range d.s.Tables {
			t.Columns = append(t.Columns, &model.Column{Name: tenantColumn, Kind: model.Int, Nullable: true})
		}
	}
}

// join adds a table whose key is its two links.
func (d *drawer) join() {
	a, b := d.s.Tables[d.rng.IntN(len(d.s.Tables))], d.s.Tables[d.rng.IntN(len(d.s.Tables))]
	if len(a.Key)+len(b.Key) > 2 || a == b {
		return
	}
	t := &model.Table{Name: "joins", Key: []string{"l0_" + a.Name, "l1_" + b.Name}}
	for i, target := range []*model.Table{a, b} {
		t.Columns = append(t.Columns, &model.Column{
			Name: t.Key[i], Kind: target.Column(target.Key[0]).Kind, References: target.Name, Cascade: true,
		})
	}
	t.Columns = append(t.Columns, &model.Column{Name: "mark", Kind: model.Text, Marked: true}, &model.Column{Name: "rank", Kind: model.Int, Nullable: true})
	d.s.Tables = append(d.s.Tables, t)
}

func (d *drawer) table(name string) *model.Table {
	t := &model.Table{Name: name}
	d.key(t)
	t.Columns = append(t.Columns,
		&model.Column{Name: "mark", Kind: model.Text, Marked: true},
		&model.Column{Name: "veil", Kind: model.Text, Nullable: true, Marked: true, Secret: true})
	for i := range 1 + d.rng.IntN(4) {
		kind := []model.Kind{model.Int, model.Int, model.Float, model.Text, model.Bool, model.Time, model.UUID, model.BigInt, model.Bytes, model.JSON}[d.rng.IntN(10)]
		t.Columns = append(t.Columns, &model.Column{Name: fmt.Sprintf("%s%d", kind[:1], i), Kind: kind, Nullable: d.chance(50)})
	}
	if d.chance(60) {
		t.Columns = append(t.Columns, &model.Column{Name: "owner", Kind: model.Int, Nullable: true})
	}
	for _, c := range t.Columns {
		if c.Kind == model.Int && c.Name[0] == 'i' && c.Name != "id" && d.chance(15) {
			t.Touch = c.Name
		}
	}
	if d.chance(25) {
		t.Columns = append(t.Columns, &model.Column{Name: "handle", Kind: model.Text, Nullable: true, Unique: true})
	}
	return t
}

func (d *drawer) key(t *model.Table) {
	kind := []model.Kind{model.Int, model.Int, model.Int, model.BigInt, model.UUID, model.Text, model.Text}[d.rng.IntN(7)]
	if d.chance(20) {
		t.Key = []string{"ka", "kb"}
		t.Columns = []*model.Column{{Name: "ka", Kind: []model.Kind{model.Int, model.Text}[d.rng.IntN(2)]}, {Name: "kb", Kind: kind}}
		return
	}
	t.Key = []string{"id"}
	t.Columns = []*model.Column{{Name: "id", Kind: kind}}
}

func nodes() *model.Table {
	return &model.Table{Name: "nodes", Key: []string{"id"}, Indexes: []string{"parent_id"}, Columns: []*model.Column{
		{Name: "id", Kind: model.Int},
		{Name: "mark", Kind: model.Text, Marked: true},
		{Name: "veil", Kind: model.Text, Nullable: true, Marked: true, Secret: true},
		{Name: "position", Kind: model.Float, Nullable: true},
		{Name: "parent_id", Kind: model.Int, Nullable: true, References: "nodes", Cascade: true},
	}}
}

// link adds the columns that hold a target's key.
func (d *drawer) link(t, target *model.Table, n int) {
	nullable, cascade := d.chance(85), d.chance(60)
	for _, k := range target.Key {
		name := fmt.Sprintf("l%d_%s", n, target.Name)
		if len(target.Key) > 1 {
			name += "__" + k
		}
		t.Columns = append(t.Columns, &model.Column{
			Name: name, Kind: target.Column(k).Kind, Nullable: nullable, References: target.Name, Cascade: cascade || !nullable,
		})
	}
	if d.chance(70) {
		t.Indexes = append(t.Indexes, t.Columns[len(t.Columns)-1].Name)
	}
}

// trigger gives a table a trigger of the application's own.
func (d *drawer) trigger() {
	for _, t := range d.s.Tables {
		for _, link := range t.Links() {
			target := d.s.Table(t.Column(link[0]).References)
			for _, c := range target.Columns {
				if c.Kind == model.Int && target != t && len(target.Key) == 1 && slices.Contains(target.Plain(), c) {
					t.Trigger = &model.Trigger{Table: target.Name, Column: c.Name, Link: link[0]}
					return
				}
			}
		}
	}
}

func (d *drawer) channel() *model.Channel {
	c := &model.Channel{}
	d.layers = 1 + d.rng.IntN(8)
	t := d.s.Tables[d.rng.IntN(len(d.s.Tables))]
	c.List = d.chance(35)
	if slices.ContainsFunc(t.Columns, func(c *model.Column) bool { return c.Name == tenantColumn }) && d.chance(60) {
		c.Tenant = tenantColumn
	}
	c.Root = &model.Layer{Table: t.Name, Relation: model.Root, Fields: d.fields(t)}
	if c.List {
		c.Root.Order = d.order(t)
		if d.chance(60) {
			c.Limit = 1 + d.rng.IntN(4)
		}
		c.Root.Where = d.conditions(c, t, 40)
	} else {
		c.Root.Where = d.conditions(c, t, 10)
	}
	c.Root.Computed = d.computed(t)
	d.grow(c, c.Root, 1+d.rng.IntN(5), false)
	return c
}

// conditions draws some, of columns that can be compared.
func (d *drawer) conditions(c *model.Channel, t *model.Table, percent int) []model.Condition {
	var all []model.Condition
	for _, column := range t.Plain() {
		if len(all) == 2 || !d.chance(percent) || column.Name == tenantColumn {
			continue
		}
		switch column.Kind {
		case model.Int, model.Float, model.Text, model.Bool:
			all = append(all, d.condition(c, column))
		default: // texts of other kinds have no place in a tag
		}
	}
	return all
}

// condition compares with constants, the user or an argument of the route.
func (d *drawer) condition(c *model.Channel, column *model.Column) model.Condition {
	w := model.Condition{Column: column.Name}
	if column.Nullable && d.chance(20) {
		w.Op = d.one("null", "not null")
		return w
	}
	w.Op = d.one("=", "=", "=", "!=", ">=", "<", ">", "<=", "in")
	n := 1
	if w.Op == "in" {
		n = 2 + d.rng.IntN(2)
	}
	for range n {
		w.Operands = append(w.Operands, model.Operand{Text: d.constant(column.Kind)})
	}
	switch {
	case n > 1 || column.Kind != model.Int || c == nil:
	case column.Name == "owner" && d.chance(70):
		w.Operands[0] = model.Operand{Env: "$user"}
	case d.chance(40):
		w.Operands[0] = model.Operand{Env: "$arg"}
		c.Params = []string{"arg"}
	}
	if n > 1 && w.Operands[0] == w.Operands[1] {
		w.Operands = w.Operands[1:]
	}
	return w
}

func (d *drawer) constant(kind model.Kind) string {
	switch kind {
	case model.Int:
		return strconv.Itoa(d.rng.IntN(4))
	case model.Float:
		return d.one("-1.5", "0.25", "1", "2.5")
	case model.Bool:
		return d.one("true", "false")
	default:
		return d.one("ash", "birch", "cedar", "elm", "Elm", "1")
	}
}

// computed draws fields that are made of rows below.
func (d *drawer) computed(t *model.Table) []model.Computed {
	var all []model.Computed
	for _, from := range d.s.Tables {
		for _, link := range from.Links() {
			if len(link) > 1 || from.Column(link[0]).References != t.Name || !d.chance(12) || len(all) == 2 {
				continue
			}
			c := model.Computed{Name: fmt.Sprintf("x%d_%s", len(all), from.Name), Func: "count", Table: from.Name, Link: link[0], Where: d.conditions(nil, from, 20)}
			for _, column := range from.Plain() {
				if column.Kind == model.Int && d.chance(50) && column.Name != tenantColumn {
					c.Func, c.Column = d.one("sum", "min", "max"), column.Name
				} else if (column.Kind == model.Float || column.Kind == model.Text) && d.chance(20) {
					c.Func, c.Column = d.one("min", "max"), column.Name
				}
			}
			all = append(all, c)
		}
	}
	return all
}

// fields are the columns that a layer sends: all, or what is common.
func (d *drawer) fields(t *model.Table) []string {
	names := slices.Clone(t.Key)
	all := d.chance(50)
	for _, c := range t.Columns {
		switch {
		case slices.Contains(t.Key, c.Name) || c.Secret || c.Name == tenantColumn:
		case c.Marked, all && (c.References == "" || d.chance(40)):
			names = append(names, c.Name)
		}
	}
	return names
}

// grow adds relations below a layer, depth layers deep at most. A private one
// is one user's already.
func (d *drawer) grow(c *model.Channel, l *model.Layer, depth int, private bool) {
	found := d.relations(l)
	d.rng.Shuffle(len(found), func(i, k int) { found[i], found[k] = found[k], found[i] })
	for i, child := range found[:min(len(found), 1+d.rng.IntN(3))] {
		if d.layers == 0 {
			return
		}
		d.layers--
		child.Name = fmt.Sprintf("r%d_%s", i, child.Table)
		d.shape(c, child, private)
		l.Layers = append(l.Layers, child)
		if depth > 1 && child.Struct == "" {
			d.grow(c, child, depth-1, private || child.UserKey != "")
		}
	}
}

// relations are all that could stand below a layer.
func (d *drawer) relations(l *model.Layer) []*model.Layer {
	t := d.s.Table(l.Table)
	var found []*model.Layer
	for _, link := range t.Links() {
		found = append(found, &model.Layer{Table: t.Column(link[0]).References, Relation: model.BelongsTo, Link: link})
	}
	for _, other := range d.s.Tables {
		for _, link := range other.Links() {
			if other.Column(link[0]).References != t.Name {
				continue
			}
			relation := []model.Relation{model.HasMany, model.HasMany, model.HasOne}[d.rng.IntN(3)]
			found = append(found, &model.Layer{Table: other.Name, Relation: relation, Link: link})
			found = append(found, through(other, link)...)
		}
	}
	return found
}

// through are the tables on the other side of one that has two links.
func through(between *model.Table, link []string) []*model.Layer {
	var found []*model.Layer
	for _, target := range between.Links() {
		if target[0] == link[0] {
			continue
		}
		found = append(found, &model.Layer{
			Table: between.Column(target[0]).References, Relation: model.ManyToMany, Link: link,
			Through: &model.Through{Table: between.Name, Target: target},
		})
	}
	return found
}

// shape gives a layer its fields, its order and its conditions.
func (d *drawer) shape(c *model.Channel, l *model.Layer, private bool) {
	t := d.s.Table(l.Table)
	if l.Table == "nodes" && c.Tenant == "" && d.chance(70) {
		d.family(l)
		return
	}
	l.Fields = d.fields(t)
	l.Where = d.conditions(c, t, 10)
	l.Computed = d.computed(t)
	l.Shared = c.Tenant != "" && l.Through == nil && d.chance(20)
	if i := slices.IndexFunc(t.Columns, func(c *model.Column) bool { return c.Name == "owner" }); i >= 0 && !private && d.chance(25) {
		l.UserKey = "owner"
	}
	if l.Relation != model.BelongsTo {
		l.Order = d.order(t)
	}
	if l.Through != nil && d.chance(40) {
		l.Order, l.Through.Order = nil, d.order(d.s.Table(l.Through.Table))
	}
	if l.Through != nil {
		l.Through.Where = d.conditions(c, d.s.Table(l.Through.Table), 10)
	}
}

// order draws up to two columns, often none.
func (d *drawer) order(t *model.Table) []model.Order {
	if d.chance(40) {
		return nil
	}
	plain := slices.DeleteFunc(slices.Clone(t.Plain()), func(c *model.Column) bool {
		return c.Name == tenantColumn || c.Kind == model.JSON || c.Kind == model.Bytes
	})
	d.rng.Shuffle(len(plain), func(i, k int) { plain[i], plain[k] = plain[k], plain[i] })
	var order []model.Order
	for _, c := range plain[:min(len(plain), 1+d.rng.IntN(2))] {
		order = append(order, model.Order{Column: c.Name, Desc: d.chance(40)})
	}
	return order
}

// family makes a layer one of the structs that refer to themselves.
func (d *drawer) family(l *model.Layer) {
	position := func(desc bool) []model.Order { return []model.Order{{Column: "position", Desc: desc}} }
	link := []string{"parent_id"}
	l.Fields = []string{"id", "mark"}
	switch l.Struct = d.one("NodeDown", "NodeDeep", "NodeUp", "NodeBoth"); l.Struct {
	case "NodeDown":
		l.Computed = []model.Computed{{Name: "size", Func: "size"}}
		l.Layers = []*model.Layer{{Name: "nodes", Relation: model.HasMany, Link: link, Order: position(false), Depth: 1}}
	case "NodeDeep":
		l.Fields, l.Computed = []string{"id"}, []model.Computed{{Name: "mark", Func: "quoted"}}
		l.Layers = []*model.Layer{{Name: "nodes", Relation: model.HasMany, Link: link, Depth: 3}}
	case "NodeUp":
		l.Layers = []*model.Layer{{Name: "parent", Relation: model.BelongsTo, Link: link, Depth: 2}}
	default:
		l.Layers = []*model.Layer{
			{Name: "parent", Relation: model.BelongsTo, Link: link, Depth: 1},
			{Name: "nodes", Relation: model.HasMany, Link: link, Order: position(true), Depth: 2},
		}
	}
}
