package schema

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Option changes how Tree reads a struct.
type Option func(*builder)

// Include names relations to follow, by their Go fields joined with dots:
// "Owner", "Tasks.Comments" (which includes "Tasks"). Structs with gorm or bun
// tags need it for every relation, because models that serve a whole program
// have more relations than a page should see. Other structs follow all that
// they declare.
func Include(paths ...string) Option {
	return func(b *builder) {
		for _, path := range paths {
			names := strings.Split(path, ".")
			for i := range names {
				b.include[strings.Join(names[:i+1], ".")] = false
			}
		}
	}
}

// builder makes one tree.
type builder struct {
	registry *Registry
	tree     *Tree
	// include tells for each path that Include names whether it was met.
	include map[string]bool
}

// Tree reads the tree of a struct type and adds its tables and types to the
// registry. Errors name the field and the mend; the registry is of no use
// after one.
func (r *Registry) Tree(t reflect.Type, opts ...Option) (*Tree, error) {
	b := &builder{registry: r, tree: &Tree{}, include: map[string]bool{}}
	for _, opt := range opts {
		opt(b)
	}
	d, err := r.declare(t)
	if err != nil {
		return nil, err
	}
	typ, err := r.typeOf(d)
	if err != nil {
		return nil, err
	}
	b.tree.Root = b.add(&Layer{Type: typ, UserKey: -1})
	if err := b.grow(b.tree.Root, d, nil, []reflect.Type{t}); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(b.include)) {
		if !b.include[path] {
			return nil, fmt.Errorf("schema: %s: Include(%q): no such relation: name Go fields from the root, as in \"Tasks.Comments\"", t.Name(), path)
		}
	}
	return b.tree, nil
}

func (b *builder) add(l *Layer) *Layer {
	l.Index = len(b.tree.Layers)
	b.tree.Layers = append(b.tree.Layers, l)
	return l
}

// grow fills the layer's members. goPath and above are the Go fields and the
// structs from the root to it.
func (b *builder) grow(l *Layer, d *decl, goPath []string, above []reflect.Type) error {
	sent := 0
	for _, f := range d.fields {
		if f.target == nil {
			if f.sent {
				l.Members = append(l.Members, Member{Field: sent})
				sent++
			}
			continue
		}
		path := append(slices.Clone(goPath), f.goName)
		if !b.follows(d, path) {
			continue
		}
		child, err := b.branch(l, f, path, above)
		if err != nil {
			return err
		}
		l.Members = append(l.Members, Member{Field: -1, Layer: child})
		l.Children = append(l.Children, child)
	}
	return nil
}

func (b *builder) follows(d *decl, goPath []string) bool {
	path := strings.Join(goPath, ".")
	_, named := b.include[path]
	if named {
		b.include[path] = true
	}
	return named || !d.orm
}

// branch adds the layer of a relation and all below it.
func (b *builder) branch(parent *Layer, f *fieldDecl, goPath []string, above []reflect.Type) (*Layer, error) {
	if slices.Contains(above, f.target) {
		return nil, f.fault("%s is met again on its own path, and a bounded depth is not supported yet: leave it out with pando:\"-\"", f.target.Name())
	}
	d, err := b.registry.declare(f.target)
	if err != nil {
		return nil, fmt.Errorf("%w (by %s)", err, f)
	}
	typ, err := b.registry.typeOf(d)
	if err != nil {
		return nil, err
	}
	e, err := relate(f, d)
	if err != nil {
		return nil, err
	}
	l := b.add(&Layer{Path: f.wire, Name: f.wire, GoName: f.goName, Type: typ, Parent: parent, Relation: e.relation, UserKey: -1})
	if parent.Path != "" {
		l.Path = parent.Path + "." + f.wire
	}
	if err := b.link(l, f, d, e); err != nil {
		return nil, err
	}
	if err := b.order(l, f, d); err != nil {
		return nil, err
	}
	return l, b.grow(l, d, goPath, append(slices.Clone(above), f.target))
}

// link finds or adds the link column and marks its field as a key of the
// other side.
func (b *builder) link(l *Layer, f *fieldDecl, child *decl, e edge) error {
	holder, holderDecl, target := l.Type, child, l.Parent.Type
	nullable := true
	if e.relation == BelongsTo {
		holder, holderDecl, target = l.Parent.Type, f.owner, l.Type
		nullable = f.goType.Kind() == reflect.Pointer
	}
	key := target.Fields[target.Key]
	if declared := holderDecl.byColumn(e.link); declared != nil {
		if declared.kind != key.Kind {
			return declared.fault("column %s is %s, but as the link of %s it holds keys of %s, which are %s: declare it alike",
				e.link, declared.kind, f, target.Name, key.Kind)
		}
		nullable = declared.nullable
	}
	i, err := b.registry.hidden(holder, e.link, key.Kind, nullable, f.String())
	if err != nil {
		return err
	}
	field := &holder.Fields[i]
	l.Link = field.Column
	field.AsString = field.AsString || field.Kind == Int
	if field.Link == nil {
		field.Link = target
	}
	if e.relation != BelongsTo {
		addLink(holder.Table, l.Link)
	}
	return nil
}

func addLink(t *Table, column int) {
	if i, found := slices.BinarySearch(t.Links, column); !found {
		t.Links = slices.Insert(t.Links, i, column)
	}
}

func (b *builder) order(l *Layer, f *fieldDecl, child *decl) error {
	if len(f.tags.order) > 0 && l.Relation == BelongsTo {
		return f.fault("tag order: belongs-to has one row: leave it out")
	}
	for _, o := range f.tags.order {
		declared := child.byColumn(o.column)
		if declared == nil {
			return f.fault("tag order:%s: %s declares no such column: add a field for it, with json:\"-\" when it is not to be sent", o.column, child.goType.Name())
		}
		if declared.kind == JSON {
			return f.fault("tag order:%s: JSON has no order: sort by another column", o.column)
		}
		i, err := b.registry.hidden(l.Type, o.column, declared.kind, declared.nullable, declared.String())
		if err != nil {
			return err
		}
		field := &l.Type.Fields[i]
		field.AsString = field.AsString || declared.asString
		l.Order = append(l.Order, Order{Column: field.Column, Desc: o.desc})
	}
	return nil
}
