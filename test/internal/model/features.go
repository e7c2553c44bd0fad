package model

import "slices"

// Features are the names of what schemas are made of.
var Features = []string{
	"key int", "key bigint", "key uuid", "key text",
	"column int", "column bigint", "column bool", "column float", "column text", "column uuid", "column time", "column bytes", "column json",
	"nullable column", "unique column", "index", "trigger", "foreign keys", "link that cannot be null", "link to its own table",
	"belongs to", "has one", "has many", "two layers over one table", "order by several columns", "descending order",
	"depth 2", "depth 3", "depth 4", "depth 5",
}

// Features are what the schema is made of.
func (s *Schema) Features() []string {
	f := found{}
	f.add(s.ForeignKeys, "foreign keys")
	for _, t := range s.Tables {
		f.table(t)
	}
	for _, c := range s.Channels {
		tables := map[string]bool{}
		c.Root.Walk(func(l *Layer) {
			f.layer(l)
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

func (f *found) table(t *Table) {
	f.add(len(t.Key) == 1, "key "+string(t.Column(t.Key[0]).Kind))
	f.add(t.Trigger != nil, "trigger")
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
	f.add(len(l.Order) > 1, "order by several columns")
	f.add(slices.ContainsFunc(l.Order, func(o Order) bool { return o.Desc }), "descending order")
}

func (f *found) depth(l *Layer, depth int) {
	f.add(depth > 1 && depth < 6, "depth "+string(rune('0'+depth)))
	for _, child := range l.Layers {
		f.depth(child, depth+1)
	}
}
