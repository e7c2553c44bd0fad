package feed

import (
	"context"
	"errors"
)

// LogSource is a Source whose change log one process can read for all: its parts
// are bytes, which every process decodes for the tables that it declares.
type LogSource interface {
	Source
	// Own waits until no other process owns the log, and calls fn with it. The
	// context of fn ends when the log is lost, which is an error that wraps
	// ErrLogLost; otherwise Own returns what fn returns. Setup must have returned
	// before.
	Own(ctx context.Context, fn func(ctx context.Context, log Log) error) error
	// Decode makes a Commit of a part that has Data. An error that does not wrap
	// ErrUntold stays: the log cannot be followed by this process.
	Decode(p Part) (*Commit, error)
	// Visible tells how many of the transactions, from the first on, everybody who
	// opens a Snapshot from now on sees. It asks the database once, whatever their
	// number: every commit is asked about.
	Visible(ctx context.Context, transactions []uint64) (seen int, err error)
	// Epoch is the history of the database that the log's positions belong to.
	Epoch(ctx context.Context) (string, error)
}

// ErrLogLost is wrapped by the error of a log that somebody else owns now, or
// whose connection is gone.
var ErrLogLost = errors.New("feed: the log was lost")

// ErrUntold is wrapped by an error of LogSource.Decode for a commit that cannot be
// told, while others can: what was known before the commit's end is void, as after
// a Part.Reset.
var ErrUntold = errors.New("feed: a commit cannot be told")

// Log is the change log while one process owns it. Next and Ack may be called
// by two goroutines.
type Log interface {
	// Term is larger than that of every owner before.
	Term() uint64
	// Start is where the log begins: every commit after it will come. It is what the
	// owner before has acknowledged, or where a log that was made anew begins; all
	// up to there is visible to whoever opens a Snapshot from now on.
	Start() Position
	// Next waits for the next part. Its Data may be used until the next call.
	Next(ctx context.Context) (Part, error)
	// Quiet tells that Next waits, and that the database has given no sign of life
	// for about a second: what is known may be old. Anybody may call it.
	Quiet() bool
	// Ack tells that all up to a position is stored elsewhere, and need not be
	// kept for the owner that comes next.
	Ack(p Position) error
}

// Part is a part of a commit, or what stands between commits.
type Part struct {
	// Position and Transaction are those of the commit. A commit that comes again
	// to the next owner has the same ones.
	Position    Position
	Transaction uint64
	// More tells that the same commit goes on with the next part.
	More bool
	// Data is a piece of the commit in the source's own encoding, complete in
	// itself; nil for a part that only tells that the log has come to Position, and
	// that every commit to come is after it.
	Data []byte
	// Reset, unless empty, tells why what was known before Position is void, as
	// after a table was emptied or rebuilt. Such a part has no Data.
	Reset string
}
