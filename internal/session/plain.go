package session

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// plainEnvelope is one message of a plain client, whose members are read apart to
// tell of each what is wrong with it.
type plainEnvelope struct {
	Stream  json.RawMessage `json:"stream"`
	ID      json.RawMessage `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// handlePlain handles one text frame of a plain client: an envelope, or several.
func (c *Session) handlePlain(message []byte) {
	switch {
	case c.doom != nil:
		c.meetDoom()
		return
	case !utf8.Valid(message):
		c.fail(0, rpc.Errorf("bad_frame", "the frame is not UTF-8"))
		return
	case c.place.Raw:
		c.plainMessage(c.own, 0, message)
		return
	}
	message = bytes.TrimLeft(message, " \t\r\n")
	var one plainEnvelope
	envelopes := []plainEnvelope{one}
	var err error
	if len(message) > 0 && message[0] == '[' {
		err = json.Unmarshal(message, &envelopes)
	} else if err = json.Unmarshal(message, &envelopes[0]); err == nil && !wire.IsObject(message) {
		envelopes = nil
	}
	if err != nil || len(envelopes) == 0 {
		c.fail(0, notPlain())
		return
	}
	for i := range envelopes {
		c.plain(&envelopes[i])
	}
}

func notPlain() error {
	return rpc.Errorf("bad_frame", `the frame is not an envelope {"stream":…,"payload":{…}}`)
}

// plain handles one envelope. What is wrong with it is told in one frame.
func (c *Session) plain(e *plainEnvelope) {
	id, goodID := plainID(e.ID)
	var name string
	if json.Unmarshal(e.Stream, &name) != nil || string(e.Stream) == "null" {
		c.fail(id, notPlain())
		return
	}
	c.mu.Lock()
	st := c.streams[name]
	c.mu.Unlock()
	switch {
	case st == nil:
		c.fail(id, rpc.Errorf("unknown_stream", "there is no stream %q here", clip(name)))
	case !goodID:
		st.fail(0, badID())
	case !wire.IsObject(e.Payload):
		st.fail(id, rpc.Errorf("bad_frame", "the payload must be an object"))
	default:
		c.plainMessage(st, id, e.Payload)
	}
}

// plainID reads an id, which may be left out.
func plainID(text json.RawMessage) (id uint64, ok bool) {
	if text == nil || string(text) == "null" {
		return 0, true
	}
	if json.Unmarshal(text, &id) != nil || id == 0 || id > maxID {
		return 0, false
	}
	return id, true
}

func (c *Session) plainMessage(st *stream, id uint64, body json.RawMessage) {
	r := request{id: id, req: &wire.Request{Type: "message", Body: body, Size: len(body)}}
	if err := st.accept(r); err != nil {
		st.fail(id, err)
	}
}
