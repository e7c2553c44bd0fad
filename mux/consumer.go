package mux

import (
	"context"
	"encoding/json"
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
