package pando

import (
	"context"
	"encoding/json"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// Request implements the sessions' Stream. The version is read after the action
// or write has returned, so that it is not below what was committed.
func (s *stream) Request(ctx context.Context, r *wire.Request) (json.RawMessage, uint64, error) {
	if r.Type != "action" {
		return nil, 0, rpc.Errorf("unknown_write", "channel %s offers no writes", s.Channel())
	}
	value, err := s.action(ctx, r)
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
		s.app.cfg.Logger.WarnContext(ctx, "cannot tell the version of a request", "channel", s.Channel(), "type", r.Type, "error", err)
		return value, 0, nil
	}
	return value, version, nil
}

// Concurrent implements the sessions' Stream.
func (s *stream) Concurrent(*wire.Request) bool { return false }

func (s *stream) action(ctx context.Context, req *wire.Request) (json.RawMessage, error) {
	m := s.channel.actions[req.Name]
	if m == nil {
		return nil, rpc.Errorf("unknown_action", "channel %s has no action %q", s.Channel(), req.Name)
	}
	return s.app.handler(ctx, &Request{
		Kind: "action", User: s.request.User, Session: s.request.Session, Stream: s.request.Stream,
		Channel: s.Channel(), Route: s.request.Route, Action: req.Name, Args: req.Args,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			return m.Call(ctx, s.value, r.Args)
		},
	})
}
