package client

import "time"

// Hasten has a client that has not connected yet wait less.
func (c *Client) Hasten() *Client {
	c.pace.first = time.Millisecond
	return c
}
