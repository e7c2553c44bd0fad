package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/pando-sync/pando/internal/rpc"
)

// Consume has a method of the channel called with the events of a type that are
// sent to the stream's groups:
//
//	pando.Consume("news", (*ProjectChannel).OnNews)
//
//	func (c *ProjectChannel) OnNews(ctx context.Context, e NewsEvent) error
//
// Consumers of a stream run one at a time with its other consumers, its hooks,
// actions and writes, in the order of the events. Which group an event came by
// does not matter. It is decoded once for all streams that consume it: a
// consumer must not change what it points to. One that cannot be decoded is
// dropped, and logged the first time.
//
// The context ends with the stream, and at the channel's [ActionTimeout]. An
// error is logged, and so is a panic; the stream goes on. Up to 128 events
// wait for a stream; further ones are dropped, and the hook OnGap is called, see
// [Gapped]. Streams that are in the group while their channel does not consume
// the type are told nothing.
func Consume[C AnyChannel, E any](typ string, method func(c C, ctx context.Context, event E) error) Option {
	return option(func(d *Declaration) {
		c := &consumer{typ: typ, receiver: reflect.TypeFor[C](), event: reflect.TypeFor[E](), missing: method == nil}
		c.decode = func(body json.RawMessage) (_ any, err error) {
			defer func() {
				if p := recover(); p != nil { // of the event's own UnmarshalJSON
					err = rpc.Panicked("decode event "+typ, p)
				}
			}()
			var event E
			err = json.Unmarshal(body, &event)
			return event, err
		}
		c.call = func(v AnyChannel, ctx context.Context, event any) error {
			return method(v.(C), ctx, event.(E)) //nolint:errcheck,forcetypeassert // both were checked when it was declared
		}
		d.consume = append(d.consume, c)
	})
}

// Gapped is a channel with a hook that is called, in the stream's line, when
// events of its groups may have been lost: more came than the stream could take,
// or the connection to Config.Broker was gone. Whoever keeps something by events
// reads it anew then.
type Gapped interface {
	OnGap(ctx context.Context) error
}

// consumer is one Consume.
type consumer struct {
	typ             string
	receiver, event reflect.Type
	missing         bool // the method is nil
	decode          func(json.RawMessage) (any, error)
	call            func(v AnyChannel, ctx context.Context, event any) error
}

// compileConsumers checks what the channel consumes.
func (c *channel) compileConsumers() error {
	c.consumers = make(map[string]*consumer, len(c.consume))
	for _, one := range c.consume {
		switch {
		case one.typ == "":
			return errors.New(`Consume: the type of the events is missing: give the one that GroupSend is called with, such as "news"`)
		case one.missing:
			return fmt.Errorf("Consume %q: the method is nil: give a method expression, such as (%s).OnNews", one.typ, c.typ)
		case one.receiver != c.typ:
			return fmt.Errorf("Consume %q: the method is one of %s: give one of %s", one.typ, one.receiver, c.typ)
		case c.consumers[one.typ] != nil:
			return fmt.Errorf("Consume %q: the type is given twice: let one method consume it", one.typ)
		case one.event.Kind() == reflect.Interface && one.event.NumMethod() > 0:
			return fmt.Errorf("Consume %q: an event cannot be decoded as %s: take a struct", one.typ, one.event)
		}
		c.consumers[one.typ] = one
	}
	return c.compilePresence()
}

// wrongEvent logs an event that a consumer does not understand, once for each
// consumer.
func (a *App) wrongEvent(channel string, c *consumer, err error) {
	if _, again := a.wrong.LoadOrStore(c, true); !again {
		a.cfg.Logger.Error("an event is not what its consumer takes: such events are dropped",
			"channel", channel, "type", c.typ, "want", c.event.String(), "error", err)
	}
}
