// Package relay lets many nodes follow one database: the node that owns the
// database's change log publishes it to a durable stream of a broker, and every
// node, the owner too, follows the stream.
//
//	source := relay.New(pgfeed.New(db, url), stream)
//	app, err := pando.New(pando.Config{Source: source, …})
//
// Reads and writes go from every node to the database directly.
//
// # Ownership
//
// The log has one owner at a time; the database sees to that. When the owner's
// process or connection is gone the next that waits becomes the owner, and goes
// on where the stream ends. An owner that does not know yet that it is none any
// more cannot append: it names the record after which it appends, and the next
// owner's first record stands there. The log is acknowledged up to what the
// broker has stored and reads see.
//
//	waits ──log.Own──► begins ──its first record is stored──► publishes
//	  ▲                  │                                       │
//	  └──────────────────┴── log lost, stream not its own, ◄─────┘
//	                         broker gone for 5 seconds
//
// # Following
//
// A record tells the position before it: a follower that has come to another
// one knows that something is missing, and starts anew (Sink.Start) where the
// stream is now. It starts at a position up to which reads see every commit;
// each record has that position, and the number of the record from which on
// the rest stands. Nodes skip what they have been told, so an owner may send a
// commit again that the one before has sent in part or whole.
//
// A stream that cannot go on (the log begins behind its end, the broker lost
// what it had stored, the database was restored) begins another epoch.
//
// The owner appends at least every 300 ms. A second without a record is told as
// Sink.Stall, whatever the cause; where nothing is missing then it goes on
// without a Start.
//
// # Bounds
//
// An owner holds 8 MiB of records that are not appended and 65,536 commits that
// reads may not see; past that it reads the log no further. A follower holds
// one part of one commit. How much of the past the stream keeps is the
// broker's configuration: it is what a node may have slept through without
// starting anew, and what History tells.
//
// # Concurrency
//
// As for a feed.Source.
package relay
