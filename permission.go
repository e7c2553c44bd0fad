package pando

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// RecheckOn has HasPermission asked again when a commit touches a row of T's
// table whose column equals the anchor's key, as it was or as it is now:
//
//	pando.RecheckOn[BoardMember]("board_id")
//
// With the name of a parameter of the route it is that argument that the column
// is compared with. T declares the column, with all others of the table that
// permission depends on; it need not be part of any state. From such a commit
// on nothing is sent to the streams concerned before HasPermission has answered
// on a state that includes it; those it refuses are closed with the code
// "denied".
func RecheckOn[T any](column string, param ...string) Option {
	return option(func(d *Declaration) {
		d.recheck = append(d.recheck, recheck{typ: reflect.TypeFor[T](), column: column, params: param})
	})
}

// recheck is one RecheckOn; table and at are its column once it is compiled.
type recheck struct {
	typ    reflect.Type
	column string
	params []string

	table *schema.Table
	at    int
	param int // an index in the route's parameters
}

// compileRechecks finds the tables and parameters that RecheckOn names.
func (c *channel) compileRechecks(reg *schema.Registry) error {
	c.rechecks = slices.Clone(c.recheck)
	for i := range c.rechecks {
		r := &c.rechecks[i]
		var err error
		if r.table, r.at, err = reg.Watch(r.typ, r.column); err != nil {
			return fmt.Errorf("RecheckOn: %w", err)
		}
		r.param = c.schema.Anchor
		if len(r.params) > 0 {
			r.param = slices.IndexFunc(c.schema.Params, func(p schema.Param) bool { return p.Name == r.params[0] })
		}
		switch {
		case len(r.params) > 1:
			return fmt.Errorf("RecheckOn %s: %d parameters are named: name one", r.column, len(r.params))
		case r.param < 0 && len(r.params) == 1:
			return fmt.Errorf("RecheckOn %s: route %q has no parameter {%s}", r.column, c.schema.Route, r.params[0])
		case r.param < 0:
			return fmt.Errorf("RecheckOn %s: a list has no anchor: name the parameter of the route that the column is compared with", r.column)
		}
	}
	return nil
}

// watched are the rows that the permission of a stream with these arguments
// depends on. An argument that is no value of the column has none.
func (c *channel) watched(args Args) []pipe.On {
	var on []pipe.On
	for _, r := range c.rechecks {
		v := args.values[r.param]
		if k := r.table.Columns[r.at].Kind; v.Kind() != k {
			v = valueOr(k, v.String())
		}
		if !v.IsNull() {
			on = append(on, pipe.On{Table: r.table, Column: r.at, Value: v})
		}
	}
	return on
}

// Recheck asks HasPermission again of all streams of a user, and IsVisible of
// the rows of their lists; the one of a demultiplexer counts for all streams of a
// connection. From its return on nothing is sent to a stream
// before it was answered; those that are refused are closed with the code
// "denied". Call it when permission depends on something that is in no table
// that [RecheckOn] names.
func (a *App) Recheck(user string) {
	for _, s := range a.open.of(user) {
		s.watch.Recheck()
	}
	for _, w := range a.multi.watchesOf(user) {
		w.Recheck()
	}
}

// openStreams are the streams of each user, from before they are asked for
// permission until they are closed.
type openStreams struct {
	mu     sync.Mutex // guards what follows
	byUser map[string]map[*stream]struct{}
	// byAnchor are those of the channels that have had notices.
	byAnchor map[*channel]anchors
}

func (o *openStreams) add(s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := s.request.User.ID
	if o.byUser == nil {
		o.byUser = map[string]map[*stream]struct{}{}
	}
	if o.byUser[user] == nil {
		o.byUser[user] = map[*stream]struct{}{}
	}
	o.byUser[user][s] = struct{}{}
	if index := o.byAnchor[s.channel]; index != nil {
		index.add(s)
	}
}

func (o *openStreams) remove(s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := s.request.User.ID
	if delete(o.byUser[user], s); len(o.byUser[user]) == 0 {
		delete(o.byUser, user)
	}
	if index := o.byAnchor[s.channel]; index != nil {
		index.remove(s)
	}
}

func (o *openStreams) of(user string) []*stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.byUser[user]))
}

// Permit implements the sessions' Stream: it asks HasPermission again.
func (s *stream) Permit(ctx context.Context) error {
	defer s.app.calls.end(s.app.calls.begin(s.Channel(), "HasPermission", ""))
	return s.channel.ask(ctx, s.value)
}

// ask asks a channel's value for permission.
func (c *channel) ask(ctx context.Context, v AnyChannel) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("channel "+c.schema.Name+": HasPermission", p)
		}
	}()
	ok, err := v.HasPermission(ctx)
	if err != nil {
		return fmt.Errorf("channel %s: HasPermission: %w", c.schema.Name, err)
	}
	if !ok {
		return rpc.Errorf("denied", "permission denied")
	}
	return nil
}

// watchCredentials has the tables followed that Config.Auth's identities depend
// on.
func (a *App) watchCredentials() error {
	auth, ok := a.cfg.Auth.(token.Revocable)
	if !ok {
		return nil
	}
	for _, c := range auth.Credentials() {
		table, at, err := a.registry.Watch(c.Row, c.Column)
		if err != nil {
			return fmt.Errorf("pando: Config.Auth: Credentials: %w", err)
		}
		a.credentials = append(a.credentials, pipe.On{Table: table, Column: at})
	}
	return nil
}

// Credentials implements the sessions' App.
func (a *App) Credentials(user Identity) []pipe.On {
	var on []pipe.On
	for _, c := range a.credentials {
		if c.Value = valueOr(c.Table.Columns[c.Column].Kind, user.ID); !c.Value.IsNull() {
			on = append(on, c)
		}
	}
	return on
}
