package bind

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// loader reads the rows that subscriptions of one model begin with. All who want
// them while it reads share the next read.
type loader struct {
	out   *Outbound
	model *Model
	wake  chan struct{}

	mu    sync.Mutex // guards what follows
	lines []*Line
	// since is what was told since the lines of a read keep what they are told, with
	// recording; size is its number of rows, and full tells that there are too many.
	recording, full bool
	since           []recorded
	size            int
}

// recorded is a commit that was told.
type recorded struct {
	commit *feed.Commit // its place alone
	rows   []changed
}

// errTooMuch tells that more was told during a read than is kept.
var errTooMuch = errors.New("too much has changed meanwhile")

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

// record notes a commit that was told to all lines.
func (l *loader) record(c *feed.Commit, rows []changed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recording {
		return
	}
	if l.size += 1 + len(rows); l.size > l.out.cfg.Keep {
		l.full, l.since = true, nil
		return
	}
	l.since = append(l.since, recorded{c, rows})
}

// past is what was recorded.
func (l *loader) past() ([]recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return nil, errTooMuch
	}
	return slices.Clone(l.since), nil
}

func (l *loader) setRecording(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recording, l.full, l.since, l.size = on, false, nil, 0
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

// take returns the lines that wait, which keep from now on what they are told, as
// the loader does.
func (l *loader) take() []*Line {
	l.mu.Lock()
	all := l.lines
	l.lines = nil
	l.mu.Unlock()
	l.setRecording(len(all) > 0)
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
	defer l.setRecording(false)
	if len(lines) == 0 {
		return nil
	}
	// What the feed has told by now may have been told to some of the lines before
	// they began to keep it: it is part of what is read, and of nothing else.
	after, starts := l.out.queue.place()
	r := &rows{
		loader: l, lines: lines, starts: starts, after: after, groups: map[string]int{}, mine: make(map[*Line][]int, len(lines)),
		unseen: map[schema.Value]schema.Row{}, ties: map[*schema.Table]map[schema.Value]schema.Row{},
	}
	for _, line := range lines {
		r.mine[line] = nil
	}
	err := r.load(ctx, reader)
	for _, line := range lines {
		if err != nil {
			line.fail()
		} else {
			line.send(ctx, r.parts(line), r.upto)
		}
	}
	r.complain(ctx)
	return err
}
