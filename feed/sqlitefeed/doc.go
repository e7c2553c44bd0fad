// Package sqlitefeed follows, reads and writes a SQLite database.
//
// # What it installs
//
// Setup adds triggers to every declared table. They write one row per
// changed row into the table pando_log, in the writer's own transaction, so
// that raw SQL, bulk statements, cascades, the author's triggers and other
// processes are all seen, and what is rolled back is not. The triggers use
// plain INSERT statements only and work in any SQLite that an author's tools
// may bring.
//
//	pando_log    seq, at, shape, op, old_0, new_0, old_1, new_1, …
//	pando_shape  id, name, columns    what old_N and new_N of a log row are
//	pando_meta   format, epoch, generation, trimmed
//	pando_claims owner, key, print, reply, at    requests that were applied once
//
// A declared table pando_messages, by which programs reach running servers, is
// created as well.
//
// The log's value columns have no type: SQLite keeps in them exactly what the
// followed table holds, in the same storage class, without a text form in
// between. All columns of a table are logged, so that versions of an app that
// declare different columns agree on the triggers.
//
// The log tells which rows changed and what they were; what they are is read
// from the tables in the transaction that reads the log, but for a table of
// which the log has a single row. The order of the log is not always that of
// the writes: a cascade, and an author's trigger that changes the row that
// fired it, may be logged before the statement that set them off.
//
// SQLite fires the newest trigger first. Source keeps its own the newest of
// their table and puts them back, like missing ones, after an author adds one:
// after a trigger that calls RAISE(IGNORE), or that fails within INSERT OR FAIL,
// no other would fire, though the row has changed.
//
// One writer at a time makes the order of seq the order of commits, and the
// rows that one read transaction finds a consistent cut: a poll delivers one
// feed.Commit. seq is AUTOINCREMENT, so that numbers never come again. A poll of
// more than some thousand changes delivers its commit in parts, while its read
// transaction is open; where it cannot be read to its end, the feed starts
// again.
//
// # Reads
//
// SQLite keeps any value in any column: the text 2 in an integer, a UUID in
// upper case, a time in one of many layouts. A query means values, whatever
// their form, so a column is compared and ordered in SQL only if all of it is
// stored in forms by which SQL and schema.Value agree. Source looks at a column
// once, when a query first compares it, and from then on at what the log has of
// it. Times may have any one of the layouts that SQL orders, among them those of
// CURRENT_TIMESTAMP and unixepoch(): the values of a query are put into that of
// the column. Other columns are compared in Go, which looks at all rows that the rest
// of the query leaves; Source warns of them once, and Hints names them. SQL
// always compares by BINARY, whatever the column's collation; only keys and
// links, whose uniqueness and foreign keys go by it, must have no other.
//
// # Writes
//
// A transaction of Begin is one of the author's handle: foreign keys and all
// else that the author sets on connections hold in it, whatever the driver. It
// has the write lock from its beginning, also where the handle begins deferred,
// so that no one writes what it has read and it never fails for having read
// before another wrote. Source gives the lock to one transaction of its own
// after the other, and tries for it against other writers.
//
// Values are stored as the column's others: a UUID as text or bytes, a time in
// the column's layout and cut to what that can tell, so that the author's SQL
// goes on comparing like with like. Where there are none, a UUID is stored as
// what the column refers to or its type suggests, a time as Unix seconds in a
// column of integers and else in schema.TimeFormat.
//
// A claim of a request is a row of pando_claims, which no trigger logs. Run
// removes those older than feed.ClaimsKept.
//
// SQLite takes a whole transaction back when a statement that writes is
// interrupted: after an author's statement whose own context has ended, nothing
// more must be done in it. Commit fails then.
//
// # Latency
//
// Source looks at PRAGMA data_version on a connection of its own: every
// millisecond while there was a commit lately, every four milliseconds
// otherwise. On Linux it is told of every write to the write-ahead log, by any
// process, looks then, and much more seldom otherwise; where commits turn out
// to come without being told, it goes back to looking often. A commit in this
// process through the modernc driver is announced by a commit hook, and Wake
// announces one through any other.
//
// The hook is set when such a connection opens. A program that sets a commit
// hook of its own afterwards replaces it and loses nothing but that hint. One
// that sets its hook in a connection hook registered before this package was
// initialised would lose its own; register it later.
//
// # Schema changes
//
// Rebuilding a table (create, copy, drop, rename: how SQLite migrations go)
// silently removes its triggers, and changes made until they are back are in
// no log. Source notices, puts them back, raises the log's generation and
// tells its sink to start again. ALTER TABLE … DROP COLUMN fails on a table
// with triggers that name the column: drop the table's triggers, pando_TABLE_…,
// in the same transaction; they come back by themselves.
//
// # Drivers
//
// Source opens its connections by the author's driver, whichever it is,
// because two builds of SQLite in one process do not see each other's locks.
// For the same reason a program must not open a followed file by two drivers.
//
// # Limits
//
//   - The database is a file. It is switched to WAL mode.
//   - REPLACE displaces rows without firing a DELETE trigger, unless the writer
//     has PRAGMA recursive_triggers=1. Two more triggers log the rows that stand
//     in a new one's way; those that are gone when the log is read were
//     displaced. Unique indexes over expressions are not looked at: set the
//     pragma where REPLACE meets one. Setup warns of them.
//   - An author's trigger that calls RAISE(FAIL) in a cascade keeps the change of
//     the parent and ends its triggers. Setup warns of such triggers.
//   - TEMP triggers fire before all others: what they hide by RAISE(IGNORE) or
//     RAISE(FAIL) is not seen.
//   - A value that its declared Go type cannot hold, like text in an int64, is
//     read and fed as NULL, and logged as an error.
//   - Writes by connections that bypass triggers are not seen: PRAGMA
//     writable_schema, the backup API, replacing the file. Source starts anew
//     when it notices that the file or its log was replaced.
//
// # Concurrency
//
// A Source is safe for concurrent use, and any number of processes may follow
// one file. Any of them may trim the log; one that had fallen behind what was
// trimmed starts again.
package sqlitefeed
