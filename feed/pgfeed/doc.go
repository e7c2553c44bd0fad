// Package pgfeed follows, reads and writes a PostgreSQL database, of release 14 or
// newer, by the server's own log: logical replication through pgoutput. Raw SQL,
// bulk statements, cascades, triggers and other processes are all seen, and what is
// rolled back is not.
//
// # What it installs
//
// Setup creates a schema, pando unless WithSchema names another, and a publication
// of that name:
//
//	pando.meta      format, generation, term, facts
//	pando.claims    owner, key, print, reply, at    requests that were applied once
//	pando.messages  by which programs reach running servers; declared as pando_messages
//	PUBLICATION pando FOR TABLE …                    the declared tables
//
// It looks first and writes only what lacks, in one transaction, one process at a
// time; where all is in place it needs no right to create anything. Print returns
// what it would run, Grants what a role of the app needs at run time, and Uninstall
// takes all of it back. Tables that another release declares stay published.
//
// The log carries all columns of a published table, so that releases of an app
// that declare different ones share it. A table's REPLICA IDENTITY stays as it is,
// but for those with a binding (package mux) and those that WithFullIdentity names,
// which get FULL: by default the log does not tell what a changed row was, nor a
// large value that did not change.
//
// A process that follows alone makes a temporary replication slot, which ends with
// its connection. One that reads the log for all, as package feed/relay has it, owns
// a durable slot, named for the schema and the database. While nobody reads that, the
// server keeps its log; bound it by max_slot_wal_keep_size. Hints names such a slot
// and the statement that drops it.
//
// # Following
//
// One transaction is one feed.Commit, in the order of the log; its Position is where
// its commit record begins. Replication delivers a commit before reads see it, long
// before where it waits for a standby, so that a snapshot tells by the transactions'
// numbers what it saw, never by positions. Run starts, and starts again, only when
// all that was committed before is visible; a transaction that is left open keeps
// it, and PostgreSQL, waiting, and is named in the log.
//
// Large transactions come in parts, of some thousand rows or half a megabyte. What
// the log does not tell is looked for in the catalog every second: a table that was
// made again, rewritten, or whose partitions or enums changed, or that has to have
// the identity FULL and lost it. Such a table is put back into the publication, with
// its identity, where the role may do that, and all is read again, as after a
// TRUNCATE. What cannot be followed any more ends Run with what to do.
//
// The feed stands still when the server says nothing for a second. A connection that
// is lost is made again; since a temporary slot ends with it, all is read again.
//
// A log that stands still, since nobody commits, ends before its head. Who waits for
// a position has it move on by a small logical message with the prefix pando.
//
// # Without replication
//
// With WithTriggerLog triggers write the keys of changed rows into pando.log, in the
// writer's own transaction, and every process polls it. A poll is one commit of all
// that has become visible since the one before, and reads the rows as they are then;
// it sees whole transactions, whatever the order in which they end. Each process
// follows for itself. A TRUNCATE of a single partition is noticed a second later.
// Tables with bindings are refused: nothing tells what a changed row was.
//
// # Values
//
// Values come out as texts of the types' output functions, read or fed, and go by
// one parser; they go in as texts with casts. So it does not matter which driver the
// handle is of, nor what the author's sessions set: where they write dates or
// times otherwise, the settings are changed for single statements of Source.
//
//   - A time beyond the years of schema.Time, and an infinite one, counts as the
//     first or the last instant of it, and an infinite float as the largest one. NaN
//     is NULL. A timestamp without a zone, and a date, are in UTC.
//   - A numeric is a float, or a string with all of its digits.
//   - A char(n) loses the spaces that fill it, which have no meaning in SQL.
//   - An array is a JSON array, or the text that PostgreSQL writes of it; a domain is
//     what it is made of; an enum and all other types are their texts.
//   - A value that its field cannot hold, as a number beyond int64, is read and fed
//     as NULL, and logged once for its column.
//
// Setup refuses what has no one form: money, reg types, generated columns, which
// the log does not carry, and types that are declared as something else. What rows are
// found by (keys, links, and equalities of lists) has to be an integer, a uuid, a text
// or the like; what conditions and orders go by has to have one order, so that
// numerics, citext and collations that take different texts as equal are refused
// there.
//
// # Reads
//
// Texts are compared and ordered by their bytes, whatever the column's collation: an
// index serves an order if its column has COLLATE "C". Equality of texts, and all of
// other types, go by plain indexes.
//
// # Writes
//
// A transaction of Begin is one of the author's handle, READ COMMITTED: a statement
// sees what was committed before it, and the rows that Rows locks are looked at
// again once they are locked, so that a check holds for what is there then. What a
// check wants to find it must lock; that there is none of a row, it can rely on
// only by an exclusive lock on another row that all who insert such rows lock as well,
// or by a unique constraint.
//
// Deadlocks and serialization failures are errors that wrap feed.ErrRolledBack: the
// transaction may be made again.
//
// A claim of a request is a row of pando.claims, whose unique index has another
// claim of the same request wait. Those older than feed.ClaimsKept are removed by and
// by, with later claims.
//
// # Poolers
//
// The replication URL must lead to the server itself; Setup refuses a pooler there.
// The handle may go by one, also by one that gives each transaction another
// connection, as long as prepared statements do not fail on it: Setup tries that
// with two connections of the handle, and refuses it otherwise.
//
// # Concurrency
//
// A Source is safe for concurrent use, and any number of processes may follow one
// database.
package pgfeed
