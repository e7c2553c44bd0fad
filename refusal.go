package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
)

// refusalMark begins a stored reply that refuses: no JSON does.
const refusalMark = '!'

// refusal is what is stored of an error.
type refusal struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// fleeting are codes that say nothing of the request, and steady those that it gets
// at all times, by itself: none of them needs to be stored.
var (
	fleeting = []string{"unavailable", "timeout", "internal", "rate_limited"}
	steady   = []string{"unknown_write", "unknown_action", "bad_request", "bad_argument"}
)

// transactOnce is transact for a request of a client. A refusal of one that is
// applied once is stored under its claim, too: of two copies that are under way, as
// after a connection was lost, one would else be refused and the other be carried
// out. What may have been refused since a row was told before it could be read is
// asked once more, when all that clients have been told can be read.
//
// told makes of an error what the client is told of it.
func (a *App) transactOnce(
	ctx context.Context, claim *feed.Claim, told func(error) error, fn func(context.Context, feed.Tx) (json.RawMessage, error),
) (json.RawMessage, error) {
	early := a.pipe.Unseen()
	reply, err := a.transact(ctx, claim, fn)
	// Some databases tell of a commit a moment before others can read it.
	if err != nil && early && ofRows(err) && a.pipe.Visible(ctx) == nil {
		reply, err = a.transact(ctx, claim, fn)
	}
	if err != nil {
		err = told(err)
	}
	if stored := storable(claim, err); stored != nil {
		reply, err = a.transact(ctx, claim, func(context.Context, feed.Tx) (json.RawMessage, error) { return stored, nil })
		if err != nil {
			err = fmt.Errorf("store refusal: %w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	return replied(reply)
}

// ofRows tells whether what was refused may be for a row that could not be read.
func ofRows(err error) bool {
	if refused(err) {
		return true
	}
	e, _ := rpc.Public(err)
	return e.Code == "not_found" || e.Code == "denied" || e.Code == "invalid" || e.Code == "conflict"
}

// storable is what is stored of an error, nil for nothing.
func storable(claim *feed.Claim, err error) json.RawMessage {
	e, ok := errors.AsType[*rpc.Error](err)
	if claim == nil || !ok || e.Retry || e.Unknown || slices.Contains(fleeting, e.Code) || slices.Contains(steady, e.Code) {
		return nil
	}
	text, err := json.Marshal(refusal{e.Code, e.Message, e.Fields})
	if err != nil {
		panic("pando: encode a refusal: " + err.Error()) // it is texts alone
	}
	return append([]byte{refusalMark}, text...)
}

// asItIs is for errors that need no words of their own.
func asItIs(err error) error { return err }

// replied is what a stored reply says.
func replied(reply json.RawMessage) (json.RawMessage, error) {
	if len(reply) == 0 || reply[0] != refusalMark {
		return reply, nil
	}
	var r refusal
	if err := json.Unmarshal(reply[1:], &r); err != nil {
		return nil, fmt.Errorf("read a stored refusal: %w", err)
	}
	return nil, &rpc.Error{Code: r.Code, Message: r.Message, Fields: r.Fields}
}
