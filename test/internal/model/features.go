package model

import "slices"

// Features are the names of what schemas are made of.
var Features = []string{
	"key int", "key bigint", "key uuid", "key text",
	"column int", "column bigint", "column bool", "column float", "column text", "column uuid", "column time", "column bytes", "column json",
	"nullable column", "unique column", "index", "trigger", "trigger that changes its own row", "foreign keys", "link that cannot be null", "link to its own table",
	"belongs to", "has one", "has many", "two layers over one table", "order by several columns", "descending order",
	"key of two columns", "key of two links", "link to a key of two columns",
	"many to many", "order of the table between", "condition on the table between", "self-reference", "represented column",
	"condition null", "condition not null", "condition =", "condition !=", "condition <", "condition <=", "condition >", "condition >=", "condition in",
	"condition on the user", "condition on an argument", "condition on the anchor", "condition on a layer",
	"list", "list without conditions", "list with a limit", "list with an order", "user_key", "user_key in a list", "tenant", "shared table",
	"computed count", "computed sum", "computed min", "computed max", "computed of the row", "computed with a condition",
	"depth 2", "depth 3", "depth 4", "depth 5",
	"writable save", "writable create", "writable delete", "writable of a list", "writable of a user_key", "may leave", "can link",
}

// Features are what the schema is made of.
func (s *Schema) Features() []string {
	f := found{}
	f.add(s.ForeignKeys, "foreign keys")
	for _, t := range s.Tables {
		f.table(t)
	}
	for _, c := range s.Channels {
		f.channel(c)
		tables := map[string]bool{}
		c.Root.Walk(func(l *Layer) {
			f.layer(l)
			f.add(l.UserKey != "" && c.List, "user_key in a list")
			f.add(tables[l.Table], "two layers over one table")
			tables[l.Table] = true
		})
		f.depth(c.Root, 1)
	}
	return f
}

// found are features without repeats.
type found []string

func (f *found) add(is bool, name string) {
	if is && !slices.Contains(*f, name) {
		*f = append(*f, name)
	}
}

func (f *found) channel(c *Channel) {
	f.add(c.List, "list")
	f.add(c.List && len(c.Root.Where) == 0, "list without conditions")
	f.add(c.List && c.Limit > 0, "list with a limit")
	f.add(c.List && len(c.Root.Order) > 0, "list with an order")
	f.add(!c.List && len(c.Root.Where) > 0, "condition on the anchor")
	f.add(c.Tenant != "", "tenant")
	for _, w := range c.Writable {
		f.writable(c, w)
	}
}

func (f *found) writable(c *Channel, w *Writable) {
	f.add(w.Save != nil, "writable save")
	f.add(w.Create != nil, "writable create")
	f.add(w.Delete != nil, "writable delete")
	f.add(c.List && w.Layer == "", "writable of a list")
	l := c.At(w.Layer)
	f.add(l != nil && l.UserKey != "", "writable of a user_key")
	f.add(w.MayLeave, "may leave")
	f.add(w.CanLink != nil, "can link")
}

func (f *found) table(t *Table) {
	f.add(len(t.Key) > 1 && !t.Joins(), "key of two columns")
	f.add(t.Joins(), "key of two links")
	for _, link := range t.Links() {
		f.add(len(link) > 1, "link to a key of two columns")
	}
	f.add(len(t.Key) == 1, "key "+string(t.Column(t.Key[0]).Kind))
	f.add(t.Trigger != nil, "trigger")
	f.add(t.Touch != "", "trigger that changes its own row")
	f.add(len(t.Indexes) > 0, "index")
	for _, c := range t.Columns {
		f.add(c.Unique, "unique column")
		f.add(c.References == t.Name, "link to its own table")
		f.add(c.References != "" && !c.Nullable, "link that cannot be null")
	}
	for _, c := range t.Plain() {
		f.add(true, "column "+string(c.Kind))
		f.add(c.Nullable, "nullable column")
	}
}

func (f *found) layer(l *Layer) {
	f.add(l.Relation != Root, string(l.Relation))
	f.add(l.UserKey != "", "user_key")
	f.add(l.Shared, "shared table")
	f.add(l.Depth > 0, "self-reference")
	f.add(l.Relation != Root && len(l.Where) > 0, "condition on a layer")
	f.where(l.Where)
	if l.Through != nil {
		f.where(l.Through.Where)
		f.add(len(l.Through.Order) > 0, "order of the table between")
		f.add(len(l.Through.Where) > 0, "condition on the table between")
	}
	for _, c := range l.Computed {
		name := map[string]string{"size": "computed of the row", "quoted": "represented column"}[c.Func]
		f.add(name == "", "computed "+c.Func)
		f.add(name != "", name)
		f.add(len(c.Where) > 0, "computed with a condition")
	}
	f.add(len(l.Order) > 1, "order by several columns")
	f.add(slices.ContainsFunc(l.Order, func(o Order) bool { return o.Desc }), "descending order")
}

func (f *found) where(where []Condition) {
	for _, c := range where {
		f.add(true, "condition "+c.Op)
		for _, o := range c.Operands {
			f.add(o.Env == "$user", "condition on the user")
			f.add(o.Env == "$arg", "condition on an argument")
		}
	}
}

func (f *found) depth(l *Layer, depth int) {
	f.add(depth > 1 && depth < 6, "depth "+string(rune('0'+depth)))
	for _, child := range l.Layers {
		f.depth(child, depth+1)
	}
}
