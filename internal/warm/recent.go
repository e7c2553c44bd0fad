package warm

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// rowKey names a row of any table.
type rowKey struct {
	table int
	key   schema.Value
}

// bucketKey names the rows of a table that have a value in a link column.
type bucketKey struct {
	table, column int
	value         schema.Value
}

// recent is what the feed has told lately: the last state of every row that has
// changed in (from, pos]. It forgets the oldest when it is full.
type recent struct {
	limit, maxBytes int
	// merges tells that a commit may have several transactions.
	merges bool
	// followed are the tables of which rows are of interest, by their IDs.
	followed []bool

	mu        sync.RWMutex // guards what follows
	from, pos uint64
	// start is what from was when the feed began; trimmed tells that it is later
	// by now.
	start   uint64
	trimmed bool
	rows    map[rowKey]*change
	buckets map[bucketKey][]*change
	// queue has all changes in their order, from head on.
	queue []queued
	head  int
	bytes int
	// staged is what has come of a commit that is not at its end; overflow tells
	// that it did not fit.
	staged   []feed.Change
	overflow bool
	// steps are those ways from one position to the next on which another process
	// may have stood between two transactions: of a row that came and went on the
	// way nothing was told.
	steps []step
	// moved is closed when pos moves; nil when nobody waits.
	moved chan struct{}
}

type step struct{ from, to uint64 }

// change is the last state of a row, nil when it was deleted.
type change struct {
	table *schema.Table
	key   schema.Value
	row   schema.Row
	// missing are columns of which the value is not known: it is what it was at
	// the position from.
	missing []int
	pos     uint64
	// at is the place in the bucket of each link of the table.
	at []int32
}

type queued struct {
	key   rowKey
	pos   uint64
	bytes int
}

func newRecent(followed []bool, cfg Config) *recent {
	return &recent{followed: followed, limit: cfg.Changes, maxBytes: cfg.ChangeBytes, merges: cfg.Merges}
}

// reset begins anew at a position.
func (r *recent) reset(pos uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start, r.trimmed, r.steps = pos, false, nil
	r.clear(pos)
	r.pos = pos
	r.move(pos)
}

// clear forgets all up to a position.
func (r *recent) clear(pos uint64) {
	r.from = pos
	r.rows, r.buckets = map[rowKey]*change{}, map[bucketKey][]*change{}
	r.queue, r.head, r.bytes = nil, 0, 0
	r.staged, r.overflow = nil, false
	r.steps = slices.DeleteFunc(r.steps, func(s step) bool { return s.to <= pos })
}

