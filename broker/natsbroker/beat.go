package natsbroker

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Servers of a cluster pass on messages by connections of their own, whose loss
// no client is told of. So each Broker sends beats, which are counted: whoever
// misses one may have missed messages, too.
const (
	beatInterval = 250 * time.Millisecond
	// peerExpiry is how long a Broker is known that sends no beats any more. One
	// that was cut off for longer is like a new one.
	peerExpiry = 24 * time.Hour
)

// peers are the beats of the Brokers of an app.
type peers struct {
	// name and count are those of this Broker's beats. The name is that of a
	// connection: what is lost with one its sender knows.
	name  string
	count uint64
	known map[string]peer
}

type peer struct {
	count uint64
	seen  time.Time
}

func newPeers() peers {
	p := peers{known: map[string]peer{}}
	p.rename()
	return p
}

func (p *peers) rename() { p.name, p.count = strings.ToLower(rand.Text()), 0 }

// beat sends one more.
func (b *Broker) beat() {
	b.mu.Lock()
	b.peers.count++
	name, count := b.peers.name, b.peers.count
	b.mu.Unlock()
	// While the connection is lost it fails, which readers are told of by then.
	b.link.nc.Publish(b.subjects.of(kindBeat, name), strconv.AppendUint(nil, count, 10)) //nolint:errcheck // see above
}

// hark takes somebody's beat. The mutex is held.
func (b *Broker) hark(name string, body []byte) {
	count, err := strconv.ParseUint(string(body), 10, 64)
	if err != nil || name == b.peers.name {
		return
	}
	before, known := b.peers.known[name]
	b.peers.known[name] = peer{count, time.Now()}
	if known && count != before.count+1 {
		b.link.log.Warn("beats of another process are missing: a route between servers of NATS was lost, and messages with it")
		b.lose(broker.Message{Gap: true})
	}
}

func (p *peers) sweep(now time.Time) {
	for name, other := range p.known {
		if now.Sub(other.seen) >= peerExpiry {
			delete(p.known, name)
		}
	}
}
