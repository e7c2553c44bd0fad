// Package route decides which scopes a change enters, stays in or leaves.
//
// A Router holds the rows of live scopes in memory and is one pure data
// structure: no goroutines, no locks, no I/O and no clock. Its owner hands it
// commits in order, reads what it wants read, and asks at the end of each turn
// for what every scope is to be told.
//
// # Membership
//
// A row is a member of a scope by a layer as often as a path of links leads to
// it. A row of a has-many layer joins by its own link column, through the
// bucket of rows that have the parent's key there; the target of a belongs-to
// link joins by the parent's column, before it is known whether it exists, so
// that a dangling link shows its target as soon as that is inserted. A row is
// visible in a scope when it exists and is a member by at least one layer of
// the type.
//
// # Conditions, audiences and lists
//
// A row that is linked into a layer and does not meet its conditions shows
// nothing, and nothing is linked below it; it stays a member, so that a change
// that makes it meet them shows it. A layer with a user key is linked into by
// the public part of a scope, and each of its rows is shown, with all below it,
// in the part of the user whom it names.
//
// The rows of a list are those of the buckets that its equalities name. A list
// with a limit keeps a window instead: the rows up to an edge, in order, of
// which the first are linked. Windows, judgements and aggregates are settled
// once a turn, when all of its changes are known.
//
// # Large commits
//
// Of a commit that comes in parts only what concerns rows, buckets and windows
// in memory is kept. What comes into memory meanwhile is read, and a read that
// has not seen the commit waits for its end and is thrown away if something was
// not kept.
//
// # Reads
//
// What the router does not know (a bucket that was never read, the target of a
// link) it wants, and the scopes concerned emit nothing until it is there:
// Wants says what to read, Merge takes the answer once the feed has passed the
// place of the read. A row in memory is always as new as the feed; of a row
// that is not, the read's state is brought up to date by the commits that the
// read did not see. Then one conflated patch tells the scope what changed
// since it last spoke.
package route
