package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/internal/wire"
)

// Call calls an action and returns its result, once the state shows what it
// committed; R is struct{} for one without. It waits for the connection as long
// as ctx lasts. If that breaks before the answer, the outcome is Unknown.
//
// A result that came is returned, whatever happens before its effects are
// shown.
func Call[R, S any](ctx context.Context, s *Stream[S], action string, args ...any) (R, error) {
	return call[R](ctx, s.stream, "", action, args)
}

// CallOnce is Call for actions that the server applies once: it is sent again
// after a drop, and carried out at most once.
func CallOnce[R, S any](ctx context.Context, s *Stream[S], action string, args ...any) (R, error) {
	return call[R](ctx, s.stream, rand.Text(), action, args)
}

// CallKeyed is CallOnce under a key of the caller's, 1 to 64 of [A-Za-z0-9_-],
// that no other request of the user has had: a program that has died asks again
// under the same key. The server remembers it for an hour at least.
func CallKeyed[R, S any](ctx context.Context, s *Stream[S], key, action string, args ...any) (R, error) {
	return call[R](ctx, s.stream, key, action, args)
}

// call calls an action, applied once if it has a key.
func call[R any](ctx context.Context, s *stream, key, action string, args []any) (result R, err error) {
	if args == nil {
		args = []any{}
	}
	op := "action " + action
	payload := map[string]any{"type": "action", "name": action, "args": args}
	if key != "" {
		payload["key"] = key
	}
	value, err := s.ask(ctx, op, payload)
	if err != nil {
		return result, err
	}
	if _, none := any(result).(struct{}); none {
		return result, nil
	}
	if err := json.Unmarshal(value, &result); err != nil {
		return result, fmt.Errorf("%s: decode result %s: %w", op, value, err)
	}
	return result, nil
}

// mostTooLarge is how often a request may be on a connection that ends because
// a frame was too large, before it is believed to have been the one.
const mostTooLarge = 2

// patience is how long a request is made again after it was sent first: servers
// forget keys after an hour.
const patience = 10 * time.Minute

// ask makes a request of the stream, again after a drop if it has a key.
func (s *stream) ask(ctx context.Context, op string, payload map[string]any) (json.RawMessage, error) {
	_, once := payload["key"]
	request, err := json.Marshal(payload)
	if err != nil {
		return nil, &Error{Code: "bad_argument", Message: op + ": " + err.Error(), Outcome: Failed, cause: err}
	}
	outcome, tooLarge := Failed, 0
	first := now()
	// known is the answer, once it came: what follows only waits until it is shown.
	var known *wire.Result
	end := func(err error) (json.RawMessage, error) {
		if known != nil {
			return known.Value, nil
		}
		return nil, err
	}
	for {
		conn, err := s.ready(ctx)
		if err != nil {
			return end(failed(op, err, outcome))
		}
		switch {
		case outcome == Failed:
			first = now()
		case now().Sub(first).Abs() > patience:
			return end(errorOf(op, peer.ErrDropped, Unknown))
		}
		answer, err := conn.Ask(ctx, s.core.Name(), json.RawMessage(request))
		switch {
		case err == nil:
			known, outcome = &answer, Unknown
			// Asked again under its key, the next connection tells when the state that it
			// shows has come so far.
			if s.shown(ctx, conn, answer.Version) || !once || ctx.Err() != nil {
				return end(nil)
			}
		case errors.Is(err, peer.ErrUnsent):
		case errors.Is(err, peer.ErrDropped):
			outcome = Unknown
			if !once {
				return end(errorOf(op, err, Unknown))
			}
		default:
			return end(s.client.ended(op, err, Unknown))
		}
		select {
		case <-conn.Done():
		case <-ctx.Done():
			return end(s.client.ended(op, ctx.Err(), outcome))
		}
		if conn.CloseCode() == closeTooLarge {
			if tooLarge++; tooLarge == mostTooLarge {
				return end(&Error{Code: "too_large", Message: op + ": the server takes no frame of this size", Outcome: Failed})
			}
		}
		s.client.left(s, conn)
	}
}

// now is the time by the wall: the other clock stands still while a machine
// sleeps.
func now() time.Time { return time.Now().Round(0) }

// failed gives the error of what waited in vain the outcome of what was sent
// before.
func failed(op string, err error, outcome Outcome) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errorOf(op, err, outcome)
	}
	own := *e
	own.Outcome = outcome
	own.Message = op + ": " + own.Message
	return &own
}

// left notes that a stream is on a connection no more, before the keeper does.
func (c *Client) left(s *stream, conn *peer.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.on == conn {
		s.on = nil
	}
}

// shown waits until the state shows a version, and tells whether it does. Where
// the connection goes before it waits for what is read on the next, which may
// come from a server that lags.
func (s *stream) shown(ctx context.Context, conn *peer.Conn, version uint64) bool {
	if err := conn.Passed(ctx, version); err == nil || ctx.Err() != nil {
		return err == nil
	}
	s.client.left(s, conn)
	_ = s.until(ctx, "wait for", func() bool { // the result is known all the same
		s.client.mu.Lock()
		on := s.on
		s.client.mu.Unlock()
		return on != nil && s.core.Live()
	})
	return false
}
