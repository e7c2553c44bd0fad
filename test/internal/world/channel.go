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

// Channels' names are those of Go types, so that there are as many as here.
type (
	ash   struct{ base }
	birch struct{ base }
	cedar struct{ base }
	elm   struct{ base }
	fir   struct{ base }
)

var channels = []func(options ...pando.Option) *pando.Declaration{
	func(o ...pando.Option) *pando.Declaration { return pando.For(func() *ash { return new(ash) }, o...) },
	func(o ...pando.Option) *pando.Declaration {
		return pando.For(func() *birch { return new(birch) }, o...)
	},
	func(o ...pando.Option) *pando.Declaration {
		return pando.For(func() *cedar { return new(cedar) }, o...)
	},
	func(o ...pando.Option) *pando.Declaration { return pando.For(func() *elm { return new(elm) }, o...) },
	func(o ...pando.Option) *pando.Declaration { return pando.For(func() *fir { return new(fir) }, o...) },
}

// Declare declares a schema's channels.
func Declare(app *pando.App, s *model.Schema) {
	for i, c := range s.Channels {
		options := []pando.Option{pando.Public(), pando.StateType(structOf(s, c.Root))}
		app.Handle(pattern(i, c), channels[i](options...))
	}
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
