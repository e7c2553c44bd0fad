package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// Actions offers methods to the browser, given as method expressions:
// (*BoardChannel).Rename is called as rename. A method takes a context and any
// arguments that JSON can carry, and returns an error, or a result and an error.
// The actions of a stream run one at a time, in order, with its writes and
// consumers; see [Concurrent].
//
// The context ends when the client closes the stream, when the connection ends,
// and at the channel's [ActionTimeout].
//
// A method that takes a *sql.Tx right after the context is applied once: Pando
// opens the transaction, stores the result in it, and commits when the method
// returns nil; an error or a panic rolls back. A client that does not get the
// answer asks again with the same key, on any node, and gets the stored result.
// Such a method neither commits nor rolls back. It may be called more than once
// when the database rolls its transaction back for the sake of others. The
// parameter is not among those that the browser gives. Config.Source has to be a
// feed.Writer.
//
//	func (c *BoardChannel) AddCard(ctx context.Context, tx *sql.Tx, list int64, title string) (int64, error)
//
// Integers may come as numbers or as strings of digits. An object with a member
// that the argument's struct has not is refused.
func Actions(methods ...any) Option {
	return option(func(d *Declaration) { d.actions = append(d.actions, methods...) })
}

// Concurrent marks a method, within [Actions], that may run beside others of its
// stream: it has to guard what they share. 16 of a stream, and 64 of a
// connection, run at once; more are refused with "rate_limited".
func Concurrent(method any) any { return concurrent{method} }

type concurrent struct{ method any }

// defaultTimeout is how long a request may take.
const defaultTimeout = 30 * time.Second

// ActionTimeout is how long an action or a write of the channel may take, 30 s
// unless set. Its context ends then, and the client is told "timeout"; what it
// did in a transaction of Pando's is rolled back.
func ActionTimeout(limit time.Duration) Option {
	return option(func(d *Declaration) { d.timeout = limit })
}

// MaxRequest is the size in bytes of the largest request that the channel takes,
// as JSON; it is below Config.MaxFrame, which bounds all. Larger ones are refused
// with "too_large".
func MaxRequest(bytes int) Option {
	return option(func(d *Declaration) { d.maxRequest = &bytes })
}

// RateLimit lets each stream of the channel make perSecond actions and writes a
// second in the long run, and burst of them at once. Further ones are refused
// with "rate_limited" and the time after which one would be allowed.
func RateLimit(perSecond float64, burst int) Option {
	return option(func(d *Declaration) { d.rate = &rateLimit{perSecond, burst} })
}

type rateLimit struct {
	perSecond float64
	burst     int
}

// action is a compiled method.
type action struct {
	*rpc.Method
	concurrent bool
}

// limits checks what bounds the channel's requests.
func (d *Declaration) limits() error {
	switch {
	case d.timeout < 0:
		return fmt.Errorf("ActionTimeout(%s): give a positive duration", d.timeout)
	case d.maxRequest != nil && *d.maxRequest <= 0:
		return fmt.Errorf("MaxRequest(%d): give a positive number of bytes", *d.maxRequest)
	case d.rate != nil && (d.rate.perSecond <= 0 || d.rate.burst < 1):
		return fmt.Errorf("RateLimit(%g, %d): give a positive rate, and a burst of 1 at least", d.rate.perSecond, d.rate.burst)
	}
	if d.timeout == 0 {
		d.timeout = defaultTimeout
	}
	return nil
}

// checkActions finds what the app's configuration does not allow.
func (c *channel) checkActions(cfg Config) error {
	if c.maxRequest != nil && int64(*c.maxRequest) > cfg.MaxFrame {
		return fmt.Errorf("pando: channel %s: MaxRequest(%d) is above Config.MaxFrame, %d: raise that", c.schema.Name, *c.maxRequest, cfg.MaxFrame)
	}
	if _, writes := cfg.Source.(feed.Writer); writes {
		return nil
	}
	for _, a := range c.schema.Actions {
		if a.Once {
			return fmt.Errorf("pando: channel %s: action %s takes a *sql.Tx, but Config.Source is a %T, which does not write: "+
				"give one that is a feed.Writer, or leave the parameter out", c.schema.Name, a.Method, cfg.Source)
		}
	}
	return nil
}

// Concurrent implements the sessions' Stream.
func (s *stream) Concurrent(r *wire.Request) bool {
	a := s.channel.actions[r.Name]
	return r.Type == "action" && a != nil && a.concurrent
}

// errTimeout is why the context of a request ends that takes too long.
var errTimeout = errors.New("the request takes too long")

