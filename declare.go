package pando

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// Declaration is a channel as For declares it.
type Declaration struct {
	value   func() AnyChannel
	typ     reflect.Type
	actions []any
	include []string
	anchor  string
	public  bool
	state   reflect.Type // nil for the channel's own S
}

// Option is a property of a declared channel.
type Option func(*Declaration)

// For declares a channel. create returns a new value for each stream, with the
// app's own dependencies in it.
func For[C AnyChannel](create func() C, options ...Option) *Declaration {
	d := &Declaration{value: func() AnyChannel { return create() }, typ: reflect.TypeFor[C]()}
	for _, o := range options {
		o(d)
	}
	return d
}

// Actions offers methods to the browser, given as method expressions:
// (*BoardChannel).Rename is called as rename. A method takes a context and
// any arguments that JSON can carry, and returns an error, or a result and an
// error.
func Actions(methods ...any) Option {
	return func(d *Declaration) { d.actions = append(d.actions, methods...) }
}

// Include names the relations to follow of structs with gorm or bun relations,
// as paths of Go fields: "Owner", "Tasks.Comments". Plain structs' relations
// are followed without.
func Include(paths ...string) Option {
	return func(d *Declaration) { d.include = append(d.include, paths...) }
}

// AnchorBy names the route parameter that is the root's key, when it is not
// the last.
func AnchorBy(param string) Option { return func(d *Declaration) { d.anchor = param } }

// Public lets connections without a user open the channel, if HasPermission
// agrees.
func Public() Option { return func(d *Declaration) { d.public = true } }

// StateType gives the struct of the state's root, in the place of the channel's
// type argument, to programs that make their types at run time. A struct
// without a name tells its table by a blank field:
//
//	_ struct{} `pando:"table:line_items"`
func StateType(t reflect.Type) Option { return func(d *Declaration) { d.state = t } }

// channel is a declared channel, ready to be opened.
type channel struct {
	*Declaration

	schema  *schema.Channel
	pattern pattern
	actions map[string]*rpc.Method
}

// compile checks a declaration.
func (d *Declaration) compile(reg *schema.Registry, route string) (*channel, error) {
	c := &channel{Declaration: d, actions: map[string]*rpc.Method{}}
	if d.typ.Kind() != reflect.Pointer || d.typ.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s: For must return a pointer to a struct that embeds pando.Channel", d.typ)
	}
	name := d.typ.Elem().Name()
	fault := func(err error) (*channel, error) { return nil, fmt.Errorf("channel %s: %w", name, err) }
	var err error
	if c.pattern, err = parsePattern(route); err != nil {
		return fault(err)
	}
	if err := checkHooks(d.typ); err != nil {
		return fault(err)
	}
	stateType, runtimeType := d.value().types()
	if d.state != nil {
		stateType = d.state
	}
	if runtimeType.Kind() != reflect.Struct {
		return fault(fmt.Errorf("the runtime state %s is no struct: use one, or pando.NoRuntime", runtimeType))
	}
	tree, err := reg.Tree(stateType, schema.Include(d.include...))
	if err != nil {
		return fault(err)
	}
	c.schema = &schema.Channel{Name: name, Package: d.typ.Elem().PkgPath(), Route: route, Tree: tree, Runtime: runtimeType}
	if err := c.params(); err != nil {
		return fault(err)
	}
	if err := c.methods(); err != nil {
		return fault(err)
	}
	return c, nil
}

// params says which of the route's parameters is the anchor's key.
func (c *channel) params() error {
	c.schema.Anchor = -1
	for i, name := range c.pattern.params() {
		c.schema.Params = append(c.schema.Params, schema.Param{Name: name, Kind: schema.Text})
		if c.anchor == name || c.anchor == "" {
			c.schema.Anchor = i // the last one, unless AnchorBy names it
		}
	}
	if c.schema.Anchor < 0 {
		if c.anchor != "" {
			return fmt.Errorf("route %q has no parameter {%s}, which AnchorBy names", c.schema.Route, c.anchor)
		}
		return fmt.Errorf("route %q has no parameter: one must be the key of %s, as in %s/{id}",
			c.schema.Route, c.schema.Tree.Root.Type.Name, c.schema.Route)
	}
	root := c.schema.Tree.Root.Type
	p := &c.schema.Params[c.schema.Anchor]
	p.Kind, p.Link = root.Fields[root.Key].Kind, root
	return nil
}

func (c *channel) methods() error {
	for _, fn := range c.Declaration.actions {
		m, err := rpc.Compile(fn)
		if err != nil {
			return err
		}
		if m.Receiver != c.typ {
			return fmt.Errorf("action %s is a method of %s: give one of %s", m.GoName, m.Receiver, c.typ)
		}
		if c.actions[m.Name] != nil {
			return fmt.Errorf("action %s is given twice", m.GoName)
		}
		c.actions[m.Name] = m
		c.schema.Actions = append(c.schema.Actions, schema.Action{Name: m.Name, Method: m.GoName, Args: m.Args, Result: m.Result})
	}
	return nil
}

// hooks are the methods that Pando calls when a channel has them, with their
// signatures as an author writes them.
var hooks = []struct {
	name, signature string
	typ             reflect.Type
}{
	{"HasPermission", "HasPermission(ctx context.Context) (bool, error)", nil},
	{"OnConnect", "OnConnect(ctx context.Context) error", reflect.TypeFor[Connector]()},
	{"OnDisconnect", "OnDisconnect(ctx context.Context)", reflect.TypeFor[Disconnector]()},
}

// checkHooks finds hooks that would silently never be called: a slip in the
// name, or another signature.
func checkHooks(t reflect.Type) error {
	for m := range t.Methods() {
		for _, h := range hooks {
			switch {
			case m.Name == h.name && h.typ != nil && !t.Implements(h.typ):
				return fmt.Errorf("method %s has another signature than the hook: want %s", m.Name, h.signature)
			case m.Name != h.name && oneEdit(strings.ToLower(m.Name), strings.ToLower(h.name)):
				return fmt.Errorf("method %s looks like the hook %s: rename it to %s, or to something else", m.Name, h.name, h.name)
			}
		}
	}
	return nil
}

// oneEdit tells whether two names differ by at most one letter changed, left
// out or added.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}
