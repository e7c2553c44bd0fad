// Package feed is the port to a database's own change log: it turns what was
// committed, by whomever, into Commits in commit order, and reads rows at a
// known place in that order.
//
// # Concurrency
//
// A Source is safe for concurrent use. Run has one caller; it calls the Sink
// from one goroutine, in order. Any number of Snapshots may be open at once.
package feed

import (
	"context"

	"github.com/pando-sync/pando/schema"
)

// Position is a place in the feed's order. Positions of one epoch are ordered
// by <; their differences mean nothing. They stay below 2^53, so that
// JavaScript can hold them.
type Position uint64

// Change is one row's way from before a commit to after it. A row that was
// inserted has no Old, a deleted one no New; a change of key is a delete and
// an insert. Rows have the Table's columns in its order, derived ones filled by
// Table.Complete.
type Change struct {
	Table *schema.Table
	Key   schema.Value
	// Old is nil when there was no row, and when the source does not carry it.
	Old schema.Row
	New schema.Row
	// Blind tells that the source does not carry the row as it was: that Old is
	// nil says nothing then.
	Blind bool
	// Missing are the columns of New that the source does not carry, since the
	// commit left them as they were. New has NULL there, and what it derives from
	// them is not filled. The key and what Table.Links names, with its parts, are
	// never missing: a source that lacks one of them starts anew.
	Missing []int
}

// Replaces tells that the row is new under its key, as where that was changed: what
// is Missing of it is not what another row of that key had before.
func (c *Change) Replaces() bool { return c.New != nil && c.Old == nil && !c.Blind }

// Commit is one or more whole transactions, in the order in which they
// committed. A source may merge several.
type Commit struct {
	// Position is the feed's position once this commit is applied, above that
	// of every commit before it.
	Position Position
	// Transaction is the database's own number of the transaction, 0 where a
	// Snapshot tells by the Position what it saw.
	Transaction uint64
	// Changes may name a row several times, in order.
	Changes []Change
	// More tells that the same commit goes on with the next call: a large one
	// comes in parts, so that it need not fit into memory. All parts have the
	// Position of the whole, and nothing else comes between them but a Start,
	// which voids the parts that have come.
	More bool
}

// Sink receives the feed.
type Sink interface {
	// Start is the first call of a Run, and comes again whenever continuity is
	// lost (log trimmed past the reader, triggers put back, another epoch):
	// what was known before head is void, and commits after head follow.
	Start(epoch string, head Position, reason string)
	// Commit delivers the next commit. The sink may keep it.
	Commit(c *Commit)
	// Advance tells that the feed has passed position without a change to a
	// declared table. After a Stall it may come with the position where the feed
	// stood.
	Advance(p Position)
	// Stall tells that the feed stands still and why: the connection to what it
	// follows is lost. The next call of another method tells that it goes on.
	// What is shown meanwhile is a committed state that may be old.
	Stall(reason string)
}

// Source is a database that can be followed and read.
type Source interface {
	// Setup prepares the database to be followed for tables: it creates or
	// upgrades what Pando needs, and does nothing when all is in place. It
	// returns an error that names the table or column and the mend when one
	// of them does not exist or cannot be followed.
	Setup(ctx context.Context, tables []*schema.Table) error
	// Run follows the feed from now on until ctx ends, which is its only
	// normal end. Errors that pass are logged and retried; a permanent one is
	// returned. Setup must have returned before.
	Run(ctx context.Context, sink Sink) error
	// Snapshot opens one read transaction.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Head is the position of the newest commit, which the feed may not have
	// delivered yet: an upper bound of everything committed before the call.
	Head(ctx context.Context) (Position, error)
	// Close releases connections. Run must have returned.
	Close() error
}

// Merger is a Source that tells whether it may put several transactions into one
// Commit. Of others that is taken for so where their Commits have no Transaction.
type Merger interface {
	// Merges tells it. It does not change after Setup.
	Merges() bool
}

// Hinter is a Source that knows what would make reads of its tables faster.
type Hinter interface {
	// Hints names, a sentence each, what the author might add or mend: an index
	// on a link, a column whose values are stored so that the database cannot
	// compare them. It may look at every row. Setup must have returned before.
	Hints(ctx context.Context) ([]string, error)
}

// Snapshot is one read transaction: all its reads see one committed state. It
// is used by one goroutine.
type Snapshot interface {
	// Epoch is the history that Position belongs to.
	Epoch() string
	// Position is the place at which nothing that the snapshot saw is ahead
	// of the feed any more.
	Position() Position
	// Saw tells whether the snapshot's state includes the commit.
	Saw(c *Commit) bool
	// Rows reads the rows that q asks for, in one query, in no order unless
	// q.Limit is set; then they come in q.Order and by key. It stops at fn's first error and returns it.
	Rows(ctx context.Context, q Query, fn func(schema.Row) error) error
	// Close ends the transaction.
	Close() error
}

// Query selects every row of Table whose Column is one of Values and which
// meets Where.
type Query struct {
	Table *schema.Table
	// Column is an index in Table.Columns of a stored column or of a tuple. The
	// tuple of no columns is the same for every row.
	Column int
	// Values are distinct and not NULL.
	Values []schema.Value
	// Where are further conditions, on stored columns.
	Where []schema.Bound
	// Limit is the number of rows to read at most, the first in Order, which are
	// stored columns, and then by key; 0 reads all, and Order is not looked at.
	Order []schema.Order
	Limit int
	// After is a row of the table: only those that come after it in Order, and
	// then by key, are read. Only its columns of Order and of the key count; nil
	// begins with the first.
	After schema.Row
}
