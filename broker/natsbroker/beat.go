package natsbroker

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Servers of a cluster pass on messages by connections of their own, whose loss
// no client is told of. So each Broker sends beats, which are counted: whoever
// misses one may have missed messages, too. They also tell which server a process
// is at.
//
//	pando.beat.ID → LIFE COUNT SERVER
const (
	beatInterval = 250 * time.Millisecond
	// peerAway is when a Broker counts as gone, or unreachable: four beats are
	// missing.
	peerAway = 4 * beatInterval
	// peerExpiry is how long one is known that sends no beats any more. One that was
	// cut off for longer is like a new one.
	peerExpiry = 24 * time.Hour
)

// peers are the Brokers of an app.
type peers struct {
	// id is this Broker's; life is that of a connection, as what is lost with one
	// its sender knows; count is the number of beats in it.
	id, life string
	count    uint64
	known    map[string]peer
}

type peer struct {
	life   string
	count  uint64
	server string
	seen   time.Time
}

func newPeers() peers {
	p := peers{id: strings.ToLower(rand.Text()), known: map[string]peer{}}
	p.begin()
	return p
}

// begin begins a life.
func (p *peers) begin() { p.life, p.count = strings.ToLower(rand.Text()), 0 }

// beat sends one more.
func (b *Broker) beat() {
	server := b.link.nc.ConnectedServerId()
	b.mu.Lock()
	b.peers.count++
	body := fmt.Appendf(nil, "%s %d %s", b.peers.life, b.peers.count, server)
	b.mu.Unlock()
	// While the connection is lost it fails, which readers are told of by then.
	b.link.nc.Publish(b.subjects.of(kindBeat, b.peers.id), body) //nolint:errcheck // see above
}

// hark takes somebody's beat. The mutex is held.
func (b *Broker) hark(id string, body []byte) {
	parts := strings.Split(string(body), " ")
	if len(parts) != 3 || id == b.peers.id {
		return
	}
	count, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return
	}
	before, known := b.peers.known[id]
	b.peers.known[id] = peer{parts[0], count, parts[2], time.Now()}
	if known && before.life == parts[0] && count != before.count+1 {
		b.link.log.Warn("beats of another process are missing: a route between servers of NATS was lost, and messages with it")
		b.lose(broker.Message{Gap: true})
	}
}

func (p *peers) sweep(now time.Time) {
	for id, other := range p.known {
		if now.Sub(other.seen) >= peerExpiry {
			delete(p.known, id)
		}
	}
}

// away are the peers that are heard, by the server that they are at, other than
// this Broker's.
func (p *peers) away(server string, now time.Time) map[string][]string {
	away := map[string][]string{}
	for id, other := range p.known {
		if other.server != server && now.Sub(other.seen) < peerAway {
			away[other.server] = append(away[other.server], id)
		}
	}
	return away
}
