package natsbroker

import (
	"context"
	"sync"
	"time"
)

// spread waits until the other servers of a cluster, as far as processes of this
// app are connected to them, know of the subscriptions that this Broker has made.
// Servers tell each other of subscriptions in order with messages, so a question
// that one process there has answered came after them.
func (b *Broker) spread(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, peerAway)
	defer cancel()
	server := b.link.nc.ConnectedServerId()
	b.mu.Lock()
	away := b.peers.away(server, time.Now())
	b.mu.Unlock()
	var wg sync.WaitGroup
	for _, ids := range away {
		wg.Go(func() { b.ask(ctx, ids) })
	}
	wg.Wait()
}

// meet waits, in a cluster, until the beats of the other processes have come.
func (b *Broker) meet() {
	if b.link.nc.ConnectedClusterName() == "" {
		return
	}
	select {
	case <-time.After(beatInterval + beatInterval/4):
	case <-b.ended:
	}
}

// askTimeout is how long one process has to answer.
const askTimeout = peerAway / 4

// ask asks the processes at a server, one after the other, until one answers.
// When none does for as long as it takes to be away there is nobody there any
// more, or a route is lost: its end is told as a gap.
func (b *Broker) ask(ctx context.Context, ids []string) {
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		_, err := b.link.nc.RequestWithContext(ctx, b.subjects.of(kindAsk, id), nil)
		cancel()
		if err == nil {
			return
		}
	}
}