// Request implements the sessions' Stream. The version is read after the action
// or write has returned, so that it is not below what was committed.
func (s *stream) Request(ctx context.Context, r *wire.Request) (json.RawMessage, uint64, error) {
	value, err := s.carryOut(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	version, err := s.app.pipe.Head(ctx)
	if err != nil {
		// What was done is done: its caller learns the result, not when the state
		// shows it.
		if ctx.Err() == nil {
			s.app.cfg.Logger.WarnContext(ctx, "cannot tell the version of a request", "channel", s.Channel(), "type", r.Type, "error", err)
		}
		return value, 0, nil
	}
	return value, version, nil
}

// carryOut carries a request out within the channel's limits.
func (s *stream) carryOut(ctx context.Context, r *wire.Request) (value json.RawMessage, err error) {
	if err := s.admit(r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.channel.timeout, errTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // of a function that Use has put around
			err = rpc.Panicked(r.Type+" "+r.Name+r.Of, p)
		}
		if _, told := errors.AsType[*Error](err); err != nil && !told {
			err = s.givenUp(ctx, r, err)
		}
	}()
	switch r.Type {
	case "action":
		return s.action(ctx, r)
	case "message":
		return nil, rpc.Errorf("bad_request", "a channel takes actions and writes: messages are for streams of demultiplexers")
	}
	return s.write(ctx, r)
}

// givenUp says what became of a request that failed for the end of its context,
// or of one that the app made of it.
func (s *stream) givenUp(ctx context.Context, r *wire.Request, err error) error {
	var e *Error
	switch inner := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled); {
	case errors.Is(context.Cause(ctx), errTimeout):
		e = rpc.Errorf("timeout", "the %s took longer than %s, and was given up", r.Type, s.channel.timeout)
	case ctx.Err() != nil: // the stream is closed
		return fmt.Errorf("%s: %w", r.Type, ctx.Err())
	case inner && s.halfDone(r):
		e = rpc.Errorf("timeout", "the %s waited too long for something, and was given up", r.Type)
	default:
		return err
	}
	e.Unknown = s.halfDone(r)
	return e
}

// halfDone tells that a request may have done some of its work when it is given
// up: there is no transaction of Pando's that takes it back.
func (s *stream) halfDone(r *wire.Request) bool {
	a := s.channel.actions[r.Name]
	return r.Type == "action" && a != nil && !a.Once
}

// nobodysKey is the length of the shortest key of a request that nobody makes:
// all of them are one owner's, and the reply must not be another's to guess.
const nobodysKey = 16

// admit refuses a request that is over the channel's limits, or has a key that
// is none.
func (s *stream) admit(r *wire.Request) error {
	if most := s.channel.maxRequest; most != nil && r.Size > *most {
		return rpc.Errorf("too_large", "a request of %d bytes is over the limit of %d", r.Size, *most)
	}
	if n := len(r.Key); n > 0 && n < nobodysKey && s.request.User.ID == "" {
		return rpc.Errorf("bad_request", "a key of %d characters: without a user it has to be random, of %d at least", n, nobodysKey)
	}
	if s.limiter == nil {
		return nil
	}
	turn := s.limiter.Reserve()
	delay := turn.Delay()
	if delay == 0 {
		return nil
	}
	turn.Cancel()
	return &Error{
		Code: "rate_limited", Message: "too many requests: try again later", Retry: true, RetryAfter: delay,
	}
}

// newLimiter returns what counts a stream's requests, nil when nothing does.
func (d *Declaration) newLimiter() *rate.Limiter {
	if d.rate == nil {
		return nil
	}
	return rate.NewLimiter(rate.Limit(d.rate.perSecond), d.rate.burst)
}

// action calls an action.
func (s *stream) action(ctx context.Context, req *wire.Request) (json.RawMessage, error) {
	a := s.channel.actions[req.Name]
	switch {
	case a == nil:
		return nil, rpc.Errorf("unknown_action", "channel %s has no action %q", s.Channel(), req.Name)
	case req.Key != "" && !a.Once:
		return nil, rpc.Errorf("bad_request", "action %s is not one that is applied once: leave the key out", req.Name)
	}
	return s.app.handler(ctx, &Request{
		Kind: "action", User: s.request.User, Session: s.request.Session, Stream: s.request.Stream,
		Channel: s.Channel(), Route: s.request.Route, Action: req.Name, Args: req.Args,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			if !a.Once {
				return a.Call(ctx, s.value, nil, r.Args)
			}
			return s.app.transactOnce(ctx, s.claim(req), asItIs, func(ctx context.Context, tx feed.Tx) (json.RawMessage, error) {
				return a.Call(ctx, s.value, tx.SQL(), r.Args)
			})
		},
	})
}
