package warm

import (
	"context"
	"errors"

	"github.com/pando-sync/pando/feed"
)

// since are the changes of a time before the feed began, as the history tells
// them.
type since struct {
	*recent

	changes []feed.Change
	at      []uint64
}

// errTooMuch ends a history that does not fit.
var errTooMuch = errors.New("more has been committed than is kept")

// take takes in a commit of the history, or a part of one.
func (s *since) take(c *feed.Commit) error {
	for i := range c.Changes {
		if s.followed[c.Changes[i].Table.ID] {
			s.changes = append(s.changes, c.Changes[i])
			s.at = append(s.at, uint64(c.Position))
		}
	}
	if len(s.changes) > s.limit {
		return errTooMuch
	}
	return nil
}

// extend puts what the history tells of the time after a position before what
// the feed has told since it began, and tells whether that could be done.
func (r *recent) extend(after uint64, s *since, start uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trimmed || r.start != start || after >= r.from {
		return false
	}
	told, pos := r.queue, r.pos
	rows := r.rows
	staged, overflow := r.staged, r.overflow
	r.clear(after)
	r.staged, r.overflow = staged, overflow
	for i := range s.changes {
		if s.at[i] <= start {
			r.put(&s.changes[i], s.at[i])
		}
	}
	// What the feed has told comes after it, in order; of rows that it told of
	// more than once only the last state is left.
	for _, q := range told {
		if c := rows[q.key]; c.pos == q.pos {
			r.put(&feed.Change{Table: c.table, Key: c.key, New: c.row, Missing: c.missing, Blind: true}, c.pos)
		}
	}
	r.trim()
	r.pos = pos
	return r.from == after
}

// past is how the history is asked, by one at a time.
type past struct {
	ask chan uint64 // the position after which it is to be told
	// What follows is guarded by the cache's mutex. asked is closed when the answer
	// is there, nil while nobody asks; unfit is a position from which down it tells
	// nothing; times is how often it was asked.
	asked chan struct{}
	unfit uint64
	times int
}

// mostPasts is how often the history is asked at most: every time it is read as a
// whole.
const mostPasts = 8

// reset begins anew.
func (p *past) reset() {
	p.unfit, p.times = 0, 0
	if p.asked != nil {
		close(p.asked)
		p.asked = nil
	}
}

// recall has the history tell what was committed after a position and before the
// feed began, and tells whether that is known then.
func (c *Cache) recall(ctx context.Context, pos uint64) bool {
	if c.cfg.History == nil {
		return false
	}
	for {
		c.mu.Lock()
		if from, _ := c.recent.span(); from <= pos {
			c.mu.Unlock()
			return true
		}
		if pos <= c.past.unfit || c.past.times == mostPasts || c.recent.forgets() {
			c.mu.Unlock()
			return false
		}
		if c.past.asked == nil {
			c.past.asked = make(chan struct{})
			c.past.times++
			select {
			case <-c.past.ask: // of an earlier life
			default:
			}
			c.past.ask <- pos // there is room: whoever sends has the mutex
		}
		asked := c.past.asked
		c.mu.Unlock()
		select {
		case <-asked:
		case <-ctx.Done():
			return false
		}
	}
}

// tellPast answers those who ask for the history until ctx ends.
func (c *Cache) tellPast(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case pos := <-c.past.ask:
			c.answerPast(ctx, pos)
		}
	}
}

func (c *Cache) answerPast(ctx context.Context, pos uint64) {
	c.mu.Lock()
	epoch, life := c.epoch, c.life
	c.mu.Unlock()
	start := c.recent.begun()
	told := &since{recent: c.recent}
	complete, err := c.cfg.History.History(ctx, epoch, feed.Position(pos), told.take)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errTooMuch) {
		c.cfg.Logger.WarnContext(ctx, "cannot read what was committed before", "error", err)
	}
	complete = err == nil && complete && c.recent.extend(pos, told, start)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != life || c.past.asked == nil {
		return // those who waited have been told
	}
	if !complete {
		c.past.unfit = max(c.past.unfit, pos)
	}
	close(c.past.asked)
	c.past.asked = nil
}

// begun is the position at which the feed began.
func (r *recent) begun() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.start
}

// forgets tells that something that the feed has told is forgotten by now: what
// was before it is of no use.
func (r *recent) forgets() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.trimmed
}
