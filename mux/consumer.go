package mux

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pando-sync/pando/internal/rpc"
)

// Consumer takes what clients send to one stream of a demultiplexer. One value
// serves all connections: what is of a connection stands with the Stream.
//
// The methods of one stream of one connection run one at a time, in order; those
// of others run beside them. A panic is an error of that stream.
type Consumer interface {
	// Connect is called when the stream begins, after permission was granted and the
	// connection's groups were joined. An error refuses the stream.
	Connect(ctx context.Context, s *Stream) error
	// Receive is called with each payload, a JSON object. What it returns answers a
	// message that came with an id, as JSON; of others it is dropped. An error is
	// told to the client: with its code if it has one (pando.Errorf), else as
	// "internal", and to the log.
	Receive(ctx context.Context, s *Stream, payload json.RawMessage) (any, error)
	// Disconnect is called exactly once for each stream whose Connect was called
	// and returned no error, after its last Receive has returned, however the
	// connection ended. Its context outlives the connection.
	Disconnect(ctx context.Context, s *Stream)
}

// JSON is a Consumer of payloads that are decoded into a T. Functions that are
// nil do nothing; without OnReceive every payload is refused. A member that T
// does not have is ignored.
type JSON[T any] struct {
	OnConnect    func(ctx context.Context, s *Stream) error
	OnReceive    func(ctx context.Context, s *Stream, payload T) (any, error)
	OnDisconnect func(ctx context.Context, s *Stream)
}

// Connect implements Consumer.
func (j JSON[T]) Connect(ctx context.Context, s *Stream) error {
	if j.OnConnect == nil {
		return nil
	}
	return j.OnConnect(ctx, s)
}

// Receive implements Consumer.
func (j JSON[T]) Receive(ctx context.Context, s *Stream, payload json.RawMessage) (any, error) {
	if j.OnReceive == nil {
		return nil, rpc.Errorf("bad_request", "stream %s takes no messages", s.Name())
	}
	value, err := decode[T](payload)
	if err != nil {
		return nil, err
	}
	return j.OnReceive(ctx, s, value)
}

// Disconnect implements Consumer.
func (j JSON[T]) Disconnect(ctx context.Context, s *Stream) {
	if j.OnDisconnect != nil {
		j.OnDisconnect(ctx, s)
	}
}

// decode reads a payload. What does not fit is the client's mistake, which is told
// the field.
func decode[T any](payload json.RawMessage) (T, error) {
	var value T
	err := json.Unmarshal(payload, &value)
	wrong := (*json.UnmarshalTypeError)(nil)
	switch {
	case err == nil:
		return value, nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return value, rpc.Invalid(wrong.Field, "want %s, got %s", wrong.Type, wrong.Value)
	default:
		return value, rpc.Errorf("bad_request", "the payload is not what this stream takes: %v", err)
	}
}

var _ Consumer = JSON[struct{}]{}
