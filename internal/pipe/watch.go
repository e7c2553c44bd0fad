package pipe

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// On names rows that a permission depends on: those of Table that have Value in
// Column.
type On struct {
	Table  *schema.Table
	Column int
	Value  schema.Value
}

// Watch holds back what somebody is sent while it is in doubt whether it may be
// sent at all:
//
//	sure ──a commit touches a row, or Recheck──► in doubt ──Settle──► sure
//
// It is registered before permission is asked for the first time, so that no
// commit is missed.
type Watch struct {
	pipe *Pipe
	on   []On
	ask  func()
	// held is the first version that is held back, 0 for none. It is set before
	// that version is published, and may be read by anybody.
	held atomic.Uint64

	// Guarded by the pipe's mutex.
	list *List
	// touches counts what has brought doubt, settled how many of them have been
	// answered; version and commit are of the last.
	touches, settled uint64
	version          uint64
	commit           *feed.Commit
	sure             chan struct{} // closed when the doubt is over; nil without
}

// Watch registers a watch of rows, of which any may be none. ask is called when
// Settle is due, with the pipe's mutex held: it must not block or call the
// pipe. The watch is ended by Close.
func (p *Pipe) Watch(on []On, ask func()) *Watch {
	w := &Watch{pipe: p, on: on, ask: ask}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches.add(w)
	return w
}

// Close ends the watch.
func (w *Watch) Close() {
	w.pipe.mu.Lock()
	defer w.pipe.mu.Unlock()
	w.pipe.watches.remove(w)
}

// Held is the first version that must not be sent now, and 0 when all may.
func (w *Watch) Held() uint64 { return w.held.Load() }

// Recheck brings doubt without a commit: from now on nothing is sent before
// permission was asked again.
func (w *Watch) Recheck() {
	p := w.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, open := p.watches.all[w]; !open {
		return
	}
	w.doubt(p.present(), nil)
	w.ask()
	if p.router != nil {
		p.turn() // a list may have become silent
	}
}

// present is the router's position, 0 before there is one.
func (p *Pipe) present() uint64 {
	if p.router == nil {
		return 0
	}
	return p.router.Position()
}

// doubt begins a doubt, or adds to it, and tells whether that is news.
func (w *Watch) doubt(version uint64, c *feed.Commit) bool {
	if c != nil && w.Held() > 0 && w.version == version {
		return false // another row, or part, of the same commit
	}
	w.touches++
	w.version = version
	if c != nil {
		w.commit = c
	}
	if w.Held() == 0 {
		w.sure = make(chan struct{})
		w.held.Store(max(version, 1))
	}
	if w.list != nil {
		w.list.again()
	}
	return true
}

// Settle ends a doubt: permit is asked, at a time when reads see all commits
// that have brought it, until none has come up to the state that was asked. Its
// first error is returned, and the doubt stays. skip is called before anything may be sent
// when the doubt has lasted for several commits: what they have shown in
// between was not permitted by anybody, and is to be skipped by CatchUp. It
// runs with the pipe's mutex held.
func (w *Watch) Settle(ctx context.Context, permit func(context.Context) error, skip func()) error {
	for w.Held() > 0 {
		w.pipe.mu.Lock()
		touches, commit := w.touches, w.commit
		w.pipe.mu.Unlock()
		if err := w.pipe.visible(ctx, commit); err != nil {
			return err
		}
		if err := permit(ctx); err != nil {
			return err
		}
		if err := w.passed(ctx); err != nil {
			return err
		}
		w.end(touches, skip)
	}
	return nil
}

