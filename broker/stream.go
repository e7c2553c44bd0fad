package broker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of a Stream.
var (
	// ErrStale is returned by Append when the stream does not end where the caller
	// believes: somebody else has appended, or the stream has lost records, or is
	// another one.
	ErrStale = errors.New("broker: the stream does not end there")
	// ErrTrimmed is returned by Next when the record that is asked for is not kept
	// any more, or when the stream is another one than before: wiped, or brought
	// back as it was earlier.
	ErrTrimmed = errors.New("broker: the record is not kept any more")
	// ErrNoRecord is returned by First and Last for an empty stream.
	ErrNoRecord = errors.New("broker: the stream is empty")
)

// Stream is a durable log of records that one writer at a time appends to and
// any number of readers follow. It keeps records for some time and up to some
// size, as it is configured.
//
// A stream that is gone, or was never there, is empty and begins with the next
// Append: whoever gets ErrStale asks Last where to go on.
//
// # Concurrency
//
// A Stream is safe for concurrent use; each Reader has one user.
type Stream interface {
	// Append adds records after the one numbered after, 0 for a stream that never
	// had one, and returns the number of the last. It returns when the broker has
	// stored them. When the stream ends elsewhere it is ErrStale, and none is
	// added. A record over MaxRecord is ErrMessageTooLarge, and none is added. After
	// another error some or all of them may have been added, in order, without a
	// hole. Without records it returns after.
	Append(ctx context.Context, after uint64, records ...[]byte) (last uint64, err error)
	// First and Last return the oldest and the newest record. A stream whose
	// records have all been trimmed is empty but goes on counting: with ErrNoRecord
	// comes a Record of which only the Number is set, that of the last record that
	// there was, 0 if there never was one.
	First(ctx context.Context) (Record, error)
	Last(ctx context.Context) (Record, error)
	// Reader reads from the record numbered from on, which may be one that is yet
	// to come; 0 begins with the first that is kept. Whether there is such a record
	// is told by Next.
	Reader(ctx context.Context, from uint64) (Reader, error)
	// Close ends all calls, those of the readers among them, with ErrClosed.
	Close() error
}

// Reader reads a Stream in order.
type Reader interface {
	// Next waits for the next record. ErrTrimmed means that there is a hole before
	// it, and is the answer ever after; any other error that the broker could not
	// be reached, and calling again is right: nothing is left out and nothing comes
	// twice. A broker that is lost is noticed within a second. A reader that waits
	// learns within about a second that the stream is another one.
	Next(ctx context.Context) (Record, error)
	// Close ends the reading: Next is ErrClosed.
	Close() error
}

// Record is one record of a Stream.
type Record struct {
	// Number counts the records of a stream, without holes, from 1.
	Number uint64
	// Time is when it was stored, by the broker's clock, in milliseconds at least.
	// It does not go back from one record to the next, unless the clock does.
	Time time.Time
	// Body is at most MaxRecord bytes. It belongs to who reads it.
	Body []byte
}

// MaxRecord is the size of a record in bytes that every Stream carries: with what
// a broker writes to it, it stays within 1 MiB, which is what NATS takes unless
// it is configured otherwise.
const MaxRecord = 1<<20 - 1<<12

// Defaults of a StreamConfig.
const (
	// DefaultMaxAge is how long a record is kept.
	DefaultMaxAge = time.Hour
	// DefaultMaxBytes is how much is kept.
	DefaultMaxBytes = 256 << 20
)

// StreamConfig is what every Stream lets be configured. Fields without a value
// get the default.
type StreamConfig struct {
	// MaxAge is how long a record is kept: an older one goes with the next Append,
	// or before.
	MaxAge time.Duration
	// MaxBytes is how much is kept, two records of MaxRecord at least: what is
	// above goes with the Append that brings it, the oldest record first. Brokers
	// may count what they need to store a record besides its bytes.
	MaxBytes int64
}

// minMaxBytes has the newest record always find room.
const minMaxBytes = 2 * MaxRecord

// WithDefaults returns the configuration with its defaults filled in, or an
// error that names the field and the mend.
func (c StreamConfig) WithDefaults() (StreamConfig, error) {
	if c.MaxAge == 0 {
		c.MaxAge = DefaultMaxAge
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxAge < 0 || c.MaxBytes < minMaxBytes {
		return c, fmt.Errorf("broker: StreamConfig: MaxAge %s, MaxBytes %d: want a positive age and at least %d bytes, or 0 for the defaults",
			c.MaxAge, c.MaxBytes, minMaxBytes)
	}
	return c, nil
}

// CheckRecords returns an error that wraps ErrMessageTooLarge for records of
// which one is over MaxRecord.
func CheckRecords(records [][]byte) error {
	for i, body := range records {
		if len(body) > MaxRecord {
			return fmt.Errorf("%w: record %d of %d has %d bytes, %d are the most", ErrMessageTooLarge, i+1, len(records), len(body), MaxRecord)
		}
	}
	return nil
}
