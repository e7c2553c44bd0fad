package relaytest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Node is a database as one process has it: relay's Database. It is followed by
// its log alone, and written by Database.Commit.
type Node struct {
	db     *Database
	passed atomic.Uint64
}

var (
	_ feed.LogSource = (*Node)(nil)
	_ feed.Writer    = (*Node)(nil)
	_ feed.Checker   = (*Node)(nil)
	_ feed.Hinter    = (*Node)(nil)
	_ feed.Renewer   = (*Node)(nil)
)

// Node returns the database for one process.
func (d *Database) Node() *Node { return &Node{db: d} }

// Passed is told how far the process has come.
func (n *Node) Passed(p feed.Position) { n.passed.Store(uint64(p)) }

// Come is how far the process has come, as Passed was told last.
func (n *Node) Come() feed.Position { return feed.Position(n.passed.Load()) }

// Setup implements feed.Source.
func (n *Node) Setup(context.Context, []*schema.Table) error { return n.trouble() }

// Check implements feed.Checker.
func (n *Node) Check(context.Context, []*schema.Table) (bool, error) { return true, n.trouble() }

// Hints implements feed.Hinter.
func (n *Node) Hints(context.Context) ([]string, error) { return nil, n.trouble() }

// Run implements feed.Source.
func (*Node) Run(context.Context, feed.Sink) error {
	return fmt.Errorf("follow a log in memory: %w: relay it", errors.ErrUnsupported)
}

// Begin implements feed.Writer.
func (*Node) Begin(context.Context) (feed.Tx, error) {
	return nil, fmt.Errorf("begin a transaction: %w: use Database.Commit", errors.ErrUnsupported)
}

// Close implements feed.Source.
func (*Node) Close() error { return nil }

func (n *Node) trouble() error {
	n.db.mu.Lock()
	defer n.db.mu.Unlock()
	return n.db.refused
}

// Head implements feed.Source. It has the log pass what it returns.
func (n *Node) Head(context.Context) (p feed.Position, err error) {
	n.db.change(func() {
		if err = n.db.refused; err == nil {
			p = n.db.add(entry{})
		}
	})
	return p, err
}

// Epoch implements feed.LogSource.
func (n *Node) Epoch(context.Context) (string, error) {
	n.db.mu.Lock()
	defer n.db.mu.Unlock()
	return n.db.name(), n.db.refused
}

// Renew implements feed.Renewer.
func (n *Node) Renew(context.Context) (err error) {
	n.db.change(func() {
		if err = n.db.refused; err == nil {
			n.db.history++
		}
	})
	return err
}

// name is that of the history; mu is held.
func (d *Database) name() string { return "memory." + strconv.Itoa(d.history) }

// Visible implements feed.LogSource.
func (n *Node) Visible(_ context.Context, transactions []uint64) (int, error) {
	n.db.mu.Lock()
	defer n.db.mu.Unlock()
	for i, t := range transactions {
		if slices.ContainsFunc(n.db.entries, func(e *entry) bool { return e.transaction == t && e.hidden }) {
			return i, n.db.refused
		}
	}
	return len(transactions), n.db.refused
}

// Snapshot implements feed.Source.
func (n *Node) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	d := n.db
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refused != nil {
		return nil, d.refused
	}
	rows, err := d.state().Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{Snapshot: rows, epoch: d.name(), position: d.position, unseen: map[uint64]bool{}}
	for _, e := range d.entries {
		if e.hidden {
			s.unseen[e.transaction] = true
		}
	}
	return s, nil
}

// snapshot is the commits that are not hidden.
type snapshot struct {
	feed.Snapshot

	epoch    string
	position feed.Position
	unseen   map[uint64]bool
}

func (s *snapshot) Epoch() string           { return s.epoch }
func (s *snapshot) Position() feed.Position { return s.position }

// Saw implements feed.Snapshot.
func (s *snapshot) Saw(c *feed.Commit) bool {
	return c.Position <= s.position && !s.unseen[c.Transaction]
}

