// Package memdb is a database in memory that can be followed, read and written: a
// feed.Writer without SQL for tests of what stands on one, which decide
// themselves when the feed delivers what was committed.
//
// # Concurrency
//
// A DB is safe for concurrent use, except that the feed is driven (Deliver,
// Advance, Restart) by one goroutine at a time.
package memdb
