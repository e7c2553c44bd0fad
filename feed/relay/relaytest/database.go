package relaytest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// Database is a database with a log. Nodes reach it by Node.
type Database struct {
	reg *schema.Registry

	mu sync.Mutex // guards what follows
	// entries are the log, all of it, and ever what was once committed.
	entries  []*entry
	ever     []*entry
	position feed.Position
	history  int
	// acked is what the log need not keep for the owner that comes next, term counts
	// the owners.
	acked   feed.Position
	term    uint64
	owner   *owned
	stolen  []*owned
	refused error
	// recut has every owner that comes cut commits into parts of its own.
	recut  bool
	paused bool
	within bool
	// quiet tells that the database gives no sign of life.
	quiet   bool
	changed chan struct{}
}

// entry is one of the log: a commit, a reset, or a position without either.
type entry struct {
	id          int // its place in ever
	position    feed.Position
	transaction uint64
	changes     []feed.Change
	reset       string
	hidden      bool
	untold      bool
	parts, size int
}

// New returns an empty database of a registry's tables.
func New(reg *schema.Registry) *Database {
	return &Database{reg: reg, history: 1, changed: make(chan struct{})}
}

// Commit describes a commit for Database.Commit.
type Commit struct {
	Changes []feed.Change
	// Parts is how many parts the log tells it in, 1 if it is less, and Size how
	// many bytes each of them has at least.
	Parts, Size int
	// Hidden keeps reads from seeing it until Show.
	Hidden bool
	// Untold has its last part not be decoded.
	Untold bool
}

// change makes a change and wakes those who wait.
func (d *Database) change(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
	close(d.changed)
	d.changed = make(chan struct{})
}

// add puts an entry into the log; mu is held.
func (d *Database) add(e entry) feed.Position {
	d.position += 10
	e.position, e.id = d.position, len(d.ever)
	d.ever = append(d.ever, &e)
	d.entries = append(d.entries, &e)
	return e.position
}

// Commit commits.
func (d *Database) Commit(c Commit) (p feed.Position) {
	d.change(func() {
		p = d.add(entry{transaction: d.xid(), changes: slices.Clone(c.Changes), hidden: c.Hidden, untold: c.Untold, parts: max(1, c.Parts), size: c.Size})
	})
	return p
}

// xid numbers transactions; mu is held.
func (d *Database) xid() uint64 { return uint64(1000 + len(d.ever)) }

// Reset is a commit after which what was known before is void.
func (d *Database) Reset(reason string, hidden bool) (p feed.Position) {
	d.change(func() { p = d.add(entry{transaction: d.xid(), reset: reason, hidden: hidden}) })
	return p
}

// Rebuild has the owner's log tell, where it has come to, that what was known
// before is void.
func (d *Database) Rebuild(reason string) {
	d.change(func() {
		if d.owner != nil {
			d.owner.reset = reason
		}
	})
}

// Skip moves the log on, as what is no node's table does.
func (d *Database) Skip() (p feed.Position) {
	d.change(func() { p = d.add(entry{}) })
	return p
}

// Show lets reads see what was committed hidden.
func (d *Database) Show() {
	d.change(func() {
		for _, e := range d.entries {
			e.hidden = false
		}
	})
}

// LoseSlot makes the log anew, at the newest position.
func (d *Database) LoseSlot() {
	d.change(func() {
		d.acked = d.position
		d.drop()
	})
}

// Restore brings an older state back, at most at a position, in which a new
// history begins unless nobody has thought of it.
func (d *Database) Restore(at feed.Position, newHistory bool) {
	d.change(func() {
		d.entries = slices.DeleteFunc(d.entries, func(e *entry) bool { return e.position > at })
		d.position, d.acked = at, min(at, d.acked)
		if newHistory {
			d.history++
		}
		d.drop()
	})
}

// Drop takes the log from its owner, which notices at once.
func (d *Database) Drop() { d.change(d.drop) }

func (d *Database) drop() {
	if d.owner != nil {
		d.owner.cancel(feed.ErrLogLost)
		d.owner = nil
	}
}

// Steal takes the log from its owner, which does not notice until Wake; it gets
// nothing more of it.
func (d *Database) Steal() {
	d.change(func() {
		if d.owner != nil {
			d.stolen = append(d.stolen, d.owner)
			d.owner = nil
		}
	})
}

// Wake has owners from which the log was stolen notice.
func (d *Database) Wake() {
	d.change(func() {
		for _, o := range d.stolen {
			o.cancel(feed.ErrLogLost)
		}
		d.stolen = nil
	})
}

// Refuse has all calls of nodes fail; nil ends it.
func (d *Database) Refuse(err error) { d.change(func() { d.refused = err }) }

// Recut has every owner that comes cut commits into parts of its own.
func (d *Database) Recut() { d.change(func() { d.recut = true }) }

// Pause keeps owners waiting for what comes next in the log, as while it is
// found, or lets them go on.
func (d *Database) Pause(paused bool) { d.change(func() { d.paused = paused }) }

// Hush has the database give its owner no sign of life, until it does again.
func (d *Database) Hush(quiet bool) { d.change(func() { d.quiet = quiet }) }

// PauseWithin is Pause from the second part of the next commit that has parts.
func (d *Database) PauseWithin() { d.change(func() { d.within = true }) }

// Owned tells whether somebody owns the log.
func (d *Database) Owned() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.owner != nil
}

// Term is the number of owners that the log has had.
func (d *Database) Term() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.term
}

// Acked is the position up to which the log was acknowledged.
func (d *Database) Acked() feed.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.acked
}

// Position is where the log ends.
func (d *Database) Position() feed.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.position
}

// Follows tells whether the commit with the changes given, or nothing for nil,
// is what comes after a position, up to and with another one.
func (d *Database) Follows(after, upto feed.Position, changes []feed.Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var between []*entry
	for _, e := range d.entries {
		if e.position > after && e.position <= upto && (len(e.changes) > 0 || e.reset != "") {
			between = append(between, e)
		}
	}
	switch {
	case changes == nil && len(between) == 0:
		return nil
	case changes == nil:
		return fmt.Errorf("the commit at %d was not told between %d and %d", between[0].position, after, upto)
	case len(between) != 1 || between[0].position != upto:
		return fmt.Errorf("after %d, %d commits follow up to %d, told as one", after, len(between), upto)
	case !slices.EqualFunc(between[0].changes, changes, same):
		return fmt.Errorf("the commit at %d was told as %v, it is %v", upto, changes, between[0].changes)
	}
	return nil
}

func same(a, b feed.Change) bool {
	return a.Table == b.Table && a.Key == b.Key && slices.Equal(a.New, b.New)
}

// Seen tells whether reads see every commit up to a position.
func (d *Database) Seen(upto feed.Position) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.ContainsFunc(d.entries, func(e *entry) bool { return e.hidden && e.position <= upto })
}

// state is what reads see now; mu is held.
func (d *Database) state() *memdb.DB {
	db := memdb.New(d.reg)
	for _, e := range d.entries {
		if !e.hidden && len(e.changes) > 0 {
			db.Commit(slices.Clone(e.changes)...)
		}
	}
	return db
}
