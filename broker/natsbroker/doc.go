// Package natsbroker is a broker.Broker on NATS, and a broker.Stream on its
// JetStream, for apps that run on several machines.
//
// # What NATS can do
//
// The channel layer is NATS's core: subjects, of which nothing is kept. What is
// sent to a channel reaches who reads it then, and is lost when nobody does. A
// channel is held by the Broker that reads it, so its capacity counts there: what
// is above is dropped, counted by that Broker's Dropped, and its reader is told
// of a gap. Send never returns broker.ErrChannelFull. It returns when the server
// has the message.
//
//   - A Broker hears a channel that it made by NewChannel, or that somebody has
//     received from, until it was not read for the time of Expiry. Where several
//     processes read one channel, which is not for those of NewChannel, a message
//     reaches one of them.
//   - A member of a group is one by the Broker that has added it: add it where it
//     is read, and discard it there.
//   - Messages come in the order in which one sender sent them.
//   - Flush returns when this Broker has forgotten all; those of other processes
//     do so in the same moment, but do not tell when.
//
// # Loss
//
// A server that is gone, or silent, is noticed within a second: who receives
// gets an error, once, and word of a gap when a server is back. Calls that send
// fail meanwhile, and send nothing later; what was under way when the connection
// was lost fails, too, but may arrive, even after word of the gap. That no server
// is there yet is the same: New and Stream come back, and go on by themselves. A
// server that is there and refuses is an error of New, and of all calls where it
// comes later.
//
// In a cluster servers learn of a member from each other. GroupAdd has returned
// when those that processes of the app are connected to have heard of it: each
// Broker sends a beat four times a second, by which the others know where it is,
// and one process at each other server is asked for an answer. What is on its way
// when a route between two servers breaks is lost, and NATS tells no client: a
// Broker that misses a beat of another tells its readers of a gap, since what came
// with the beat may be missing, too. A route that breaks and is back between two
// beats goes unnoticed; servers wait longer than that before they try again.
//
// # The stream
//
// A Stream is one JetStream stream with one subject. A record's number is its
// sequence, and each record is stored on the condition that it follows on the
// one before, so that many are on their way at once without a hole. The subject
// has a random part, which tells a stream that was deleted and made again from
// the one before.
//
// # The server
//
// NATS 2.9 or later. Nothing has to be set, but see to the following:
//
//	# nats.conf
//	max_payload: 1MB          # the default; less is refused
//	jetstream {
//	  store_dir: /var/lib/nats
//	  max_file_store: 10GB    # above the sum of MaxBytes, times Replicas in a cluster
//	  sync_interval: always   # 2.10: a record that is stored outlives a loss of power
//	}
//
// Without the last a server whose machine loses power may come back with a
// stream as it was two minutes before. Writers and readers notice: ErrStale and
// ErrTrimmed, and all is read again.
//
// With permissions, a user needs publish and subscribe of "pando.>" and
// "_INBOX.>", and publish of "$JS.API.>", where pando is Config.Prefix.
//
// In a cluster set Config.Replicas to 3. Gateways and leaf nodes between the
// processes of one app are not supported: what holds for routes does not hold
// there.
package natsbroker
