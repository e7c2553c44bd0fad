// Package redisbroker is a broker.Broker, and broker.Streams, on Redis: the channel
// layer, and the log of commits, of an app that runs on many machines.
//
// # Usage
//
//	b, err := redisbroker.New(redisbroker.Config{Hosts: []string{"redis://localhost:6379"}})
//	…
//	commits, err := b.Stream("commits", broker.StreamConfig{})
//
// New does not wait for the server. What is asked of a server that is not there
// fails after a second, with an error that names it.
//
// # Servers
//
// Redis 6.2 or newer, or Valkey; one server for each of Config.Hosts, a primary.
// Several hosts share the names of groups, channels and streams by consistent
// hashing: each name is in one host, and a host that is lost takes only its names
// with it. They are no Redis Cluster, whose keys would lie apart that one script
// needs together. Hosts must be spelled alike on all nodes, as their spelling is
// what is hashed; a name for the primary that follows a failover serves well.
//
// An operator sets
//
//	maxmemory-policy noeviction   # a key that is evicted is a stream that is gone
//	appendonly yes                # keeps streams over a restart
//	appendfsync everysec          # or always: see Durability
//
// and, where access is restricted, lets the user have the keys and the channels
// that begin with the prefix and a colon ("~pando:* &pando:*"), scripts, and the
// commands that scripts and this package use: +@connection +@string +@list +@set
// +@sortedset +@hash +@stream +@pubsub +@scripting +@keyspace +time. A subscriber
// that reads too slowly is cut off by client-output-buffer-limit, whose default for
// pubsub (32 MB, or 8 MB for a minute) is right; it is told of a gap then.
//
// A Broker has two connections to each host, and one more for each Reader that
// waits.
//
// # Channels
//
// Messages to a channel wait in a list of its host. Scripts count and expire them,
// so that capacity and expiry hold exactly, however many processes send. Whoever
// waits for a channel is woken by what the script publishes.
//
// # Groups
//
// A message to a group is published once. A process with members hears it once,
// however many they are, and shares it out: for channels that NewChannel has made
// it waits in the process. GroupAdd returns once the server has confirmed the
// subscription, so that what is sent from then on is heard. Other members, which
// any process may read, are noted in the group's host; the sender puts the message
// into each one's list.
//
// For a channel that NewChannel has made, capacity bounds what waits there of
// groups, counting word of what waits in the host; what is sent to the channel
// itself is bounded by what was sent to it alone. Both come in the order in which
// one process has sent them where group and channel are in the same host.
//
// A member that nobody reads leaves after Config.GroupExpiry: a process's own at
// once when its connection ends, whatever has become of the process; others since
// who reads them renews their memberships.
//
// # Loss
//
// Each host is tried when nothing was heard of it for 150 ms, and is lost when it
// is silent for 550 ms then. Who reads is told of a gap at once, and again when the
// connection is back and all subscriptions are confirmed; groups need not be joined
// again, unless the server has been emptied by Flush. Operations that are under way
// fail.
//
// # Streams
//
// A stream is a Redis Stream whose ids are number and time. Append is a script that
// compares the number of the last record: of two writers one wins. Each record
// knows the one before by a random tag. So a reader, and a writer that appends
// after its own records, is not deceived by a stream that was wiped, replaced, or
// brought back from older data, not even where the numbers fit: it is ErrTrimmed,
// or ErrStale. The newest record is never trimmed, whatever its age.
//
// # Durability
//
// Append returns when the server has the records. What a server that crashes may
// lose of those is up to its appendfsync: nothing with "always", about a second
// with "everysec" and a crash of the machine, all without appendonly; and a replica
// that takes over lacks what had not reached it. Pando finds that out by the tags,
// and reads its scopes again.
package redisbroker
