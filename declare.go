package pando

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
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
	query   Query
	ownList bool

	writable     []*writable
	freshRuntime bool
	cacheTTL     *time.Duration // nil for the default
	timeout      time.Duration
	maxRequest   *int       // nil for the frame's bound alone
	rate         *rateLimit // nil for none
	consume      []*consumer
	presences    []*presenceHook
	recheck      []recheck

	tenantColumn string
	tenant       func(Identity) any
}

// Option is a property of a declared channel.
type Option interface{ apply(d *Declaration) }

type option func(*Declaration)

func (o option) apply(d *Declaration) { o(d) }

// For declares a channel. create returns a new value for each stream, with the
// app's own dependencies in it.
func For[C AnyChannel](create func() C, options ...Option) *Declaration {
	d := &Declaration{value: func() AnyChannel { return create() }, typ: reflect.TypeFor[C]()}
	for _, o := range options {
		o.apply(d)
	}
	return d
}

// Include names the relations to follow of structs with gorm or bun relations,
// as paths of Go fields: "Owner", "Tasks.Comments". Plain structs' relations
// are followed without.
func Include(paths ...string) Option {
	return option(func(d *Declaration) { d.include = append(d.include, paths...) })
}

// AnchorBy names the route parameter that is the root's key, when it is not
// the last.
func AnchorBy(param string) Option { return option(func(d *Declaration) { d.anchor = param }) }

// Public lets connections without a user open the channel, if HasPermission
// agrees.
func Public() Option { return option(func(d *Declaration) { d.public = true }) }

// StateType gives the struct of the state's root, in the place of the channel's
// type argument, to programs that make their types at run time. A struct
// without a name tells its table by a blank field:
//
//	_ struct{} `pando:"table:line_items"`
func StateType(t reflect.Type) Option { return option(func(d *Declaration) { d.state = t }) }

// channel is a declared channel, ready to be opened.
type channel struct {
	*Declaration

	schema   *schema.Channel
	pattern  pattern
	actions  map[string]*action
	list     bool
	rechecks []recheck
	offers   []*write.Offer
	writer   *write.Writer // nil when nothing is writable

	consumers map[string]*consumer // by the type of their events
	presence  *presenceHook        // nil for none
}

// compile checks a declaration.
func (d *Declaration) compile(reg *schema.Registry, route string) (*channel, error) {
	c := &channel{Declaration: d, actions: map[string]*action{}}
	if d.typ.Kind() != reflect.Pointer || d.typ.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s: For must return a pointer to a struct that embeds pando.Channel or pando.List", d.typ)
	}
	name := d.typ.Elem().Name()
	c.schema = &schema.Channel{Name: name, Package: d.typ.Elem().PkgPath(), Route: route}
	for _, step := range []func(*schema.Registry) error{c.readType, c.params, c.methods, c.compileRechecks, c.compileWrites} {
		if err := step(reg); err != nil {
			return nil, fmt.Errorf("channel %s: %w", name, err)
		}
	}
	if err := c.compileConsumers(); err != nil {
		return nil, fmt.Errorf("channel %s: %w", name, err)
	}
	return c, nil
}

// readType reads what the channel's Go types say: its hooks, its state and its
// runtime state.
func (c *channel) readType(reg *schema.Registry) error {
	var err error
	if c.pattern, err = parsePattern(c.schema.Route); err != nil {
		return err
	}
	if err := checkHooks(c.typ); err != nil {
		return err
	}
	v := c.value()
	stateType, runtimeType := v.types()
	if c.state != nil {
		stateType = c.state
	}
	if runtimeType.Kind() != reflect.Struct {
		return fmt.Errorf("the runtime state %s is no struct: use one, or pando.NoRuntime", runtimeType)
	}
	c.schema.Runtime, c.list = runtimeType, v.isList()
	if err := c.checkList(v); err != nil {
		return err
	}
	c.schema.Tree, err = reg.Tree(stateType, c.treeOptions()...)
	return err
}

// checkList finds what only lists have.
func (c *channel) checkList(v AnyChannel) error {
	_, named := c.typ.MethodByName("IsVisible")
	judged := c.list && v.judge(v) != nil
	switch {
	case named && !judged:
		return errors.New("method IsVisible has another signature than the hook, or the channel is no pando.List: " +
			"want IsVisible(ctx context.Context, instance *T) (bool, error), with T of pando.List[T, R]")
	case judged && c.query.limit > 0:
		return errors.New("IsVisible and Limit exclude each other: rows that are not visible would take the places of others; use conditions")
	case c.cacheTTL != nil && *c.cacheTTL != 0 && (c.query.limit > 0 || c.ownList || judged):
		return errors.New("CacheTTL: a list that has a limit, or is one stream's own, is not cached: leave it out")
	case c.cacheTTL != nil && *c.cacheTTL < 0:
		return fmt.Errorf("CacheTTL(%s): give a time, or 0 for scopes that are not to be cached", *c.cacheTTL)
	case !c.list && (c.query.limit != 0 || len(c.query.order) > 0 || c.ownList):
		return errors.New("OrderBy, Limit and OwnList are for lists: embed pando.List in the place of pando.Channel")
	}
	c.ownList = c.ownList || judged
	return nil
}

func (c *channel) treeOptions() []schema.Option {
	options := []schema.Option{schema.Include(c.include...)}
	if c.tenant != nil {
		options = append(options, schema.EveryLayer(c.tenantColumn, schema.EnvVar{Name: tenantVar}))
	}
	if !c.list {
		return append(options, schema.Filter(c.query.where...))
	}
	return append(options, schema.AsList(schema.ListSpec{
		Name: c.schema.Name, Where: c.query.where, Order: c.query.order, Limit: c.query.limit,
	}))
}

// params says what the route's parameters are: the anchor's key, and arguments.
func (c *channel) params(*schema.Registry) error {
	c.schema.Anchor = -1
	for i, name := range c.pattern.params() {
		c.schema.Params = append(c.schema.Params, schema.Param{Name: name, Kind: schema.Text})
		if c.anchor == name || c.anchor == "" {
			c.schema.Anchor = i // the last one, unless AnchorBy names it
		}
	}
	switch root := c.schema.Tree.Root.Type; {
	case c.list && c.anchor != "":
		return errors.New("AnchorBy: a list has no anchor: leave it out")
	case c.list:
		c.schema.Anchor = -1
	case c.schema.Anchor < 0 && c.anchor != "":
		return fmt.Errorf("route %q has no parameter {%s}, which AnchorBy names", c.schema.Route, c.anchor)
	case c.schema.Anchor < 0:
		return fmt.Errorf("route %q has no parameter: one must be the key of %s, as in %s/{id}",
			c.schema.Route, root.Name, c.schema.Route)
	default:
		p := &c.schema.Params[c.schema.Anchor]
		p.Kind, p.Link = root.Fields[root.Key].Kind, root
	}
	return c.checkEnv()
}

func (c *channel) methods(*schema.Registry) error {
	for _, fn := range c.Declaration.actions {
		beside, ok := fn.(concurrent)
		if ok {
			fn = beside.method
		}
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
		c.actions[m.Name] = &action{m, ok}
		c.schema.Actions = append(c.schema.Actions, schema.Action{
			Name: m.Name, Method: m.GoName, Args: m.Args, Result: m.Result, Once: m.Once,
		})
	}
	return c.limits()
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
	{"OnGap", "OnGap(ctx context.Context) error", reflect.TypeFor[Gapped]()},
	{"IsVisible", "IsVisible(ctx context.Context, instance *T) (bool, error)", nil},
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