// passed waits until the feed has told of all that permit may have seen: what
// was granted by a commit that is still to come is not granted before it.
func (w *Watch) passed(ctx context.Context) error {
	if len(w.on) == 0 {
		return nil
	}
	head, err := w.pipe.Head(ctx)
	if err != nil {
		return fmt.Errorf("settle a doubt: %w", ErrUnavailable)
	}
	reached := make(chan struct{})
	w.pipe.Wait(head, nil, func(bool) { close(reached) })
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends the doubt unless more than the given touches have come.
func (w *Watch) end(touches uint64, skip func()) {
	w.pipe.mu.Lock()
	defer w.pipe.mu.Unlock()
	if w.touches != touches || w.Held() == 0 {
		return
	}
	if touches-w.settled > 1 {
		skip()
	}
	w.settled, w.commit = touches, nil
	w.held.Store(0)
	close(w.sure)
	w.sure = nil
}

// Wait waits until there is no doubt, which somebody else settles.
func (w *Watch) Wait(ctx context.Context) error {
	for {
		w.pipe.mu.Lock()
		sure := w.sure
		w.pipe.mu.Unlock()
		if sure == nil {
			return nil
		}
		select {
		case <-sure:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// visible waits until reads see a commit, and every one before it: some
// databases tell of a commit before they show it, and show another first.
func (p *Pipe) visible(ctx context.Context, c *feed.Commit) error {
	if c == nil || p.seen.Load() == c {
		return nil
	}
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		snap, err := p.unseen.all(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("look whether a commit is visible: %w", ErrUnavailable)
		}
		saw := snap.Saw(c)
		if err := snap.Close(); err != nil {
			return fmt.Errorf("look whether a commit is visible: %w", ErrUnavailable)
		}
		if saw {
			p.seen.Store(c)
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watches finds the watches that a commit touches: the cost is by what it
// changes, not by how many there are.
type watches struct {
	all map[*Watch]struct{}
	by  map[On]map[*Watch]struct{}
	// columns are those that have ever been watched, by the table's ID.
	columns map[int][]int
}

func newWatches() watches {
	return watches{all: map[*Watch]struct{}{}, by: map[On]map[*Watch]struct{}{}, columns: map[int][]int{}}
}

func (s *watches) add(w *Watch) {
	s.all[w] = struct{}{}
	for _, on := range w.on {
		if s.by[on] == nil {
			s.by[on] = map[*Watch]struct{}{}
			s.watchColumn(on)
		}
		s.by[on][w] = struct{}{}
	}
}

func (s *watches) watchColumn(on On) {
	if columns := s.columns[on.Table.ID]; !slices.Contains(columns, on.Column) {
		s.columns[on.Table.ID] = append(columns, on.Column)
	}
}

func (s *watches) remove(w *Watch) {
	delete(s.all, w)
	for _, on := range w.on {
		if delete(s.by[on], w); len(s.by[on]) == 0 {
			delete(s.by, on)
		}
	}
}

// holdAll brings doubt to all, when what happened meanwhile is not known. At the
// feed's first start those who came before it are asked again. Later all
// sessions are closed: nobody is asked, but nothing may pass.
func (s *watches) holdAll(version uint64, ask bool) {
	for w := range s.all {
		if w.doubt(version, nil) && ask {
			w.ask()
		}
	}
}

// touch brings doubt to the watches of the rows that a commit changes.
func (s *watches) touch(c *feed.Commit) {
	if len(s.all) == 0 {
		return
	}
	// all are the columns of which every watch is held: no further change of many
	// looks at them again.
	all := map[On]bool{}
	for i := range c.Changes {
		ch := &c.Changes[i]
		for _, column := range s.columns[ch.Table.ID] {
			if on := (On{Table: ch.Table, Column: column}); !all[on] {
				all[on] = s.touchColumn(c, ch, on)
			}
		}
	}
}

// touchColumn tells whether it has held every watch of the column.
func (s *watches) touchColumn(c *feed.Commit, ch *feed.Change, on On) (all bool) {
	column := on.Column
	if ch.Blind || ch.Old == nil && ch.New == nil || slices.Contains(ch.Missing, column) {
		// The source does not say what it was, or is.
		for other, watching := range s.by {
			if other.Table == on.Table && other.Column == column {
				hold(watching, c)
			}
		}
		return true
	}
	if ch.Old != nil {
		on.Value = ch.Old[column]
		hold(s.by[on], c)
	}
	if ch.New != nil && on.Value != ch.New[column] {
		on.Value = ch.New[column]
		hold(s.by[on], c)
	}
	return false
}

func hold(watching map[*Watch]struct{}, c *feed.Commit) {
	for w := range watching {
		if w.doubt(uint64(c.Position), c) {
			w.ask()
		}
	}
}
