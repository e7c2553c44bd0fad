package bind

import (
	"context"
	"slices"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// queue is what the feed has told of bound tables and nobody has worked on yet. It
// holds a bounded number of changes: past it all are dropped, and an item says of
// which tables something is lost.
type queue struct {
	limit int
	wake  chan struct{} // has something when items do

	mu sync.Mutex // guards what follows
	// live counts the lines of each table that has models.
	live  map[*schema.Table]int
	items []item
	// size is about the number of changes in items.
	size int
	// staged is what has come of a commit in parts, staging whether one is under way.
	staged  item
	staging bool
	// told is the place of the last whole commit, or of what came after it; begun
	// tells that the feed has begun, starts is how often it has begun anew.
	told   feed.Position
	begun  bool
	starts int
	// moved is closed when told changes, nil while nobody waits for that.
	moved chan struct{}
}

// item is a commit, or what came in the place of commits.
type item struct {
	position    feed.Position
	transaction uint64
	changes     []feed.Change
	// lost are the tables of which changes were dropped.
	lost map[*schema.Table]bool
	// start tells that all is void: it is how often the feed has begun anew, 0 for an
	// item after which the feed goes on.
	start int
}

func newQueue(limit int, models []*Model) *queue {
	q := &queue{limit: limit, wake: make(chan struct{}, 1), live: map[*schema.Table]int{}}
	for _, m := range models {
		q.live[m.Table] += 0
		// What is read of the tables between is brought back to a commit by all that
		// came after it, whether or not somebody was there then.
		for _, w := range m.ways {
			q.live[w.Table]++
			q.live[m.Table]++
		}
	}
	return q
}

// follow counts a line of a table, n more or fewer.
func (q *queue) follow(t *schema.Table, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live[t] += n
}

// place is how far the feed has told since it has begun anew, and how often that
// was. All that it tells after this call of tables that have lines comes as items.
func (q *queue) place() (told feed.Position, starts int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.told, q.starts
}

// begin drops all that was told. Where nothing was, nothing is void.
func (q *queue) begin(head feed.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.staged, q.staging = item{}, false
	if q.begun {
		q.starts++
	}
	q.items, q.size = append(q.items[:0:0], item{position: head, start: q.starts}), 0
	q.move(head)
	q.begun = true
	q.ring()
}

// commit takes what a commit, or a part of it, changes in tables that have lines.
// Of one in parts it takes all bound tables: who opens between the parts is told
// the whole.
func (q *queue) commit(c *feed.Commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.staged.position, q.staged.transaction = c.Position, c.Transaction
	whole := !c.More && !q.staging
	for i := range c.Changes {
		lines, bound := q.live[c.Changes[i].Table]
		if !bound || whole && lines == 0 {
			continue
		}
		if len(q.staged.changes) < q.limit {
			q.staged.changes = append(q.staged.changes, c.Changes[i])
			continue
		}
		q.staged.lose()
		q.staged.miss(c.Changes[i].Table)
	}
	if q.staging = c.More; q.staging {
		return
	}
	one := q.staged
	q.staged = item{}
	q.put(one)
	q.move(c.Position)
}

// advance tells that the feed has come to a position.
func (q *queue) advance(p feed.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.put(item{position: p})
	q.move(p)
}

// move notes how far the feed has told. The mutex is held.
func (q *queue) move(p feed.Position) {
	q.told = p
	if q.moved != nil {
		close(q.moved)
		q.moved = nil
	}
}

// after waits until the feed has told of all up to a position, or has begun anew,
// and returns what waits to be worked on then. It must not be changed.
func (q *queue) after(ctx context.Context, p feed.Position) ([]item, error) {
	for {
		q.mu.Lock()
		if q.told >= p || len(q.items) > 0 && q.items[0].start > 0 {
			items := slices.Clone(q.items)
			q.mu.Unlock()
			return items, nil
		}
		if q.moved == nil {
			q.moved = make(chan struct{})
		}
		moved := q.moved
		q.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// put appends an item, or adds it to the last one. The mutex is held.
func (q *queue) put(one item) {
	defer q.ring()
	if n := len(q.items); n > 0 && one.changes == nil && one.lost == nil {
		if last := &q.items[n-1]; last.changes == nil && last.lost == nil {
			last.position = one.position
			return
		}
	}
	if q.size += 1 + len(one.changes); q.size <= q.limit+1 {
		q.items = append(q.items, one)
		return
	}
	for i := range q.items {
		before := &q.items[i]
		before.lose()
		for t := range before.lost {
			one.miss(t)
		}
		one.start = max(one.start, before.start)
	}
	one.lose()
	q.items, q.size = append(q.items[:0:0], one), 1
}

// lose drops the changes, and notes of which tables they are.
func (i *item) lose() {
	for c := range i.changes {
		i.miss(i.changes[c].Table)
	}
	i.changes = nil
}

func (i *item) miss(t *schema.Table) {
	if i.lost == nil {
		i.lost = map[*schema.Table]bool{}
	}
	i.lost[t] = true
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take takes all items.
func (q *queue) take() []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.size = nil, 0
	return items
}

// changed is one row's way through a commit, from its first change to its last.
type changed struct {
	table    *schema.Table
	key      schema.Value
	old, now schema.Row // nil for none
	// unknown tells that the source does not carry all of them.
	unknown bool
}

// same tells that nothing has become of it.
func (c *changed) same() bool {
	return !c.unknown && (c.old == nil) == (c.now == nil) && slices.Equal(c.old, c.now)
}

// net puts together the changes of each row, in the order in which the rows come
// first.
func net(changes []feed.Change) []changed {
	type place struct {
		table *schema.Table
		key   schema.Value
	}
	rows := make([]changed, 0, len(changes))
	at := make(map[place]int, len(changes))
	for i := range changes {
		ch := &changes[i]
		where := place{ch.Table, ch.Key}
		n, known := at[where]
		if !known {
			n = len(rows)
			at[where] = n
			// A deletion of what nobody tells stands for changes that are not in order.
			unknown := ch.Blind || ch.Old == nil && ch.New == nil
			rows = append(rows, changed{table: ch.Table, key: ch.Key, old: ch.Old, now: ch.Old, unknown: unknown})
		}
		rows[n].become(ch)
	}
	return rows
}

// become takes the row to what a change leaves of it.
func (c *changed) become(ch *feed.Change) {
	if len(ch.Missing) == 0 {
		c.now = ch.New
		return
	}
	if c.now == nil || ch.Replaces() {
		c.unknown = true // what it lacks nobody has told
		c.now = nil
		return
	}
	row := slices.Clone(ch.New)
	for _, column := range ch.Missing {
		row[column] = c.now[column]
	}
	c.now = ch.Table.Complete(row)
}
