package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// call is one write or action of a client, sent as often as it needs.
type call struct {
	id    string // in the book
	op    string
	user  string
	route oracle.Route
	// write is what a write writes; statement is what an action does, and fail how
	// it ends: "", "error" or "panic".
	write     *world.Write
	statement world.Statement
	fail      string
	// key is what a call has that is applied once, "" for others.
	key string
	cut cut
	// snap breaks the connection of the first attempt.
	snap func()
	once sync.Once

	// executions are what the servers did; the book's mutex guards it.
	executions []*execution

	// What the caller was told, once it was.
	told    told
	code    string // of a refusal
	result  string
	version uint64
	sent    int // how often
}

// told is how a call ends for its caller.
type told string

const (
	toldResult  told = "a result"
	toldRefused told = "a refusal"
	// toldUnknown is nothing: it may have been carried out or not.
	toldUnknown told = "nothing"
)

// cut is a moment at which a connection breaks.
type cut string

// The moments. The reply is cut after some of its bytes.
const (
	cutNever       cut = ""
	cutBeforeSend  cut = "before it is sent"
	cutAfterSend   cut = "after it is sent"
	cutQueued      cut = "while it waits in line"
	cutInside      cut = "inside"
	cutAfterCommit cut = "after the commit"
	cutInReply     cut = "in the reply"
	// sentTwice breaks nothing: the same is sent twice at once.
	sentTwice cut = "never, but it is sent twice"
)

var cuts = []cut{cutBeforeSend, cutAfterSend, cutAfterSend, cutQueued, cutInside, cutAfterCommit, cutAfterCommit, cutInReply, cutInReply, sentTwice}

// reached breaks the connection if this is the moment.
func (k *call) reached(ctx context.Context, at cut) {
	if k.cut != at && (k.cut != cutInReply || at != cutAfterCommit) {
		return
	}
	k.once.Do(func() {
		k.snap()
		if at != cutInside {
			return
		}
		wait := time.NewTimer(briefly)
		defer wait.Stop()
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
	})
}

// callOps are the steps that are calls.
var callOps = []string{"save", "save", "create", "delete", "once", "once", "plain", "beside"}

// drawCall draws a step that is a call.
func drawCall(rng *rand.Rand) step {
	s := step{Do: callOps[rng.IntN(len(callOps))], Wait: rng.IntN(3), Pick: rng.IntN(100), Draw: rng.Uint64()}
	s.Delay = time.Duration(rng.IntN(2000)) * time.Microsecond
	if rng.IntN(2) == 0 {
		s.Cut = cuts[rng.IntN(len(cuts))]
	}
	return s
}

// call makes a call on an open view.
func (c *client) call(ctx context.Context, s step) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	rng := random(s.Draw, 0)
	v, k := c.pickCall(rng, s)
	if k == nil {
		return nil
	}
	c.book.enter(k)
	c.event("call " + k.id + ": " + k.describe())
	if err := c.carryOut(ctx, rng, v, k, s); err != nil {
		return err
	}
	c.event("call " + k.id + " is told " + string(k.told) + " " + k.code + k.result)
	c.count(k.op + " told " + string(k.told))
	if k.cut != cutNever {
		c.count("cut " + string(k.cut))
	}
	return nil
}

// pickCall draws a call on one of the open views, nil when there is nothing to
// do on any.
func (c *client) pickCall(rng *rand.Rand, s step) (*view, *call) {
	for i := range c.views {
		if v := c.pick(s.Pick + i); v != nil {
			if k := c.draw(rng, v, s); k != nil {
				return v, k
			}
		}
	}
	return nil, nil
}

