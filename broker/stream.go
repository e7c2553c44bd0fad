package broker

import (
	"context"
	"errors"
	"time"
)

// Errors of a Stream.
var (
	// ErrStale is returned by Append when the stream does not end where the caller
	// believes: somebody else has appended.
	ErrStale = errors.New("broker: the stream does not end there")
	// ErrTrimmed is returned by Read when the record that is asked for is not kept
	// any more, or when the stream is another one than before.
	ErrTrimmed = errors.New("broker: the record is not kept any more")
	// ErrNoRecord is returned by Last for an empty stream.
	ErrNoRecord = errors.New("broker: the stream is empty")
)

// Stream is a durable log of records that one writer at a time appends to and
// any number of readers follow. It keeps records for some time and up to some
// size, as it is configured.
//
// # Concurrency
//
// A Stream is safe for concurrent use; each Reader has one user.
type Stream interface {
	// Append adds records after the one numbered after, 0 for an empty stream, and
	// returns the number of the last. It returns when the broker has stored them.
	// When the stream ends elsewhere it is ErrStale, and none is added. After
	// another error some or all of them may have been added, in order, without a
	// hole.
	Append(ctx context.Context, after uint64, records ...[]byte) (last uint64, err error)
	// First and Last return the oldest and the newest record. A stream whose
	// records have all been trimmed is empty but goes on counting.
	First(ctx context.Context) (Record, error)
	Last(ctx context.Context) (Record, error)
	// Reader reads from the record numbered from on; 0 begins with the first that
	// is kept.
	Reader(ctx context.Context, from uint64) (Reader, error)
	// Close ends all calls with ErrClosed.
	Close() error
}

// Reader reads a Stream in order.
type Reader interface {
	// Next waits for the next record. ErrTrimmed means that there is a hole before
	// it; any other error that the broker could not be reached, and calling again
	// is right. A broker that is lost is noticed within a second.
	Next(ctx context.Context) (Record, error)
	// Close ends the reading.
	Close() error
}

// Record is one record of a Stream.
type Record struct {
	// Number counts the records of a stream, without holes, from 1.
	Number uint64
	// Time is when it was stored, by the broker's clock.
	Time time.Time
	// Body is at most MaxRecord bytes.
	Body []byte
}

// MaxRecord is the size of a record in bytes that every Stream carries.
const MaxRecord = 1 << 20
