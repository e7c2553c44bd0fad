package bind_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// late is a database in memory that tells of a commit before reads see it, as long
// as the test likes: see show. Nobody may write a row meanwhile that waits to be
// shown, as with one that has locks.
type late struct {
	started chan struct{}

	mu      sync.Mutex // guards what follows
	sink    feed.Sink
	commits []*feed.Commit
	// rows are those of all commits, by table.
	rows map[*schema.Table]map[schema.Value]schema.Row
	// hidden are the transactions that reads do not see.
	hidden map[uint64]bool
	told   int // of commits
	pos    feed.Position
	epoch  int
	refuse error
	reads  int
	// onRead is called by the next query, whose error is what it returns.
	onRead func() error
}

func newLate() *late {
	return &late{started: make(chan struct{}), rows: map[*schema.Table]map[schema.Value]schema.Row{}, hidden: map[uint64]bool{}}
}

// put is a change that leaves a row as it is given.
func put(t *schema.Table, row schema.Row) feed.Change {
	row = t.Complete(slices.Clone(row))
	return feed.Change{Table: t, Key: row[t.Key], New: row}
}

func remove(t *schema.Table, key schema.Value) feed.Change { return feed.Change{Table: t, Key: key} }

// commit commits changes, which reads see unless hide.
func (l *late) commit(hide bool, changes ...feed.Change) *feed.Commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pos += 10
	c := &feed.Commit{Position: l.pos, Transaction: uint64(l.pos), Changes: changes}
	for i := range changes {
		ch := &changes[i]
		rows := l.rows[ch.Table]
		if rows == nil {
			rows = map[schema.Value]schema.Row{}
			l.rows[ch.Table] = rows
		}
		if ch.Old = rows[ch.Key]; ch.New == nil {
			delete(rows, ch.Key)
		} else {
			rows[ch.Key] = ch.New
		}
	}
	l.commits = append(l.commits, c)
	if hide {
		l.hidden[c.Transaction] = true
	}
	return c
}

// show has reads see a commit.
func (l *late) show(transaction uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.hidden, transaction)
}

// deliver tells the next n commits, or all there are, and then how far it has come.
func (l *late) deliver(n int) {
	for ; n != 0; n-- {
		l.mu.Lock()
		if l.told == len(l.commits) {
			pos := l.pos
			l.mu.Unlock()
			l.sink.Advance(pos)
			return
		}
		c := *l.commits[l.told]
		l.told++
		l.mu.Unlock()
		c.Changes = slices.Clone(c.Changes)
		l.sink.Commit(&c)
	}
}

// merge tells the next n commits as one, as a source does that polls.
func (l *late) merge(n int) {
	l.mu.Lock()
	next := l.commits[l.told:][:n]
	l.told += n
	l.mu.Unlock()
	l.sink.Commit(merged(next))
}

// merged is commits as one.
func merged(commits []*feed.Commit) *feed.Commit {
	one := &feed.Commit{}
	for _, c := range commits {
		one.Position = c.Position
		one.Changes = append(one.Changes, c.Changes...)
	}
	return one
}

// restart loses continuity.
func (l *late) restart() {
	l.mu.Lock()
	l.epoch++
	l.told, l.hidden = len(l.commits), map[uint64]bool{}
	epoch, pos := l.name(), l.pos
	l.mu.Unlock()
	l.sink.Start(epoch, pos, "for a test")
}

// row is a row as it is committed.
func (l *late) row(t *schema.Table, key schema.Value) schema.Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows[t][key]
}

// refused has reads fail; nil ends it.
func (l *late) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = err
}

func (l *late) queries() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

func (l *late) name() string { return "late" + string(rune('a'+l.epoch)) }

func (*late) Setup(context.Context, []*schema.Table) error { return nil }
func (*late) Close() error                                 { return nil }

func (l *late) Run(ctx context.Context, sink feed.Sink) error {
	l.mu.Lock()
	l.sink, l.told = sink, len(l.commits)
	epoch, pos := l.name(), l.pos
	l.mu.Unlock()
	sink.Start(epoch, pos, "")
	close(l.started)
	<-ctx.Done()
	return nil
}

func (l *late) Head(context.Context) (feed.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pos, nil
}

func (l *late) Snapshot(context.Context) (feed.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	s := &lateSnapshot{own: l, pos: l.pos, epoch: l.name(), hidden: maps.Clone(l.hidden), rows: map[*schema.Table]map[schema.Value]schema.Row{}}
	for t, rows := range l.rows {
		s.rows[t] = maps.Clone(rows)
	}
	for _, c := range slices.Backward(l.commits) {
		if l.hidden[c.Transaction] {
			s.undo(c)
		}
	}
	return s, nil
}

// lateSnapshot is what reads see at a time.
type lateSnapshot struct {
	own    *late
	pos    feed.Position
	epoch  string
	hidden map[uint64]bool
	rows   map[*schema.Table]map[schema.Value]schema.Row
}

func (s *lateSnapshot) undo(c *feed.Commit) {
	for _, ch := range slices.Backward(c.Changes) {
		if ch.Old == nil {
			delete(s.rows[ch.Table], ch.Key)
		} else {
			s.rows[ch.Table][ch.Key] = ch.Old
		}
	}
}

func (s *lateSnapshot) Epoch() string           { return s.epoch }
func (s *lateSnapshot) Position() feed.Position { return s.pos }
func (*lateSnapshot) Close() error              { return nil }
func (s *lateSnapshot) Saw(c *feed.Commit) bool {
	return c.Position <= s.pos && !s.hidden[c.Transaction]
}

func (s *lateSnapshot) Rows(_ context.Context, q feed.Query, fn func(schema.Row) error) error {
	s.own.mu.Lock()
	s.own.reads++
	onRead := s.own.onRead
	s.own.onRead = nil
	s.own.mu.Unlock()
	if onRead != nil {
		if err := onRead(); err != nil {
			return err
		}
	}
	if q.Limit == 0 {
		q.Limit = math.MaxInt
	}
	first := q.First()
	for _, row := range s.rows[q.Table] {
		if slices.Contains(q.Values, row[q.Column]) && q.Meets(row) {
			first.Add(row)
		}
	}
	for _, row := range first.Rows() {
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}
