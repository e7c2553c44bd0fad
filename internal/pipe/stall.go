package pipe

import (
	"errors"
	"fmt"
	"time"
)

// stalled is what is known of a feed that stands still.
type stalled struct {
	reason string // "" while it goes on
	since  time.Time
	told   bool
}

// stall notes that the feed stands still. The mutex is held.
func (p *Pipe) stall(reason string) {
	if p.stalled.reason != "" {
		p.stalled.reason = reason
		return
	}
	p.stalled = stalled{reason: reason, since: time.Now()}
	p.cfg.Logger.Warn("the feed stands still", "reason", reason)
}

// goesOn notes that the feed has said something. The mutex is held.
func (p *Pipe) goesOn() {
	if p.stalled.reason == "" {
		return
	}
	p.cfg.Logger.Info("the feed goes on", "after", time.Since(p.stalled.since))
	p.stalled = stalled{}
}

// tellStall has all sessions closed once the feed has stood still for long: what
// they show is old, and another node may be well. The mutex is held.
func (p *Pipe) tellStall(now time.Time) {
	if p.stalled.reason == "" || p.stalled.told || now.Sub(p.stalled.since) < p.cfg.StallLimit {
		return
	}
	p.stalled.told = true
	p.cfg.Lost("the feed stands still: " + p.stalled.reason)
}

// err tells that the feed stands still.
func (s *stalled) err() error {
	if s.reason == "" {
		return nil
	}
	return fmt.Errorf("%w: the feed stands still: %s", ErrUnavailable, s.reason)
}

// Ready is nil while new subscribers should come: the source is followed, or has
// stood still for no longer than Config.StallLimit. All nodes of an app stand
// still at once when the one that publishes is replaced.
func (p *Pipe) Ready() error {
	select {
	case <-p.started:
	default:
		return ErrUnavailable
	}
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	return errors.Join(broken, p.Stalled())
}

// Stalled is an error while the feed has stood still for longer than
// Config.StallLimit: nobody should begin to be served.
func (p *Pipe) Stalled() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled.told {
		return p.stalled.err()
	}
	return nil
}
