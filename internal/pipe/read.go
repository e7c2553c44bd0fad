package pipe

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/snapshot"
)

// ask has the cache or the database answer wants.
func (p *Pipe) ask(wants []route.Want) {
	if rest := p.askCache(wants); len(rest) > 0 {
		p.askDatabase(rest)
	}
}

// askDatabase hands wants to a reader. When all are busy and the queue is full the
// wants go back, and are asked for in a later turn.
func (p *Pipe) askDatabase(wants []route.Want) {
	select {
	case p.reads <- job{life: p.life, wants: wants}:
	default:
		p.router.Failed(wants)
	}
}

// read makes reads until ctx ends.
func (p *Pipe) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.reads:
			if j.look {
				p.unseen.look(ctx)
				continue
			}
			p.serve(ctx, j)
		}
	}
}

// look has a reader ask which commits are seen, unless all are busy: then their
// reads tell.
func (p *Pipe) look() {
	select {
	case p.reads <- job{look: true}:
	default:
	}
}

// serve makes one read, again and again while the database refuses it.
func (p *Pipe) serve(ctx context.Context, j job) {
	wait := 50 * time.Millisecond
	for {
		from := opener{unseen: &p.unseen}
		read, err := snapshot.Read(ctx, &from, j.wants)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			read.Before = from.before
		}
		if !p.took(j, read, err) {
			return
		}
		p.cfg.Logger.Warn("cannot read layers, trying again", "error", err, "after", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + rand.N(wait)): //nolint:gosec // spreads retries, hides nothing
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// took takes a read's outcome in and tells whether to try again.
func (p *Pipe) took(j job, read *route.Read, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case j.life != p.life:
		return false
	case err != nil:
		p.trouble = err
		return true
	}
	p.trouble = nil
	p.ahead = append(p.ahead, read)
	p.turn()
	return false
}

// mergeReads takes in the reads that the feed has passed.
func (p *Pipe) mergeReads() {
	p.ahead = slices.DeleteFunc(p.ahead, func(r *route.Read) bool {
		if r.Position > p.router.Position() {
			return false
		}
		p.router.Merge(r)
		return true
	})
}
