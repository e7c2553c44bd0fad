package world

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// base is what the channels share; their states are made at run time.
type base struct {
	pando.Channel[struct{}, pando.NoRuntime]
	asked
}

func (*base) HasPermission(context.Context) (bool, error) { return true, nil }
func (b *base) user() string                              { return b.User().ID }

// Once is applied once.
func (b *base) Once(ctx context.Context, tx *sql.Tx, call string) (string, error) {
	return b.hooks.Act(ctx, tx, call)
}

// Plain makes a transaction of its own.
func (b *base) Plain(ctx context.Context, call string) (result string, err error) {
	return b.act(ctx, b.Tx, call)
}

// Beside is Plain beside other actions.
func (b *base) Beside(ctx context.Context, call string) (result string, err error) {
	return b.act(ctx, b.Tx, call)
}

// list is what the lists share.
type list struct {
	pando.List[struct{}, pando.NoRuntime]
	asked
}

func (*list) HasPermission(context.Context) (bool, error) { return true, nil }
func (l *list) user() string                              { return l.User().ID }

// Once is applied once.
func (l *list) Once(ctx context.Context, tx *sql.Tx, call string) (string, error) {
	return l.hooks.Act(ctx, tx, call)
}

// Plain makes a transaction of its own.
func (l *list) Plain(ctx context.Context, call string) (result string, err error) {
	return l.act(ctx, l.Tx, call)
}

// Beside is Plain beside other actions.
func (l *list) Beside(ctx context.Context, call string) (result string, err error) {
	return l.act(ctx, l.Tx, call)
}

// asked is a channel that asks hooks.
type asked struct {
	hooks Hooks
	open  bool
}

func (a *asked) at() *asked { return a }

// OnConnect tells that a stream is open.
func (a *asked) OnConnect(context.Context) error {
	a.open = true
	a.hooks.Opened()
	return nil
}

// OnDisconnect tells that it is not any more.
func (a *asked) OnDisconnect(context.Context) {
	if a.open {
		a.hooks.Closed()
	}
}

// Hold lasts until the stream or its connection is closed.
func (a *asked) Hold(ctx context.Context) error { return a.hooks.Hold(ctx) }

func (a *asked) act(ctx context.Context, in func(context.Context, func(*sql.Tx) error) error, call string) (result string, err error) {
	err = in(ctx, func(tx *sql.Tx) error {
		result, err = a.hooks.Act(ctx, tx, call)
		return err
	})
	return result, err
}

// Actions are what the channels' actions do.
type Actions interface {
	// Act carries a call out in a transaction, Hold lasts until ctx ends.
	Act(ctx context.Context, tx *sql.Tx, call string) (string, error)
	Hold(ctx context.Context) error
}

// member is a channel of one of the types below.
type member interface {
	pando.AnyChannel
	at() *asked
	user() string
}

// Channels' names are those of Go types, so that there are as many as here.
type (
	ash   struct{ base }
	birch struct{ base }
	cedar struct{ base }
	elm   struct{ base }
	fir   struct{ base }
	gum   struct{ base }
	holly struct{ base }
	ivy   struct{ base }
	larch struct{ base }

	maple struct{ list }
	oak   struct{ list }
	pine  struct{ list }
	rowan struct{ list }
)

// kindOf is one of the types, yet to be chosen.
type kindOf struct {
	declare func(hooks Hooks, options ...pando.Option) *pando.Declaration
	writes  func(s *model.Schema, c *model.Channel) []pando.Option
}

func of[C any, P interface {
	*C
	member
}](actions ...any) kindOf {
	declare := func(hooks Hooks, options ...pando.Option) *pando.Declaration {
		return pando.For(func() P {
			c := P(new(C))
			c.at().hooks = hooks
			return c
		}, append(options, pando.Actions(actions...))...)
	}
	return kindOf{declare, options[P]}
}

var (
	channels = []kindOf{
		of[ash]((*ash).Once, (*ash).Plain, pando.Concurrent((*ash).Beside), (*ash).Hold),
		of[birch]((*birch).Once, (*birch).Plain, pando.Concurrent((*birch).Beside), (*birch).Hold),
		of[cedar]((*cedar).Once, (*cedar).Plain, pando.Concurrent((*cedar).Beside), (*cedar).Hold),
		of[elm]((*elm).Once, (*elm).Plain, pando.Concurrent((*elm).Beside), (*elm).Hold),
	}
	others = []kindOf{of[fir](), of[gum](), of[holly](), of[ivy](), of[larch]()}
	lists  = []kindOf{
		of[maple]((*maple).Once, (*maple).Plain, pando.Concurrent((*maple).Beside), (*maple).Hold),
		of[oak]((*oak).Once, (*oak).Plain, pando.Concurrent((*oak).Beside), (*oak).Hold),
		of[pine]((*pine).Once, (*pine).Plain, pando.Concurrent((*pine).Beside), (*pine).Hold),
		of[rowan]((*rowan).Once, (*rowan).Plain, pando.Concurrent((*rowan).Beside), (*rowan).Hold),
	}
)

