package peer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pando-sync/pando/internal/wire"
)

// head is what payloads of messages may have.
type head struct {
	Type       string `json:"type"`
	V          uint64 `json:"v"`
	Kind       string `json:"kind"`
	Text       string `json:"text"`
	RetryAfter int64  `json:"retry_after"`
}

// update is a state frame on its way to the streams that show its scope.
type update struct {
	scope string
	frame *wire.StateFrame
}

// handle reads one message of the server. An error says that it is none.
func (c *Conn) handle(text []byte) error {
	var m wire.Envelope
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("the server sent no JSON: %w: %s", err, text)
	}
	if strings.HasPrefix(m.Stream, "#") {
		return c.state(&m)
	}
	var h head
	err := json.Unmarshal(m.Payload, &h)
	switch {
	case err != nil:
	case m.Stream == wire.Control:
		err = c.control(&m, &h)
	default:
		err = c.stream(&m, &h)
	}
	if err != nil {
		return fmt.Errorf("the server sent a bad %s: %w: %s", h.Type, err, text)
	}
	if m.ID == 0 {
		return nil
	}
	r := reply{payload: m.Payload}
	if h.Type == "error" {
		r.err = refusal(m.Payload)
	}
	if answered := c.answer(m.ID); answered != nil {
		answered(r)
	}
	return nil
}

func (c *Conn) control(m *wire.Envelope, h *head) error {
	switch h.Type {
	case "hello":
		return c.greeted(m.Payload)
	case "begin":
		c.grouped = true
	case "end":
		done := c.group
		c.group, c.grouped = nil, false
		c.apply(done)
	case "mark":
		c.mu.Lock()
		c.marked = max(c.marked, h.V)
		close(c.marks)
		c.marks = make(chan struct{})
		c.mu.Unlock()
	case "system":
		if c.cfg.System != nil {
			c.cfg.System(System{h.Kind, h.Text, time.Duration(h.RetryAfter) * time.Millisecond})
		}
	}
	return nil
}

func (c *Conn) greeted(payload json.RawMessage) error {
	var hello wire.Hello
	if err := json.Unmarshal(payload, &hello); err != nil {
		return err
	}
	c.source.heartbeat(time.Duration(hello.Heartbeat) * time.Millisecond)
	c.mu.Lock()
	c.hello = hello
	c.mu.Unlock()
	return nil
}

// apply feeds the frames of one commit and notifies each stream once.
func (c *Conn) apply(updates []update) {
	var fed []*Stream
	for _, u := range updates {
		for _, p := range c.showing(u.scope) {
			p.stream.feed(p, u.frame)
			if !slices.Contains(fed, p.stream) {
				fed = append(fed, p.stream)
			}
		}
	}
	for _, st := range fed {
		st.notify()
	}
}

// showing returns the parts that a scope's frames go to.
func (c *Conn) showing(scope string) []*part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.scopes[scope])
}

func (c *Conn) state(m *wire.Envelope) error {
	var f wire.StateFrame
	if err := json.Unmarshal(m.Payload, &f); err != nil {
		return fmt.Errorf("the server sent a bad state frame: %w: %s", err, m.Payload)
	}
	c.mu.Lock()
	stray := c.left[m.Stream]
	c.mu.Unlock()
	if stray != nil {
		stray.stray()
	}
	u := update{m.Stream, &f}
	if c.grouped {
		c.group = append(c.group, u)
		return nil
	}
	c.apply([]update{u})
	return nil
}

func (c *Conn) stream(m *wire.Envelope, h *head) error {
	c.mu.Lock()
	st := c.streams[m.Stream]
	c.mu.Unlock()
	if st == nil {
		return nil
	}
	switch h.Type {
	case "opened":
		var o wire.Opened
		if err := json.Unmarshal(m.Payload, &o); err != nil {
			return err
		}
		return c.join(st, &o)
	case "runtime":
		var r wire.Runtime
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			return err
		}
		st.runtime(r.Set)
	case "notice":
		var n wire.Notice
		if err := json.Unmarshal(m.Payload, &n); err != nil {
			return err
		}
		st.notice(n)
	case "closed":
		c.leave(st)
		st.shut(refusal(m.Payload))
	}
	return nil
}

// join has the frames of a stream's scopes go to it.
func (c *Conn) join(st *Stream, o *wire.Opened) error {
	shared := make([]*part, len(o.Scopes))
	for i, sc := range o.Scopes {
		if parts := c.showing(sc.ID); len(parts) > 0 {
			shared[i] = parts[0]
		}
	}
	c.mu.Lock()
	types := c.hello.Types
	c.mu.Unlock()
	parts := st.join(types, o, shared)
	if parts == nil {
		c.leave(st) // which has ended: the server need not follow it any more
		_, err := c.send(st.name, map[string]any{"type": "close"}, func(reply) {})
		return err
	}
	c.mu.Lock()
	for i, p := range parts {
		id := o.Scopes[i].ID
		c.scopes[id] = append(c.scopes[id], p)
		delete(c.left, id)
	}
	c.mu.Unlock()
	st.notify()
	return nil
}

// leave keeps further frames from a stream.
func (c *Conn) leave(st *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, st.name)
	for id, parts := range c.scopes {
		shown := slices.DeleteFunc(parts, func(p *part) bool { return p.stream == st })
		c.scopes[id] = shown
		if len(shown) > 0 {
			continue
		}
		delete(c.scopes, id)
		if c.cfg.Strays && len(parts) > 0 {
			c.left[id] = st
		}
	}
}
