package peer

import (
	"encoding/json"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// Error is a coded error of the server.
type Error = rpc.Error

// errClosed ends a stream that the client has closed.
var errClosed = &Error{Code: "closed", Message: "the stream was closed"}

// refusal reads an error reply, or the server's word that it closes a stream.
func refusal(payload json.RawMessage) error {
	var e wire.Error
	if err := json.Unmarshal(payload, &e); err != nil {
		return err
	}
	if e.Code == "" {
		return errClosed
	}
	return &Error{
		Code: e.Code, Message: e.Message, Retry: e.Retry, Fields: e.Fields,
		RetryAfter: time.Duration(e.RetryAfter) * time.Millisecond, Unknown: e.Outcome == "unknown",
	}
}
