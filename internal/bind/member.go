package bind

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/pando-sync/pando/internal/wire"
)

// Member is one stream of a connection whose consumer is a binding, as the rows
// that change are told to it: see [Outbound.Open]. Its methods may be called by any
// goroutine, and must not call those of the stream's Line: they are called while
// that is locked.
type Member interface {
	// Tell puts a message in line. It never blocks: past a bound of messages and of
	// bytes, for which a message counts once with each member, it drops the message
	// and returns false. The member then takes nothing more until what is in line
	// has been written, tells the client of a gap, and calls Line.Gapped.
	Tell(m *Message) bool
	// Send is Tell that waits until there is room. It returns an error only when
	// ctx or the stream has ended; then nothing was put in line. Behind a gap that
	// the member tells of by itself it goes on only once Line.Gapped has returned.
	Send(ctx context.Context, m *Message) error
	// Drop takes out what is in line and not written yet. Where there was something the
	// client is told of a gap in its place. It never blocks.
	Drop()
	// Gap tells the client, behind what is in line, that messages may have been
	// lost. It never blocks. Line.Gapped need not be called.
	Gap()
}

// Face is the way in which a connection frames what it is told.
type Face uint8

// The faces.
const (
	// Plain is the envelope alone: {"stream":…,"payload":…}.
	Plain Face = iota
	// V1 is the subprotocol pando.v1, whose payload is {"type":"message","data":…}.
	V1
)

// Message is what is told of a row, or a part of what a subscription begins with:
// one payload, which all who are told share. It is safe for concurrent use.
type Message struct {
	payload json.RawMessage

	mu     sync.Mutex
	frames map[framing]*wire.Frame // guarded by mu
}

// framing is what the frames of a message differ by.
type framing struct {
	face   Face
	stream string
}

// NewMessage returns the message of a payload, a JSON object, which must not be
// changed any more.
func NewMessage(payload json.RawMessage) *Message { return &Message{payload: payload} }

// Payload is the message without its envelope. It must not be changed.
func (m *Message) Payload() json.RawMessage { return m.payload }

// Size is about the number of bytes of each of its frames.
func (m *Message) Size() int { return len(m.payload) + 64 }

// Frame returns the message as a stream of that name is told it. It is encoded
// once for each name and face.
func (m *Message) Frame(face Face, stream string) *wire.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	as := framing{face, stream}
	if f := m.frames[as]; f != nil {
		return f
	}
	f := wire.Carry(stream, m.payload)
	if face == V1 {
		f = wire.Carry(stream, []byte(`{"type":"message","data":`), m.payload, []byte("}"))
	}
	if m.frames == nil {
		m.frames = map[framing]*wire.Frame{}
	}
	m.frames[as] = f
	return f
}