// draw draws a call, nil when there is nothing to do.
func (c *client) draw(rng *rand.Rand, v *view, s step) *call {
	k := &call{op: s.Do, user: c.user, route: v.route, cut: s.Cut}
	switch s.Do {
	case "once", "plain", "beside":
		c.book.history.with(func(d *oracle.Data) { k.statement = world.Change(rng, d) })
		if k.statement.SQL == "" {
			return nil
		}
		k.fail = []string{"", "", "", "", "", "error", "panic"}[rng.IntN(7)]
	default:
		offers := c.offers[v.route.Channel]
		if rng.IntN(20) > 0 {
			offers = slices.DeleteFunc(slices.Clone(offers), func(o *world.Offer) bool { return len(o.Permits(s.Do)) == 0 })
		}
		if len(offers) == 0 {
			return nil
		}
		o := offers[rng.IntN(len(offers))]
		c.book.history.with(func(d *oracle.Data) {
			k.write = world.DrawWrite(rng, o, s.Do, d, d.Members(v.route, c.user, c.structs[v.route.Channel]))
		})
		if k.write == nil {
			return nil
		}
	}
	if s.Do == "once" || k.write != nil && rng.IntN(10) > 0 {
		k.key = fmt.Sprintf("%016x", rng.Uint64())
	}
	return k
}

func (k *call) describe() string {
	text, err := json.Marshal(k.payload(nil))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s on %s, cut %q, fail %q: %.300s %.100s", k.op, world.Path(k.route), k.cut, k.fail, text, k.statement.SQL)
}

// payload is the request, with the names that types have.
func (k *call) payload(name func(w *world.Write) (of, parent string)) map[string]any {
	p := map[string]any{}
	if k.key != "" {
		p["key"] = k.key
	}
	if k.write == nil {
		p["type"], p["name"], p["args"] = "action", k.op, []string{k.id}
		return p
	}
	w := k.write
	p["type"] = k.op
	data := map[string]json.RawMessage{callMember: json.RawMessage(`"` + k.id + `"`)}
	maps.Copy(data, w.Data)
	p["data"] = data
	if w.Seen != nil {
		p["seen"] = w.Seen
	}
	var parent string
	if name != nil {
		p["of"], parent = name(w)
	}
	switch {
	case k.op != "create":
		p["id"] = w.ID
	case w.Place.Parent != nil:
		p["in"] = []string{parent, w.Parent, w.Place.Layer.Name}
	}
	return p
}

// names are what the types of a write are called.
func (v *view) names(w *world.Write) (of, parent string) {
	for _, t := range v.tree.Types() {
		if t.GoType == w.Offer.Type {
			of = t.Name
		}
		if w.Place.Type != nil && t.GoType == w.Place.Type {
			parent = t.Name
		}
	}
	return of, parent
}

// mostSent is how often a call is sent before its caller gives up.
const mostSent = 6

// carryOut sends a call until it is answered, with the same key on any
// connection to any server. Without a key it is sent once.
func (c *client) carryOut(ctx context.Context, rng *rand.Rand, v *view, k *call, s step) error {
	ctx, cancel := patient(ctx, c.patience)
	defer cancel()
	if k.cut == cutInReply {
		p, err := startProxy(ctx, c.url())
		if err != nil {
			return err
		}
		bytes := rng.IntN(250)
		k.snap = func() { p.cut(bytes) }
		defer func() {
			c.conn.Redirect(c.url())
			c.conn.Drop()
			p.close()
		}()
		c.conn.Drop()
		c.conn.Redirect(p.url)
	} else {
		conn := c.conn
		k.snap = func() { c.breaking.Go(conn.Drop) }
	}
	tries := mostSent
	if k.key == "" {
		tries = 1
	} else if rng.IntN(10) == 0 {
		tries = 1 + rng.IntN(2)
	}
	for k.sent < tries {
		k.told = toldUnknown
		if err := c.connect(ctx); err != nil {
			return err
		}
		answered, err := c.attemptCall(ctx, v, k, s)
		switch {
		case ctx.Err() != nil:
			return &divergenceError{
				client: c.id, user: c.user, route: world.Path(v.route), waited: context.Cause(ctx),
				what: "call " + k.id + " gets no answer: " + k.describe(),
			}
		case err != nil:
			return err
		case answered:
			return nil
		}
		c.elsewhere(rng)
	}
	return nil
}

