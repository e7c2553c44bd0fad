// Package mux is streams that an app routes by path: demultiplexers with their
// consumers, models bound to streams, and plain messages, beside the channels of
// the same app and by the same sessions, groups, feed and identities.
//
// A routing says what serves which path:
//
//	app.Mux(
//		mux.RouteClass(rooms, `^/rooms/(?P<room>[a-z]+)/`),
//		mux.Route("websocket.receive", echo, mux.Path(`^/echo/`)),
//	)
//
// A [Demultiplexer] serves connections that carry several streams. Each frame, in
// both directions, is {"stream": name, "payload": {…}}. Who may connect joins the
// connection's groups, and hears what pando.App.Broadcast sends to them. Each stream
// has a [Consumer]:
//
//   - a [Binding] exposes a table: clients create, update and delete rows, and the
//     groups of a row are told of what becomes of it, whoever has written it;
//   - [JSON] takes messages of an app's own, decoded into a type;
//   - any other Consumer takes payloads as they come.
//
// Clients need no library: one that speaks WebSocket and JSON is served by these
// envelopes alone. Those of Pando negotiate the subprotocol pando.v1, by which any
// number of such streams and of channels share one socket; spec/protocol.md describes
// both.
//
// # Concurrency
//
// One value of a Demultiplexer, a Binding or a Consumer serves all connections at the
// same time, and must not be changed once the app is set up. Messages of one stream of
// one connection are handled in order, one at a time.
//
// # Errors
//
// What is wrong with a routing or a binding, App.Setup and App.Run report before
// anybody is served, all of it together. A client's mistake is answered by one error
// frame, and the connection lives. Errors made by pando.Errorf and pando.Invalid reach
// the client; of others it is told "internal", and the log has them.
//
// docs/guides/streams-and-bindings.md begins at the beginning,
// docs/guides/coming-from-django-channels.md has each term of Django Channels 1.x.
package mux
