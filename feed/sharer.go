package feed

import "context"

// Sharer is a Source that each process of an app follows by itself, and that knows
// of the others.
type Sharer interface {
	// Sharers tells how many other processes follow the same database for the same
	// app and have begun before this one, whose Run has begun. Of two processes one
	// is told of the other. A process that has died may be counted for some seconds.
	Sharers(ctx context.Context) (older int, err error)
}