// elsewhere has the next connection go to any of the servers.
func (c *client) elsewhere(rng *rand.Rand) {
	c.at = rng.IntN(len(c.urls))
	c.conn.Redirect(c.url())
}

// attemptCall sends a call and tells whether it was answered.
func (c *client) attemptCall(ctx context.Context, v *view, k *call, s step) (answered bool, err error) {
	gone, first := c.conn.Closed(), k.sent == 0
	k.sent++
	if first && k.cut == cutBeforeSend {
		c.conn.Drop()
	}
	payloads := []any{k.payload(v.names)}
	if first && k.cut == cutQueued {
		payloads = []any{map[string]any{"type": "action", "name": "hold", "args": []any{}}, payloads[0]}
	}
	if first && k.cut == sentTwice && k.key != "" {
		payloads = append(payloads, payloads[0])
	}
	answers, err := c.line.send(v.name, payloads...)
	if err != nil {
		return false, nil // the connection has gone
	}
	switch {
	case first && k.cut == cutAfterSend:
		c.conn.Drop()
	case first && k.cut == cutQueued:
		breaks := time.AfterFunc(s.Delay, func() { k.once.Do(k.snap) })
		defer func() {
			if breaks.Stop() {
				c.conn.Drop() // or what holds the line would do so on and on
			}
		}()
		answers = answers[1:]
	}
	a, err := c.line.wait(ctx, gone, answers[0])
	if err != nil {
		return false, nil // unknown, or too late, which the caller sees
	}
	if len(answers) > 1 {
		if err := c.same(ctx, gone, k, a, answers[1]); err != nil {
			return false, err
		}
	}
	return c.take(ctx, gone, v, k, &a), nil
}

// same checks the answer to the second of two requests that are one.
func (c *client) same(ctx context.Context, gone <-chan struct{}, k *call, a answer, second <-chan answer) error {
	b, err := c.line.wait(ctx, gone, second)
	if err != nil || a.Type != "result" || b.Type == "error" && transient(b.Code) {
		return nil //nolint:nilerr // nobody was told a result twice
	}
	if string(b.Value) != string(a.Value) || b.Type != a.Type {
		return &divergenceError{
			client: c.id, user: k.user, route: world.Path(k.route), what: "call " + k.id + ", sent twice with one key, has two results: " + k.describe(),
			shows: fmt.Sprintf("%s%s %s", b.Type, b.Code, b.Value), want: string(a.Value),
		}
	}
	return nil
}

// transient tells of errors after which nothing is known.
func transient(code string) bool {
	return code == "internal" || code == "unavailable" || code == "timeout"
}

// take notes an answer, and tells whether it is the last word.
func (c *client) take(ctx context.Context, gone <-chan struct{}, v *view, k *call, a *answer) bool {
	switch {
	case a.Type == "result":
		k.told, k.result, k.version = toldResult, string(a.Value), a.Version
	case transient(a.Code) || a.Retry:
		k.told, k.code = toldUnknown, a.Code
		return k.sent > 1 || k.key == ""
	case a.Code == "unknown_stream":
		// It was not begun this time.
		if k.told = toldUnknown; k.sent == 1 {
			k.told, k.code = toldRefused, a.Code
		}
		return k.key == ""
	default:
		k.told, k.code = toldRefused, a.Code
	}
	if k.version > 0 && c.line.passed(ctx, gone, k.version) == nil {
		v.await(k)
	}
	return true
}

// callSteps puts calls between the steps of a client.
func callSteps(rng *rand.Rand, steps []step) []step {
	var all []step
	for _, s := range steps {
		all = append(all, s)
		for rng.IntN(2) == 0 {
			all = append(all, drawCall(rng))
		}
	}
	return all
}
