// Package cache is the port of the scope cache: rows of live scopes, kept where
// every node finds them, so that one opens a scope without the database.
//
// # States
//
// An entry is what is kept of one scope:
//
//	COLD ──heat──► HEATING ──all rows written──► HOT ──last close──► COOLING
//	  ▲               │                           │ ▲                   │
//	  │               └─given up─┐      given up──┤ └───somebody came───┤
//	  └──────────────────────────┴────────────────┴──expired────────────┘
//
// COLD is that there is no entry. One node at a time heats an entry, or holds a
// hot one: it writes what changes. All transitions are made by Swap, which is a
// compare-and-set.
//
// # Generations and rows
//
// Heating writes rows of a new generation. A row is a statement that was true at
// the position of its Version, and of two statements about one row the later
// one counts, in whatever order they are written. So a node that holds an entry
// no more, and does not know it yet, does no harm.
//
// # What has been written
//
// A hot entry has all statements up to its Through, and, while a node holds it,
// up to that node's Through, which is written once for all of its entries: one
// that nothing happens to costs nothing. Whoever reads an entry reads, in this
// order, the entry, its holder, the rows, and the entry once more: if its
// Revision is another one then, what was read is void.
//
// # Trust
//
// A Store may lose anything at any time: entries, or the whole of them. What it
// must not do is to lose some rows of an entry that it keeps, or to give back
// others than were written. It may go back as a whole to what it had before, as
// one that is restored from a backup: nodes notice when they tell the next of
// themselves, since they count what they tell. So the copy must be older than what
// every node told last.
//
// # Concurrency
//
// A Store is safe for concurrent use.
package cache

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store.
var (
	// ErrConflict is returned by Swap when the entry is another one by now, and by
	// Beat when the store does not have what the node told before.
	ErrConflict = errors.New("cache: it has changed meanwhile")
	// ErrGone is returned by Write and Read for a generation that the entry does
	// not have any more.
	ErrGone = errors.New("cache: the generation is gone")
	// ErrTooLarge is wrapped by the error of Write for a row that the store cannot
	// keep.
	ErrTooLarge = errors.New("cache: the row is too large")
	// ErrClosed is returned once the store is closed.
	ErrClosed = errors.New("cache: closed")
)

// Store keeps entries. All texts are valid UTF-8, unless it says otherwise.
type Store interface {
	// Get returns the entry of a key: one that is Cold, of Revision 0, when there
	// is none, or when it has expired.
	Get(ctx context.Context, key Key) (Entry, error)
	// Swap puts e in the place of the entry of its key, if that has the Revision of
	// e, and returns it with its new one; else it is ErrConflict. A Revision is
	// above 0 and never comes again for the same key, also after the entry was
	// Cold. Cold removes the entry. Rows of a generation that the entry has no more
	// are removed, at once or in time; they never come back.
	Swap(ctx context.Context, e Entry) (Entry, error)
	// Write puts rows into a generation, of which the ID is not in it yet, or has a
	// smaller Version; others it leaves as they are. After an error, some may have
	// been put. A generation that the entry does not have is ErrGone; where that
	// happens at the same moment the rows may be kept, but nobody finds them.
	Write(ctx context.Context, key Key, generation string, rows []Row) error
	// Read calls fn for every row of a generation, in no order. It stops at fn's
	// first error and returns it. Rows that are written meanwhile may come or not;
	// rows that are removed meanwhile may be missing, which the entry's Revision
	// tells.
	Read(ctx context.Context, key Key, generation string, fn func(Row) error) error
	// Beat puts what a node tells of itself in the place of what it told before,
	// which has the same Number or the one before: the first has 1. Else it is
	// ErrConflict, as after the store has lost that. A Through that is smaller than
	// the one that is there does not lower it.
	Beat(ctx context.Context, n Node) error
	// Node returns what a node told last, and a Node without ID when that is not
	// known. It is kept for NodeKept after Expires at least.
	Node(ctx context.Context, id string) (Node, error)
	// List calls fn for all entries that a filter selects, in no order; fn may use
	// the store. It stops at fn's first error and returns it.
	List(ctx context.Context, f Filter, fn func(Entry) error) error
	// Close ends all calls with ErrClosed.
	Close() error
}

// NodeKept is how long what a node told is kept after it has expired.
const NodeKept = 24 * time.Hour

// Key names a scope in all processes that mean the same by its rows.
type Key struct {
	// Epoch is the history of the database that positions belong to.
	Epoch string
	// Channel is the channel's name, Schema a hash of what is declared of its rows,
	// so that two releases do not meet.
	Channel, Schema string
	// Anchor is the text of the anchor's key, empty for a list. Env is a hash of the
	// values that conditions read, empty when there are none.
	Anchor, Env string
}

// State is the state of an entry.
type State uint8

// The states.
const (
	Cold State = iota
	Heating
	Hot
	Cooling
)

var stateNames = [...]string{"COLD", "HEATING", "HOT", "COOLING"}

// String is the state's name in lists.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "UNKNOWN"
}

// Entry is what is kept of a scope, without its rows.
type Entry struct {
	Key   Key
	State State
	// Generation names the rows.
	Generation string
	// Holder is the node that heats or holds the entry; empty while it is Cooling.
	Holder string
	// Through is a position up to which all is written of a Hot or Cooling entry; a
	// Hot one may have more, which its Holder tells.
	Through uint64
	// Rows is how many there were when the entry became Hot, for lists.
	Rows int
	// Since is when the entry came into its State, Expires when it becomes Cold
	// by itself; zero for never. Clocks that differ cost time, never correctness.
	// They are kept to milliseconds.
	Since, Expires time.Time
	// Revision is given by the store; 0 for no entry.
	Revision uint64
}

// Row is what is known of one row of a scope.
type Row struct {
	// ID tells the row from all others of its entry. It may have any bytes, and at
	// most MaxID of them.
	ID string
	// Version is the position at which the row was, or became, as Data tells.
	Version uint64
	// Since is the position from which on all that stands below the row is known;
	// 0 leaves what is there already, which is 0 for a row that is new.
	Since uint64
	// Data is not looked at by the store. It may be empty.
	Data []byte
}

// MaxID is the size in bytes of an ID that every Store keeps, MaxData of a
// row's Data.
const (
	MaxID   = 512
	MaxData = 1 << 20
)

// Node is what a process that heats and holds entries tells of itself.
type Node struct {
	ID string
	// Number counts what the node has told, from 1 on. What it does not know to have
	// arrived it tells again under the same one.
	Number uint64
	// Through is the position up to which all is written that the node holds.
	Through uint64
	// Expires is when the node is to be taken for dead unless it tells more.
	Expires time.Time
}

// Filter selects entries; an empty text selects all.
type Filter struct {
	Channel, Anchor string
}

// Selects tells whether the filter selects an entry's key.
func (f Filter) Selects(k Key) bool {
	return (f.Channel == "" || f.Channel == k.Channel) && (f.Anchor == "" || f.Anchor == k.Anchor)
}
