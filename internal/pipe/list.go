package pipe

import (
	"context"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

// List is a list that one stream alone shows: it may be changed by hand, and
// its rows may be judged one by one as they enter. Changes that come before it
// is opened wait for that.
type List struct {
	pipe *Pipe
	// visible judges a row, nil when all may be seen; the watch's ask tells that
	// Judge is due.
	visible func(context.Context, schema.Row) bool
	watch   *Watch
	// asked has something while judgements are wanted.
	asked chan struct{}

	// Guarded by the pipe's mutex.
	scope *Scope
	edits []func(*route.Router, *route.Scope)
	asks  []route.Ask
}

// NewList returns a list. When visible is set it is asked about every row that
// enters, by Judge, and about all again when w brings doubt. Judge is due
// whenever the watch's ask is called.
func (p *Pipe) NewList(w *Watch, visible func(context.Context, schema.Row) bool) *List {
	l := &List{pipe: p, visible: visible, watch: w, asked: make(chan struct{}, 1)}
	if visible != nil {
		p.mu.Lock()
		w.list = l
		p.mu.Unlock()
	}
	return l
}

// Add shows the row of a key, whether or not it meets the list's conditions.
func (l *List) Add(key schema.Value) {
	l.edit(func(r *route.Router, s *route.Scope) { r.Add(s, key) })
}

// Remove hides the row of a key until it is added.
func (l *List) Remove(key schema.Value) {
	l.edit(func(r *route.Router, s *route.Scope) { r.Remove(s, key) })
}

// Clear empties the list: from now on it shows what is added.
func (l *List) Clear() {
	l.edit(func(r *route.Router, s *route.Scope) { r.Clear(s) })
}

// Picked tells what has been made of a row by hand: that it was added, and that
// it is hidden otherwise. A list that does not stand any more has no rows.
func (l *List) Picked(key schema.Value) (added, hidden bool) {
	l.pipe.mu.Lock()
	defer l.pipe.mu.Unlock()
	if l.scope == nil || !l.live() {
		return false, true
	}
	return l.scope.route.Picked(key)
}

func (l *List) edit(change func(*route.Router, *route.Scope)) {
	p := l.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case l.scope == nil:
		l.edits = append(l.edits, change)
	case l.live():
		change(p.router, l.scope.route)
		p.turn()
	}
}

// live tells whether the list's scope still stands.
func (l *List) live() bool { return !l.scope.closed && l.scope.life == l.pipe.life }

// begin gives the list its scope, which is new.
func (l *List) begin(s *Scope) {
	l.scope = s
	r := l.pipe.router
	if l.visible != nil {
		r.Ask(s.route)
	}
	for _, change := range l.edits {
		change(r, s.route)
	}
	l.edits = nil
}

// again has all rows judged again.
func (l *List) again() {
	if l.scope != nil && l.live() {
		l.pipe.router.Ask(l.scope.route)
	}
}

// spreadAsks hands the judgements that the router wants to their lists.
func (p *Pipe) spreadAsks() {
	var last *List
	for _, ask := range p.router.Asks() {
		l := partOf(ask.Scope).scope.list
		l.asks = append(l.asks, ask)
		if l != last {
			l.tell()
			last = l
		}
	}
}

func (l *List) tell() {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	l.watch.ask()
}

// judgeAtOnce is the number of rows that are judged before the list is told.
const judgeAtOnce = 256

// Judge answers what the list asks, until it asks no more. It is called by one
// goroutine at a time.
func (l *List) Judge(ctx context.Context) error {
	for {
		asks, commit := l.take()
		if len(asks) == 0 {
			return nil
		}
		err := l.pipe.visible(ctx, commit)
		verdicts := make([]bool, 0, len(asks))
		for i := 0; i < len(asks) && err == nil; i++ {
			verdicts = append(verdicts, l.visible(ctx, asks[i].Row))
			err = ctx.Err()
		}
		if err != nil {
			l.putBack(asks)
			return fmt.Errorf("judge the rows of a list: %w", err)
		}
		l.answer(asks, verdicts)
	}
}

// take takes questions, and the commit that reads have to see before they are
// answered.
func (l *List) take() ([]route.Ask, *feed.Commit) {
	l.pipe.mu.Lock()
	defer l.pipe.mu.Unlock()
	n := min(len(l.asks), judgeAtOnce)
	asks := slices.Clone(l.asks[:n])
	l.asks = l.asks[n:]
	return asks, l.watch.commit
}

func (l *List) putBack(asks []route.Ask) {
	l.pipe.mu.Lock()
	defer l.pipe.mu.Unlock()
	l.asks = append(asks, l.asks...)
}

func (l *List) answer(asks []route.Ask, verdicts []bool) {
	p := l.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.live() {
		return
	}
	for i := range asks {
		p.router.Judge(l.scope.route, asks[i].Key, verdicts[i])
	}
	p.turn()
}