// Decode implements feed.LogSource.
func (n *Node) Decode(p feed.Part) (*feed.Commit, error) {
	var numbers [3]uint64
	data := p.Data
	for i := range numbers {
		value, size := binary.Uvarint(data)
		if size <= 0 {
			return nil, fmt.Errorf("decode a part at %d: it is cut off", p.Position)
		}
		numbers[i], data = value, data[size:]
	}
	n.db.mu.Lock()
	defer n.db.mu.Unlock()
	id, from, upto := numbers[0], numbers[1], numbers[2]
	if id >= uint64(len(n.db.ever)) || n.db.ever[id].position != p.Position || upto > uint64(len(n.db.ever[id].changes)) || from > upto {
		return nil, fmt.Errorf("decode a part at %d: there is no such commit: %d of %d, changes %d to %d", p.Position, id, len(n.db.ever), from, upto)
	}
	if n.db.ever[id].untold && !p.More {
		return nil, fmt.Errorf("decode a part at %d: %w", p.Position, feed.ErrUntold)
	}
	return &feed.Commit{Changes: slices.Clone(n.db.ever[id].changes[from:upto])}, nil
}

// Own implements feed.LogSource.
func (n *Node) Own(ctx context.Context, fn func(context.Context, feed.Log) error) error {
	d := n.db
	for {
		d.mu.Lock()
		free, refused, changed := d.owner == nil, d.refused, d.changed
		if free && refused == nil {
			d.term++
			inner, cancel := context.WithCancelCause(ctx)
			log := &owned{db: d, term: d.term, start: d.acked, at: d.acked, recut: d.recut, cancel: cancel}
			d.owner = log
			d.mu.Unlock()
			return d.run(inner, log, fn)
		}
		d.mu.Unlock()
		if refused != nil {
			return refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *Database) run(ctx context.Context, log *owned, fn func(context.Context, feed.Log) error) error {
	defer log.cancel(nil)
	err := fn(ctx, log)
	d.change(func() {
		if d.owner == log {
			d.owner = nil
		}
	})
	if cause := context.Cause(ctx); errors.Is(cause, feed.ErrLogLost) {
		return cause
	}
	return err
}

// owned is the log for one owner.
type owned struct {
	db     *Database
	term   uint64
	start  feed.Position
	recut  bool
	cancel context.CancelCauseFunc

	// at is the end of what was told, part the next one of what comes then.
	at    feed.Position
	part  int
	reset string
}

// Term implements feed.Log.
func (l *owned) Term() uint64 { return l.term }

// Start implements feed.Log.
func (l *owned) Start() feed.Position { return l.start }

// Quiet implements feed.Log.
func (l *owned) Quiet() bool {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	return l.db.quiet
}

// Next implements feed.Log.
func (l *owned) Next(ctx context.Context) (feed.Part, error) {
	for {
		l.db.mu.Lock()
		p, ok := l.next()
		err, changed := l.db.refused, l.db.changed
		l.db.mu.Unlock()
		if err != nil || ok {
			return p, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return feed.Part{}, context.Cause(ctx)
		}
	}
}

// next is the next part, if there is one; the database's mu is held.
func (l *owned) next() (feed.Part, bool) {
	if l.part == 0 && l.reset != "" && l.db.owner == l {
		p := feed.Part{Position: l.at, Reset: l.reset}
		l.reset = ""
		return p, true
	}
	i := slices.IndexFunc(l.db.entries, func(e *entry) bool { return e.position > l.at })
	if l.db.owner != l || l.db.paused || i < 0 {
		return feed.Part{}, false
	}
	e := l.db.entries[i]
	p := feed.Part{Position: e.position, Transaction: e.transaction, Reset: e.reset}
	if len(e.changes) > 0 {
		p.Data, p.More = l.cut(e)
	}
	if p.More && l.db.within {
		l.db.within, l.db.paused = false, true
	}
	if l.part++; !p.More {
		l.at, l.part = e.position, 0
	}
	return p, true
}

// cut is a part's data, which is the same for every owner unless they recut.
func (l *owned) cut(e *entry) (data []byte, more bool) {
	parts := e.parts
	if l.recut && parts > 1 {
		parts += int(l.term % 3)
	}
	n := len(e.changes)
	data = binary.AppendUvarint(nil, uint64(e.id))
	data = binary.AppendUvarint(data, uint64(n*l.part/parts))
	data = binary.AppendUvarint(data, uint64(n*(l.part+1)/parts))
	noise := rand.New(rand.NewPCG(e.transaction, uint64(l.part))) //nolint:gosec // the same for every owner
	for len(data) < e.size {
		data = binary.BigEndian.AppendUint64(data, noise.Uint64())
	}
	return data, l.part+1 < parts
}

// Ack implements feed.Log.
func (l *owned) Ack(p feed.Position) error {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	if l.db.owner != l {
		return feed.ErrLogLost
	}
	l.db.acked = max(l.db.acked, p)
	return l.db.refused
}
