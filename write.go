package pando

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// Write is a client's write as [App.Use] sees it: Op ("save", "create" or
// "delete"), Type, ID, In, Data and Seen as the protocol has them. Functions may
// change Data.
type Write = write.Request

// write carries out a save, a create or a delete. The value is the key of the
// created row, else null.
func (s *stream) write(ctx context.Context, r *wire.Request) (json.RawMessage, error) {
	claim := s.claim(r)
	return s.app.handler(ctx, &Request{
		Kind: "write", User: s.request.User, Session: s.request.Session, Stream: s.request.Stream,
		Channel: s.Channel(), Route: s.request.Route,
		Write: &Write{Op: write.Op(r.Type), Type: r.Of, ID: r.ID, In: r.In, Data: r.Data, Seen: r.Seen},
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			return s.applyWrite(ctx, claim, r.Write)
		},
	})
}

// applyWrite makes a write in a transaction of its own.
func (s *stream) applyWrite(ctx context.Context, claim *feed.Claim, w *Write) (json.RawMessage, error) {
	writer := s.channel.writer
	if writer == nil || w == nil {
		return nil, rpc.Errorf("unknown_write", "channel %s offers no writes", s.Channel())
	}
	view := &write.Stream{
		Anchor: s.channel.anchorOf(s.args), Env: s.env, User: s.part, Channel: any(s.value),
	}
	if s.list != nil {
		view.Listed = s.listed
	}
	told := func(err error) error { return writer.Refused(w, err) }
	reply, err := s.app.transactOnce(ctx, claim, told, func(ctx context.Context, tx feed.Tx) (json.RawMessage, error) {
		done, err := writer.Apply(ctx, tx, view, w)
		if err != nil {
			return nil, err
		}
		return keyText(done), nil
	})
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", s.Channel(), err)
	}
	return reply, nil
}

// keyText is the key of a created row as clients have it, else null.
func keyText(done write.Result) json.RawMessage {
	return done.Type.Fields[done.Type.Key].AppendJSON(nil, done.Key)
}

// listed tells whether a row stands in the stream's own list.
func (s *stream) listed(ctx context.Context, row schema.Row, meets bool) (bool, error) {
	added, hidden := s.list.Picked(row[s.channel.schema.Tree.Root.Type.Table.Key])
	if !added && (hidden || !meets) {
		return false, nil
	}
	return s.judge == nil || s.isVisible(ctx, row), nil
}
