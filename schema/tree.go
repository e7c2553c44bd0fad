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

// Filter adds conditions to the rows of the root, which is shown only while it
// meets them.
func Filter(conds ...CondSpec) Option {
	return func(b *builder) { b.filter = append(b.filter, conds...) }
}

// EveryLayer asks of the rows of every layer that the column equals a value of
// the stream: the tenant's. Every struct has to declare the column, unless the
// relation to it is tagged shared. The rows that a many-to-many relation goes
// through are asked only if a struct declares their column, and those that
// computed values are made of are not asked. A v without a kind has the
// column's.
func EveryLayer(column string, v EnvVar) Option {
	return func(b *builder) {
		b.every = append(b.every, everywhere{column, v})
		b.tree.everywhere = append(b.tree.everywhere, column)
	}
}

type everywhere struct {
	column string
	value  EnvVar
}

// builder makes one tree.
type builder struct {
	registry *Registry
	tree     *Tree
	// include tells for each path that Include names whether it was met.
	include map[string]bool
	filter  []CondSpec
	every   []everywhere
	list    *ListSpec
	// later is what needs structs that are met further on.
	later []func() error
}

// trail is the way from the root to a layer.
type trail struct {
	// names are the Go fields.
	names []string
	// above are the structs, the layer's own last.
	above []reflect.Type
	// again are the relations that led to a struct which was above already.
	again []*fieldDecl
}

func (t trail) to(f *fieldDecl) trail {
	next := trail{append(slices.Clone(t.names), f.goName), append(slices.Clone(t.above), f.target), t.again}
	if slices.Contains(t.above, f.target) {
		next.again = append(slices.Clone(t.again), f)
	}
	return next
}

// times is how often the relation led to a struct that was above already.
func (t trail) times(f *fieldDecl) int {
	n := 0
	for _, g := range t.again {
		if g == f {
			n++
		}
	}
	return n
}

// maxLayers bounds a tree: two relations of one struct to itself make a number
// of layers that is exponential in their depth.
const maxLayers = 1000

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
	if err := b.root(typ, d); err != nil {
		return nil, err
	}
	for _, finish := range b.later {
		if err := finish(); err != nil {
			return nil, err
		}
	}
	if err := b.apart(); err != nil {
		return nil, err
	}
	if err := b.hide(); err != nil {
		return nil, err
	}
	if err := b.checkAudiences(); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(b.include)) {
		if !b.include[path] {
			return nil, fmt.Errorf("schema: %s: Include(%q): no such relation: name Go fields from the root, as in \"Tasks.Comments\"", d.name, path)
		}
	}
	return b.tree, nil
}

// root makes the first layer and all below it.
func (b *builder) root(typ *Type, d *decl) error {
	start := trail{above: []reflect.Type{d.goType}}
	if b.list != nil {
		return b.listRoot(typ, d, start)
	}
	b.tree.Root = b.add(&Layer{Type: typ})
	if err := b.restrict(b.tree.Root, d, b.filter, false); err != nil {
		return fmt.Errorf("schema: %s: condition: %w", d.name, err)
	}
	return b.grow(b.tree.Root, d, start)
}

func (b *builder) add(l *Layer) *Layer {
	l.Index, l.UserKey = len(b.tree.Layers), -1
	b.tree.Layers = append(b.tree.Layers, l)
	return l
}

// grow fills the layer's members.
func (b *builder) grow(l *Layer, d *decl, way trail) error {
	sent := 0
	for _, f := range d.fields {
		if f.target == nil {
			if f.sent {
				l.Members = append(l.Members, Member{Field: sent})
				sent++
			}
			continue
		}
		next := way.to(f)
		if !b.follows(d, next.names) {
			continue
		}
		child, err := b.branch(l, f, next)
		if err != nil {
			return err
		}
		if child != nil {
			l.Members = append(l.Members, Member{Field: -1, Layer: child})
		}
	}
	return nil
}

func (b *builder) follows(d *decl, names []string) bool {
	path := strings.Join(names, ".")
	_, named := b.include[path]
	if named {
		b.include[path] = true
	}
	return named || !d.orm
}