// move moves the position on.
func (r *recent) move(pos uint64) {
	if r.merges && pos > r.pos+1 && r.pos >= r.start {
		r.steps = append(r.steps, step{r.pos, pos})
		if len(r.steps) > r.limit {
			r.lose(pos)
		}
	}
	r.pos = pos
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// advance moves the position on without changes.
func (r *recent) advance(pos uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.move(pos)
}

// commit takes in a commit, or a part of one.
func (r *recent) commit(c *feed.Commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changes := c.Changes
	if c.More || len(r.staged) > 0 || r.overflow {
		r.stage(c.Changes)
		if c.More {
			return
		}
		changes = r.staged
		r.staged = nil
	}
	pos := uint64(c.Position)
	if r.overflow {
		r.lose(pos)
	}
	for i := range changes {
		r.put(&changes[i], pos)
	}
	r.trim()
	r.move(pos)
}

// lose forgets all that was up to a position: it cannot be told any more.
func (r *recent) lose(pos uint64) {
	r.trimmed = true
	r.clear(pos)
}

func (r *recent) stage(changes []feed.Change) {
	if r.overflow || len(r.staged)+len(changes) > r.limit {
		r.staged, r.overflow = nil, true
		return
	}
	r.staged = append(r.staged, changes...)
}

// put takes in one change.
func (r *recent) put(ch *feed.Change, pos uint64) {
	if !r.followed[ch.Table.ID] || pos <= r.from {
		return
	}
	k := rowKey{ch.Table.ID, ch.Key}
	before := r.rows[k]
	next := &change{table: ch.Table, key: ch.Key, row: ch.New, missing: ch.Missing, pos: pos}
	if len(next.missing) > 0 && before != nil && before.row != nil {
		next.fill(before.row, before.missing)
	}
	if next.hides() || len(ch.Missing) > 0 && ch.Replaces() {
		r.lose(pos) // it cannot be found by its links, or does not go on what was before
		return
	}
	if before != nil {
		r.unlink(before)
	}
	r.rows[k] = next
	r.link(next)
	q := queued{k, pos, sizeOf(next)}
	r.queue = append(r.queue, q)
	r.bytes += q.bytes
}

// fill puts in what is missing: it is as the row was before, of which some
// columns are not known either.
func (c *change) fill(before schema.Row, unknown []int) {
	row := slices.Clone(c.row)
	var missing []int
	for _, i := range c.missing {
		if slices.Contains(unknown, i) {
			missing = append(missing, i)
		} else {
			row[i] = before[i]
		}
	}
	if missing == nil {
		c.table.Complete(row)
	}
	c.row, c.missing = row, missing
}

// hides tells whether one of the columns by which rows are found is not known.
func (c *change) hides() bool {
	if len(c.missing) == 0 {
		return false
	}
	for _, l := range c.table.Links {
		if slices.Contains(c.missing, l) {
			return true
		}
		for _, part := range c.table.Columns[l].Parts {
			if slices.Contains(c.missing, part) {
				return true
			}
		}
	}
	return false
}

func (r *recent) link(c *change) {
	if c.row == nil {
		return
	}
	c.at = make([]int32, len(c.table.Links))
	for i, column := range c.table.Links {
		k := bucketKey{c.table.ID, column, c.row[column]}
		c.at[i] = int32(len(r.buckets[k]))
		r.buckets[k] = append(r.buckets[k], c)
	}
}

func (r *recent) unlink(c *change) {
	for i, column := range c.table.Links {
		if c.row == nil {
			return
		}
		k := bucketKey{c.table.ID, column, c.row[column]}
		b := r.buckets[k]
		last := len(b) - 1
		b[c.at[i]] = b[last]
		b[c.at[i]].at[i] = c.at[i]
		b[last] = nil
		if last == 0 {
			delete(r.buckets, k)
		} else {
			r.buckets[k] = b[:last]
		}
	}
}

// sizeOf is about what a change takes in memory.
func sizeOf(c *change) int {
	n := 200 + 32*len(c.row)
	for i := range c.row {
		n += len(c.row[i].Str())
	}
	return n
}

// trim forgets the oldest changes while there are too many. A commit is
// forgotten as a whole.
func (r *recent) trim() {
	for len(r.queue)-r.head > r.limit || r.bytes > r.maxBytes {
		r.from, r.trimmed = r.queue[r.head].pos, true
		for r.head < len(r.queue) && r.queue[r.head].pos == r.from {
			q := r.queue[r.head]
			r.queue[r.head] = queued{}
			r.head++
			r.bytes -= q.bytes
			if c := r.rows[q.key]; c != nil && c.pos == q.pos {
				r.unlink(c)
				delete(r.rows, q.key)
			}
		}
	}
	// What is left moves to the front when that is the smaller part.
	if r.head > len(r.queue)/2 {
		r.queue = slices.Delete(r.queue, 0, r.head)
		r.head = 0
	}
}

// through waits until the feed has told of a position.
func (r *recent) through(ctx context.Context, pos uint64) error {
	for {
		r.mu.Lock()
		if r.pos >= pos {
			r.mu.Unlock()
			return nil
		}
		if r.moved == nil {
			r.moved = make(chan struct{})
		}
		moved := r.moved
		r.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// over tells whether a step leads over a position: what was so there is not
// continued by what the feed has told.
func (r *recent) over(pos uint64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, found := slices.BinarySearchFunc(r.steps, pos, func(s step, pos uint64) int { return cmp.Compare(s.to, pos) })
	return !found && i < len(r.steps) && r.steps[i].from < pos
}

// span is from where to where all changes are known.
func (r *recent) span() (from, pos uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.from, r.pos
}

// get returns the last state of a row, nil when it has not changed.
func (r *recent) get(k rowKey) *change {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.rows[k]
}

// bucket returns the changed rows that have a value in a link column.
func (r *recent) bucket(k bucketKey) []*change {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.buckets[k])
}
