package memdb

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// DB is the tables of a registry.
type DB struct {
	reg     *schema.Registry
	started chan struct{} // closed when Run has called Start
	turn    chan struct{} // held by the write transaction that is under way

	mu      sync.Mutex // guards what follows
	rows    []map[schema.Value]schema.Row
	pos     feed.Position
	epoch   int
	told    int // the epoch of the last Start
	pending []*feed.Commit
	sink    feed.Sink
	queries int
	refuse  error
	opened  func()
	// requests are the claimed ones, by owner and key.
	requests map[feed.Claim]request
}

var _ feed.Source = (*DB)(nil)

// New returns an empty database. All trees must be in the registry.
func New(reg *schema.Registry) *DB {
	d := &DB{reg: reg, epoch: 1, started: make(chan struct{}), turn: make(chan struct{}, 1), requests: map[feed.Claim]request{}}
	for range reg.Tables {
		d.rows = append(d.rows, map[schema.Value]schema.Row{})
	}
	return d
}

// Put is the change that leaves a row as it is given, its derived columns
// filled.
func Put(t *schema.Table, row schema.Row) feed.Change {
	row = t.Complete(slices.Clone(row))
	return feed.Change{Table: t, Key: row[t.Key], New: row}
}

// Remove is the change that deletes a row.
func Remove(t *schema.Table, key schema.Value) feed.Change {
	return feed.Change{Table: t, Key: key}
}

// Commit commits changes made by Put and Remove. The feed delivers them by
// Deliver.
func (d *DB) Commit(changes ...feed.Change) *feed.Commit {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pos++
	c := &feed.Commit{Position: d.pos, Changes: changes}
	for i := range changes {
		ch := &changes[i]
		rows := d.rows[ch.Table.ID]
		ch.Old = rows[ch.Key]
		if ch.New == nil {
			delete(rows, ch.Key)
		} else {
			rows[ch.Key] = ch.New
		}
	}
	d.pending = append(d.pending, c)
	return c
}

// Skip moves the position on, as a commit to undeclared tables does.
func (d *DB) Skip() feed.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pos++
	return d.pos
}

// Row is a row's present state, or nil.
func (d *DB) Row(t *schema.Table, key schema.Value) schema.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows[t.ID][key]
}

// Each calls fn for every row of a table, in no order.
func (d *DB) Each(t *schema.Table, fn func(schema.Row)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rows[t.ID] {
		fn(r)
	}
}

// Pending takes the commits that were not delivered, for tests that are the
// feed themselves.
func (d *DB) Pending() []*feed.Commit {
	d.mu.Lock()
	defer d.mu.Unlock()
	pending := d.pending
	d.pending = nil
	return pending
}

// Deliver hands all commits to the sink, which Run has started.
func (d *DB) Deliver() {
	for _, c := range d.Pending() {
		d.target().Commit(c)
	}
}

// Advance tells the sink of the present position.
func (d *DB) Advance() {
	d.mu.Lock()
	pos := d.pos
	d.mu.Unlock()
	d.target().Advance(pos)
}

// Renew begins a new epoch at the present position, of which the feed tells by
// Restart.
func (d *DB) Renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.epoch++
	d.pending = nil
}

// Restart loses continuity: it tells the sink of the epoch that Renew has begun,
// or else begins one.
func (d *DB) Restart(reason string) {
	d.mu.Lock()
	if d.told == d.epoch {
		d.epoch++
	}
	d.told, d.pending = d.epoch, nil
	epoch, pos := d.name(), d.pos
	d.mu.Unlock()
	d.target().Start(epoch, pos, reason)
}

// Queries is the number of queries that snapshots and transactions have made.
func (d *DB) Queries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queries
}

// Refuse lets all reads fail from now on; nil ends it.
func (d *DB) Refuse(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = err
}

// OnSnapshot has fn called after each snapshot has seen its state, before it
// reads; nil ends it.
func (d *DB) OnSnapshot(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = fn
}

// Started waits until Run has called Start.
func (d *DB) Started() { <-d.started }

func (d *DB) target() feed.Sink {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sink
}

func (d *DB) name() string { return "memory." + strconv.Itoa(d.epoch) }

// Setup implements feed.Source.
func (*DB) Setup(context.Context, []*schema.Table) error { return nil }

// Run implements feed.Source. What is delivered comes from Deliver.
func (d *DB) Run(ctx context.Context, sink feed.Sink) error {
	d.mu.Lock()
	d.sink, d.pending, d.told = sink, nil, d.epoch
	epoch, pos := d.name(), d.pos
	d.mu.Unlock()
	sink.Start(epoch, pos, "")
	close(d.started)
	<-ctx.Done()
	return nil
}

// Head implements feed.Source.
func (d *DB) Head(context.Context) (feed.Position, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pos, d.refuse
}

// Close implements feed.Source.
func (*DB) Close() error { return nil }

// Snapshot implements feed.Source.
func (d *DB) Snapshot(context.Context) (feed.Snapshot, error) {
	d.mu.Lock()
	if d.refuse != nil {
		defer d.mu.Unlock()
		return nil, d.refuse
	}
	s := &snapshot{view: d.view(), epoch: d.name(), pos: d.pos}
	opened := d.opened
	d.mu.Unlock()
	if opened != nil {
		opened()
	}
	return s, nil
}

// view is a copy of all tables.
type view struct {
	db   *DB
	rows []map[schema.Value]schema.Row
}

// view copies the tables; d.mu is held.
func (d *DB) view() view {
	v := view{db: d}
	for _, rows := range d.rows {
		v.rows = append(v.rows, maps.Clone(rows))
	}
	return v
}

// snapshot is a view at a place in the feed.
type snapshot struct {
	view

	epoch string
	pos   feed.Position
}

func (s *snapshot) Epoch() string           { return s.epoch }
func (s *snapshot) Position() feed.Position { return s.pos }
func (s *snapshot) Saw(c *feed.Commit) bool { return c.Position <= s.pos }
func (*snapshot) Close() error              { return nil }

// Rows implements feed.Snapshot.
func (s *snapshot) Rows(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	return s.read(ctx, q, fn)
}

func (v *view) read(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	v.db.mu.Lock()
	v.db.queries++
	v.db.mu.Unlock()
	wanted := make(map[schema.Value]bool, len(q.Values))
	for _, v := range q.Values {
		wanted[v] = true
	}
	first := q.First()
	for _, row := range v.rows[q.Table.ID] {
		switch {
		case !wanted[row[q.Column]] || !q.Meets(row):
		case q.Limit > 0:
			first.Add(row)
		default:
			if err := fn(row); err != nil {
				return err
			}
		}
	}
	for _, row := range first.Rows() {
		if err := fn(row); err != nil {
			return err
		}
	}
	return ctx.Err()
}
