// Package peer is the other end of the protocol: one connection to an app, and
// the streams that are opened on it.
//
// A Conn is one WebSocket from its dialling to its end. A Stream holds the state
// of a route; it outlives connections, and goes on from what it holds when it is
// opened on another one. Neither does anything by itself: package client keeps a
// connection standing and its streams open, package pandotest leaves both to a
// test.
//
// What the server sends is handled by one goroutine per connection, its reader.
// Functions that are documented to run on the reader must not wait for anything
// that the connection brings.
package peer
