package bind

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/schema"
)

// keep is the number of changes that wait to be told, unless the config says
// otherwise.
const keep = 100_000

// OutboundConfig is what an Outbound needs.
type OutboundConfig struct {
	// Models are those whose rows are told.
	Models []*Model
	// Groups find who is told.
	Groups *group.Groups
	Logger *slog.Logger
	// Keep is the number of changes that wait to be told at most (100,000). Past it
	// they are dropped, and all who may be concerned are told of a gap.
	Keep int
}

// Reader opens snapshots beside the feed, as pipe.Pipe does: every commit that the
// Outbound was told before the call is seen by the snapshot, or among before.
type Reader interface {
	Read(ctx context.Context) (snap feed.Snapshot, before []*feed.Commit, err error)
}

// Outbound tells connections of rows that have changed, whoever changed them:
//
//	feed ─► queue ─► net: a row's old and new ─► groups of both ─► Line ─► Member
//
// It is a pipe.Tap. Who is told is decided when a commit is worked on, by the
// groups that the connections are members of then. A change of which the feed does
// not carry what GroupNames needs tells nothing wrong: all lines of the model are
// told of a gap, as they are where GroupNames fails.
//
// # Concurrency
//
// The keys of a model's many-to-many relations are those of the commit that is
// told: see past. They are read, which other models wait for: as long as a read
// takes, or most of patienceOfReads, once for all commits that wait meanwhile.
//
// An Outbound is safe for concurrent use. One goroutine works on commits, so that
// each line is told in their order; the author's functions run there and in the
// loaders of subscriptions, with no lock held. Locks are taken in the order: a
// group's, the Outbound's, a Line's, what a Member has.
type Outbound struct {
	cfg   OutboundConfig
	queue *queue
	loads map[*Model]*loader
	sends sync.WaitGroup // what sends the rows of subscriptions; begun by loads

	mu sync.RWMutex // guards what follows
	// lines are by who is a member of groups and what it shows.
	lines map[place][]*Line
	all   map[*Model]map[*Line]struct{}
	// starts is how often the feed had begun anew before what was told last, passed
	// the place up to which commits were told since.
	starts  int
	passed  feed.Position
	waiters []waiter
	// departures is how often connections have left groups.
	departures uint64
}

// place is where lines are.
type place struct {
	member group.Member
	model  *Model
}

// waiter waits until what comes up to a position was told, which is one of after so
// many starts.
type waiter struct {
	starts   int
	position feed.Position
	done     chan struct{}
}

// reached tells whether that was told. Where all has begun anew since, nobody waits
// for what was before.
func (w *waiter) reached(starts int, passed feed.Position) bool {
	return w.starts < starts || w.starts == starts && w.position <= passed
}

// NewOutbound returns an Outbound, which tells nothing before Run.
func NewOutbound(cfg OutboundConfig) *Outbound {
	if cfg.Keep == 0 {
		cfg.Keep = keep
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	o := &Outbound{
		cfg: cfg, queue: newQueue(cfg.Keep, cfg.Models), loads: map[*Model]*loader{},
		lines: map[place][]*Line{}, all: map[*Model]map[*Line]struct{}{},
	}
	for _, m := range cfg.Models {
		o.loads[m] = &loader{out: o, model: m, wake: make(chan struct{}, 1)}
		o.all[m] = map[*Line]struct{}{}
	}
	return o
}

// Start implements pipe.Tap: what was told is void.
func (o *Outbound) Start(head feed.Position) { o.queue.begin(head) }

// Commit implements pipe.Tap. It copies what it keeps, and never blocks.
func (o *Outbound) Commit(c *feed.Commit) { o.queue.commit(c) }

// Advance implements pipe.Tap.
func (o *Outbound) Advance(p feed.Position) { o.queue.advance(p) }

// Run tells what comes, and begins subscriptions by what reader reads, until ctx
// ends. It is called once.
func (o *Outbound) Run(ctx context.Context, reader Reader) {
	var wg sync.WaitGroup
	defer o.sends.Wait()
	defer wg.Wait()
	for _, l := range o.loads {
		wg.Go(func() { l.run(ctx, reader) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.queue.wake:
		}
		b := &batch{out: o, reader: reader, items: o.queue.take()}
		for len(b.items) > 0 {
			if ctx.Err() != nil {
				return
			}
			o.work(ctx, b)
			b.items = b.items[1:]
		}
	}
}

// work tells what the first item of a batch says.
func (o *Outbound) work(ctx context.Context, b *batch) {
	one := &b.items[0]
	if one.start > 0 {
		o.anew(one.start)
		for _, m := range o.cfg.Models {
			o.gap(m)
		}
	}
	if len(one.lost) > 0 {
		o.cfg.Logger.WarnContext(ctx, "too many changes wait to be told: streams of their bindings are told of a gap", "most", o.cfg.Keep)
		o.gapAll(one.lost)
	}
	if len(one.changes) > 0 {
		o.tellAll(ctx, b)
	}
	o.pass(one.position)
}

// gapAll tells the lines of all models of the tables of a gap.
func (o *Outbound) gapAll(tables map[*schema.Table]bool) {
	for _, m := range o.cfg.Models {
		for t := range tables {
			if m.follows(t) {
				o.gap(m)
				break
			}
		}
	}
}

// gap tells all lines of a model of a gap.
func (o *Outbound) gap(m *Model) {
	for _, l := range o.of(m) {
		l.Gap()
	}
}

// has tells whether a model has lines.
func (o *Outbound) has(m *Model) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.all[m]) > 0
}

