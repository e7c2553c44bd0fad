package bind

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

// loader reads the rows that subscriptions of one model begin with. All who want
// them while it reads share the next read.
type loader struct {
	out   *Outbound
	model *Model
	wake  chan struct{}

	mu    sync.Mutex // guards lines
	lines []*Line
}

// The pauses before a read is tried again.
const (
	shortPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// want has a line's rows be read.
func (l *loader) want(line *Line) {
	l.mu.Lock()
	l.lines = append(l.lines, line)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run serves lines until ctx ends.
func (l *loader) run(ctx context.Context, reader Reader) {
	pause := shortPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		err := l.serve(ctx, reader)
		if err == nil {
			pause = shortPause
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.out.cfg.Logger.WarnContext(ctx, "cannot read what subscriptions begin with, trying again",
			"binding", l.model.Stream, "error", err, "after", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause + rand.N(pause)): //nolint:gosec // spreads retries, hides nothing
		}
		pause = min(2*pause, longPause)
	}
}

// take returns the lines that wait, which keep from now on what they are told.
func (l *loader) take() []*Line {
	l.mu.Lock()
	all := l.lines
	l.lines = nil
	l.mu.Unlock()
	var lines []*Line
	for _, line := range all {
		if line.take() {
			lines = append(lines, line)
		}
	}
	return lines
}

// serve makes one read for all lines that wait.
func (l *loader) serve(ctx context.Context, reader Reader) error {
	lines := l.take()
	if len(lines) == 0 {
		return nil
	}
	// What the feed has told by now may have been told to some of the lines before
	// they began to keep it: it is part of what is read, and of nothing else.
	r := &rows{loader: l, lines: lines, after: l.out.queue.place(), groups: map[string]int{}}
	err := r.load(ctx, reader)
	for _, line := range lines {
		if err != nil {
			line.fail()
		} else {
			line.send(ctx, r.parts(line), r.saw)
		}
	}
	r.complain(ctx)
	return err
}

// saw tells whether the rows contain a commit.
func (r *rows) saw(c *feed.Commit) bool { return c.Position <= r.after || r.snap.Saw(c) }