// Declare declares a schema's channels, which ask hooks.
func Declare(app *pando.App, s *model.Schema, hooks Hooks) {
	for i, name := range between(s) {
		// Nobody opens it: it tells what key and columns the table between two
		// others has.
		t := s.Table(name)
		app.Handle(fmt.Sprintf("between%d/{id}", i), others[i].declare(hooks, pando.StateType(structOf(s, &model.Layer{Table: name, Fields: everything(t)}))))
	}
	for i, c := range s.Channels {
		options := []pando.Option{pando.Public(), pando.StateType(structOf(s, c.Root)), query(s, c)}
		if c.Tenant != "" {
			options = append(options, pando.Tenant(c.Tenant, func(id pando.Identity) any { return id.ID }))
		}
		kind := channels[i]
		if c.List {
			kind = lists[i]
		}
		options = append(options, kind.writes(s, c)...)
		app.Handle(pattern(i, c), kind.declare(hooks, options...))
	}
}

// between are the tables of many-to-many relations whose key is not the two
// links.
func between(s *model.Schema) []string {
	var names []string
	for _, c := range s.Channels {
		c.Root.Walk(func(l *model.Layer) {
			if l.Through == nil || slices.Contains(names, l.Through.Table) {
				return
			}
			plain := c.Tenant == "" && len(l.Through.Order)+len(l.Through.Where) == 0
			if t := s.Table(l.Through.Table); !t.Joins() || !plain {
				names = append(names, t.Name)
			}
		})
	}
	return names
}

func everything(t *model.Table) []string {
	var names []string
	for _, c := range t.Columns {
		if !c.Secret {
			names = append(names, c.Name)
		}
	}
	return names
}

// query is a channel's conditions, order and limit.
func query(s *model.Schema, c *model.Channel) pando.Query {
	var q pando.Query
	t := s.Table(c.Root.Table)
	for _, w := range c.Root.Where {
		q = q.Where(w.Column, test(t.Column(w.Column).Kind, w))
	}
	if !c.List {
		return q
	}
	for _, o := range c.Root.Order {
		if o.Desc {
			q = q.OrderBy("-" + o.Column)
		} else {
			q = q.OrderBy(o.Column)
		}
	}
	return q.Limit(c.Limit)
}

func test(kind model.Kind, c model.Condition) pando.Test {
	values := make([]any, len(c.Operands))
	for i, o := range c.Operands {
		switch {
		case o.Env == "$user":
			values[i] = pando.UserID()
		case o.Env != "":
			values[i] = pando.Arg(o.Env[1:])
		default:
			values[i] = constant(kind, o.Text)
		}
	}
	switch c.Op {
	case "in":
		return pando.In(values...)
	case "null":
		return pando.IsNull()
	case "not null":
		return pando.NotNull()
	}
	return map[string]func(any) pando.Test{
		"=": pando.Eq, "!=": pando.Ne, "<": pando.Lt, "<=": pando.Le, ">": pando.Gt, ">=": pando.Ge,
	}[c.Op](values[0])
}

// constant is a text as a Go value of a kind.
func constant(kind model.Kind, text string) any {
	var v any = text
	var err error
	switch kind {
	case model.Int:
		v, err = strconv.ParseInt(text, 10, 64)
	case model.Float:
		v, err = strconv.ParseFloat(text, 64)
	case model.Bool:
		v, err = strconv.ParseBool(text)
	default: // the text itself
	}
	if err != nil {
		panic(err)
	}
	return v
}

// pattern is a channel's route.
func pattern(i int, c *model.Channel) string {
	parts := []string{fmt.Sprintf("c%d", i)}
	for _, p := range c.Params {
		parts = append(parts, "{"+p+"}")
	}
	if !c.List {
		parts = append(parts, "{id}")
	}
	return strings.Join(parts, "/")
}

// Path is a route as a client writes it.
func Path(r oracle.Route) string {
	parts := []string{fmt.Sprintf("c%d", r.Channel)}
	for _, a := range r.Args {
		parts = append(parts, url.PathEscape(a))
	}
	return strings.Join(parts, "/")
}

// Routes draws what clients open: of every channel some anchors, of which some
// exist only later, and never.
func Routes(rng *rand.Rand, s *model.Schema) []oracle.Route {
	var all []oracle.Route
	for i, c := range s.Channels {
		for range 2 + rng.IntN(3) {
			r := oracle.Route{Channel: i}
			for range c.Params {
				r.Args = append(r.Args, strconv.Itoa(rng.IntN(3)))
			}
			if !c.List {
				keys := Keys(s.Table(c.Root.Table))
				r.Args = append(r.Args, keys[rng.IntN(len(keys)*2/3)])
			}
			if !slices.ContainsFunc(all, func(o oracle.Route) bool { return Path(o) == Path(r) }) {
				all = append(all, r)
			}
		}
	}
	return all
}
