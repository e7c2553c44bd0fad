// Package client follows an app's state from another Go program: a service, a
// command, a job. It keeps one connection for all streams, connects again by
// itself and goes on from what it holds, as a browser does.
//
//	c := client.New("https://example.com/live", client.Options{Token: token})
//	defer c.Close()
//	board, err := client.Open[Board](ctx, c, "boards/1")
//	…
//	for b, err := range board.Updates(ctx) { … }
//	id, err := client.CallOnce[string](ctx, board, "addCard", "3", "Eggs")
//	err = board.Save(ctx, "Card", id, map[string]any{"title": "Milk"})
//
// # Types
//
// State is given as the server's own structs, or as structs of the same names
// with fewer fields: what they do not have is left out. One that has a field
// which the server does not declare cannot be opened: an error with the code
// schema says which. A list is opened as a slice, by OpenList, in the order that
// OrderBy gives.
//
// # Losing the connection
//
// A connection that breaks, is silent for two heartbeats or is closed by a
// server that goes away is replaced, after a random part of half a second, a
// second, two seconds, up to thirty. The streams keep what they show, are Stale
// until they have caught up, and read anew only what the server can no longer
// tell the difference of. A token that is refused is asked for once more; then,
// and after a refusal for good, everything that waits returns an error, until
// Reconnect.
//
// Actions and writes wait for the connection as long as their context lasts.
// What was sent and not answered ends with the Outcome Unknown, unless it is
// applied once: then it is sent again, under its key, until there is an answer.
//
// # Concurrency
//
// Everything is safe for concurrent use. A client has two goroutines, which end
// before Close returns; one of them reads, and the functions of Options that are
// documented to run on it must not wait for the client. States are not queued:
// who is slow sees the newest. Of notices the newest hundred wait.
package client