// of are the lines of a model.
func (o *Outbound) of(m *Model) []*Line {
	o.mu.RLock()
	defer o.mu.RUnlock()
	lines := make([]*Line, 0, len(o.all[m]))
	for l := range o.all[m] {
		lines = append(lines, l)
	}
	return lines
}

// pass notes that what comes up to a position was told.
func (o *Outbound) pass(p feed.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passed = p
	rest := o.waiters[:0]
	for _, w := range o.waiters {
		if w.reached(o.starts, p) {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	clear(o.waiters[len(rest):])
	o.waiters = rest
}

// errAnew tells that positions of before say nothing any more.
var errAnew = errors.New("the feed has begun anew")

// anew notes that the feed has begun anew, of which nothing was told yet.
func (o *Outbound) anew(starts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starts, o.passed = starts, 0
}

// reach waits until what comes up to a position was told, which is one of after so
// many starts. The feed may have begun anew once more than that when it returns: all
// lines were told of a gap then.
func (o *Outbound) reach(ctx context.Context, p feed.Position, starts int) error {
	o.mu.Lock()
	w := waiter{starts, p, make(chan struct{})}
	switch {
	case o.starts > starts:
		o.mu.Unlock()
		return errAnew
	case w.reached(o.starts, o.passed):
		o.mu.Unlock()
		return nil
	}
	o.waiters = append(o.waiters, w)
	o.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		o.forget(w)
		return ctx.Err()
	}
}

func (o *Outbound) forget(w waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.waiters {
		if o.waiters[i].done == w.done {
			o.waiters = append(o.waiters[:i], o.waiters[i+1:]...)
			return
		}
	}
}

// Open begins to tell a stream of the rows of a model: of those whose groups conn,
// the connection as it was added to the groups, is a member of. It is called when
// the connection is in the groups that it begins with. The line is ended by Close.
func (o *Outbound) Open(m *Model, conn group.Member, member Member) *Line {
	l := &Line{out: o, place: place{conn, m}, member: member}
	o.mu.Lock()
	o.lines[l.place] = append(o.lines[l.place], l)
	o.all[m][l] = struct{}{}
	o.mu.Unlock()
	o.queue.follow(m.Table, 1)
	return l
}

// drop ends what Open has begun.
func (o *Outbound) drop(l *Line) {
	o.queue.follow(l.place.model.Table, -1)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all[l.place.model], l)
	kept := o.lines[l.place][:0:0]
	for _, other := range o.lines[l.place] {
		if other != l {
			kept = append(kept, other)
		}
	}
	if o.lines[l.place] = kept; len(kept) == 0 {
		delete(o.lines, l.place)
	}
}

// Joined tells that a connection has joined a group: its subscriptions begin anew,
// with the rows of the groups that it is in now. It is called after that.
func (o *Outbound) Joined(conn group.Member) { o.each(conn, (*Line).anew) }

// Left is Joined for a connection that has left a group. From its return on it is
// told nothing of the group's rows; where something was on its way to it, it is told
// of a gap.
func (o *Outbound) Left(conn group.Member) {
	o.mu.Lock()
	o.departures++
	departure := o.departures
	o.mu.Unlock()
	o.each(conn, func(l *Line) { l.leave(departure) })
}

// left is the last departure. Who looks for a group's members after the call does not
// find who had left by then.
func (o *Outbound) left() uint64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.departures
}

func (o *Outbound) each(conn group.Member, fn func(*Line)) {
	for _, m := range o.cfg.Models {
		for _, l := range o.linesAt(place{conn, m}) {
			fn(l)
		}
	}
}

func (o *Outbound) linesAt(p place) []*Line {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.lines[p] // replaced whole, never changed
}
