package pipe

import (
	"context"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
)

// Tap is told what the feed tells, in its order and before anything of it is shown.
// Its methods are called with the pipe's mutex held: they must neither block nor
// call the pipe.
type Tap interface {
	// Start tells that what was known is void, and that all up to head is visible.
	Start(head feed.Position)
	// Commit hands over a commit, or a part of one. Its changes belong to the pipe:
	// who keeps them copies them. Their rows are not changed.
	Commit(c *feed.Commit)
	// Advance tells that the feed has come to a position.
	Advance(p feed.Position)
}

// Read opens a snapshot for who follows a Tap. Every commit that the Tap was told
// before the call is seen by it, or among those of before, in order. It waits
// where one of them was too large to be held until that is seen.
func (p *Pipe) Read(ctx context.Context) (snap feed.Snapshot, before []*feed.Commit, err error) {
	p.mu.Lock()
	broken := p.router == nil || p.broken != nil
	p.mu.Unlock()
	if broken {
		return nil, nil, fmt.Errorf("open a snapshot: %w", ErrUnavailable)
	}
	snap, held, err := p.unseen.open(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open a snapshot: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range held {
		own := *c
		own.Changes = slices.Clone(c.Changes)
		before = append(before, &own)
	}
	return snap, before, nil
}