// branch adds the layer of a relation and all below it. It returns nil where
// the relation's depth ends.
func (b *builder) branch(parent *Layer, f *fieldDecl, way trail) (*Layer, error) {
	switch n := way.times(f); {
	case n > 0 && f.tags.depth == 0:
		return nil, f.fault("%s is met again on its own path: say how often with pando:\"depth:N\", or leave it out with pando:\"-\"", f.target.Name())
	case n > 0 && n > f.tags.depth:
		return nil, nil
	case len(b.tree.Layers) >= maxLayers:
		return nil, f.fault("the tree has more than %d layers: lower the depths on its path", maxLayers)
	}
	d, err := b.registry.declare(f.target)
	if err != nil {
		return nil, fmt.Errorf("%w (by %s)", err, f)
	}
	typ, err := b.registry.typeOf(d)
	if err != nil {
		return nil, err
	}
	if f.through() != "" {
		return b.throughBranch(parent, f, d, typ, way)
	}
	if f.tags.target != nil {
		return nil, f.fault("tag target: it is for many-to-many: name the table with through:TABLE")
	}
	e, err := relate(f, d)
	if err != nil {
		return nil, err
	}
	l := b.below(parent, f, Layer{Type: typ, Relation: e.relation})
	if err := b.link(l, f, d, e.links); err != nil {
		return nil, err
	}
	if err := b.order(l, f, d); err != nil {
		return nil, err
	}
	if err := b.restrict(l, d, f.tags.filter, f.tags.shared); err != nil {
		return nil, f.fault("condition: %w", err)
	}
	if err := b.audience(l, f, d, f.tags.userKey); err != nil {
		return nil, err
	}
	return l, b.grow(l, d, way)
}

// below adds a relation's layer to the one above.
func (b *builder) below(parent *Layer, f *fieldDecl, l Layer) *Layer {
	l.Path, l.Name, l.GoName, l.Parent = f.wire, f.wire, f.goName, parent
	if parent.Path != "" {
		l.Path = parent.Path + "." + f.wire
	}
	child := b.add(&l)
	parent.Children = append(parent.Children, child)
	return child
}

// restrict adds the conditions that rows of the layer meet: those given, that
// they are not deleted, and those of every layer unless it is exempt.
func (b *builder) restrict(l *Layer, d *decl, specs []CondSpec, exempt bool) error {
	if d.softDelete != nil {
		specs = append(slices.Clone(specs), CondSpec{Column: d.softDelete.column, Op: IsNull})
	}
	if err := b.where(l, d, specs); err != nil || exempt {
		return err
	}
	for _, e := range b.every {
		if d.byColumn(e.column) == nil {
			return fmt.Errorf("%s declares no column %s, which every layer is asked for: add a field for it, with json:\"-\" when it is not to be sent, or tag the relation pando:\"shared\"", d.name, e.column)
		}
		if err := b.where(l, d, []CondSpec{{e.column, Eq, []OperandSpec{{Env: e.value.Name}}}}); err != nil {
			return err
		}
		c := &l.Type.Table.Columns[l.Where[len(l.Where)-1].Column]
		if e.value.Kind != Null && e.value.Kind != c.Kind {
			return fmt.Errorf("column %s of %s is %s, but every layer is asked for a %s: declare it alike", e.column, d.name, c.Kind, e.value.Kind)
		}
	}
	return nil
}

// audience makes the layer's rows those of the user that the column names.
func (b *builder) audience(l *Layer, f *fieldDecl, d *decl, userKey string) error {
	if userKey == "" {
		return nil
	}
	column, err := b.registry.compared(l.Type.Table, d, userKey)
	if err != nil {
		return f.fault("tag user_key: %w", err)
	}
	if k := l.Type.Table.Columns[column].Kind; k != Int && k != Text && k != UUID {
		return f.fault("tag user_key: column %s is %s: a user's id is an integer, a UUID or text", userKey, k)
	}
	l.UserKey = column
	return nil
}

// checkAudiences checks that all layers of one user compare the same id, and
// that none stands below another.
func (b *builder) checkAudiences() error {
	kind, ok := b.tree.UserKind()
	for _, l := range b.tree.Layers {
		if !ok || l.UserKey < 0 {
			continue
		}
		for up := l.Parent; up != nil; up = up.Parent {
			if up.UserKey >= 0 {
				return fmt.Errorf("schema: %s: tag user_key: it stands below %s, whose rows are one user's already: leave it out", l.Path, up.Path)
			}
		}
		if c := l.Type.Table.Columns[l.UserKey]; c.Kind != kind {
			return fmt.Errorf("schema: %s: tag user_key: column %s is %s, but another user_key of the tree is %s: declare them alike",
				l.Path, c.Name, c.Kind, kind)
		}
	}
	return nil
}

// UserKind is the kind of the columns that name the only user who is sent a
// layer's rows. It returns false for a tree that all see alike.
func (t *Tree) UserKind() (Kind, bool) {
	for _, l := range t.Layers {
		if l.UserKey >= 0 {
			return l.Type.Table.Columns[l.UserKey].Kind, true
		}
	}
	return Null, false
}
