package world

import (
	"context"
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
}

func (*base) HasPermission(context.Context) (bool, error) { return true, nil }

// list is what the lists share.
type list struct {
	pando.List[struct{}, pando.NoRuntime]
}

func (*list) HasPermission(context.Context) (bool, error) { return true, nil }

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

// declare is For of a type that is yet to be chosen.
type declare func(options ...pando.Option) *pando.Declaration

func of[C any, P interface {
	*C
	pando.AnyChannel
}]() declare {
	return func(options ...pando.Option) *pando.Declaration {
		return pando.For(func() P { return P(new(C)) }, options...)
	}
}

var (
	channels = []declare{of[ash](), of[birch](), of[cedar](), of[elm]()}
	others   = []declare{of[fir](), of[gum](), of[holly](), of[ivy](), of[larch]()}
	lists    = []declare{of[maple](), of[oak](), of[pine](), of[rowan]()}
)

// Declare declares a schema's channels.
func Declare(app *pando.App, s *model.Schema) {
	for i, name := range between(s) {
		// Nobody opens it: it tells what key and columns the table between two
		// others has.
		t := s.Table(name)
		app.Handle(fmt.Sprintf("between%d/{id}", i), others[i](pando.StateType(structOf(s, &model.Layer{Table: name, Fields: everything(t)}))))
	}
	for i, c := range s.Channels {
		options := []pando.Option{pando.Public(), pando.StateType(structOf(s, c.Root)), query(s, c)}
		if c.Tenant != "" {
			options = append(options, pando.Tenant(c.Tenant, func(id pando.Identity) any { return id.ID }))
		}
		if c.List {
			app.Handle(pattern(i, c), lists[i](options...))
		} else {
			app.Handle(pattern(i, c), channels[i](options...))
		}
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
