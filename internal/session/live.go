package session

import (
	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/wire"
)

// Pings that a client may leave without a sign before it counts as gone.
const (
	// plainPings go out twice a heartbeat: a plain client has a heartbeat for the
	// first one.
	plainPings = 2
	// idlePings go out with the beats.
	idlePings = 3
)

var ping = &wire.Frame{Bytes: ws.CompiledPing}

// visit keeps the connection alive, and finds out whether the client is. The wheel
// calls it, twice a heartbeat.
func (c *Session) visit() {
	if c.heard.Swap(false) {
		c.pings = 0
	}
	most := plainPings
	if c.place == nil {
		if c.busy.Swap(false) {
			return
		}
		c.reply(wire.Beat)
		most = idlePings
	}
	if c.pings >= most {
		go c.hang() // which may wait for a moment, where there is TLS
		return
	}
	c.pings++
	c.reply(ping)
}

// hang breaks the connection.
func (c *Session) hang() {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}
