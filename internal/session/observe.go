package session

import "github.com/pando-sync/pando/internal/wire"

// firstByte is that of all frames with a message; others are WebSocket's own.
const firstByte = 0x81

// gather is collect, and tells who observes what goes out.
func (c *Session) gather(b *batch) (lost []*view) {
	lost, caughtUp := c.collect(b)
	if caughtUp {
		c.tellCaughtUp()
	}
	observe := c.server.cfg.OnSend
	if observe == nil {
		return lost
	}
	c.mu.Lock()
	user := c.user
	c.mu.Unlock()
	for _, frame := range b.bufs {
		if frame[0] == firstByte {
			observe(c.id, user, wire.Payload(frame))
		}
	}
	return lost
}
