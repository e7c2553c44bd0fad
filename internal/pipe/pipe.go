// Package pipe runs the stages for one source: it hands the feed's commits to
// the router, has the wanted layers read, encodes each patch once and appends
// it to the scope's log.
//
// # Concurrency
//
// A Pipe is safe for concurrent use. One mutex guards the router and the
// writing side of the logs; it is never held during I/O. A turn (a commit, a
// read taken in, a scope opened or closed) runs under it from its cause to the
// new watermark, so that outside of turns the router, the logs and the
// watermark stand at the same version.
package pipe

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/hub"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/warm"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// ErrUnavailable is returned while the source cannot be followed or read, and
// by calls that were under way when its continuity was lost. Trying again
// later is right.
var ErrUnavailable = errors.New("pipe: the database is not available now")

// Config is what a pipe needs. Fields without a value get a default.
type Config struct {
	Source   feed.Source
	Registry *schema.Registry
	// Cache has what scopes of other nodes, and of before, hold; nil for none.
	Cache  *warm.Cache
	Logger *slog.Logger
	// LogBytes is what each scope's log keeps for readers that lag or come
	// back (1 MiB); past it they get one conflated patch.
	LogBytes int
	// Keep is the number of changes that are held for reads in flight (200,000);
	// past it the reads are made again.
	Keep int
	// Linger is how long a scope without subscribers stays in memory (30 s), and
	// Lingering how many such scopes do (1,000).
	Linger    time.Duration
	Lingering int
	// StallLimit is how long the feed may stand still before all sessions are told
	// to go elsewhere (10 s).
	StallLimit time.Duration
	// Lost is called when all sessions have to start anew, since the feed's
	// continuity is lost. It must not block.
	Lost func(reason string)
	// Tap is told what the feed tells; nil for none.
	Tap Tap
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.LogBytes == 0 {
		c.LogBytes = 1 << 20
	}
	if c.Keep == 0 {
		c.Keep = 200_000
	}
	if c.Linger == 0 {
		c.Linger = 30 * time.Second
	}
	if c.Lingering == 0 {
		c.Lingering = 1000
	}
	if c.StallLimit == 0 {
		c.StallLimit = 10 * time.Second
	}
	if c.Lost == nil {
		c.Lost = func(string) {}
	}
	return c
}

// Pipe is the running stages of one source.
type Pipe struct {
	cfg     Config
	started chan struct{}
	reads   chan job
	warm    chan warmJob
	wg      sync.WaitGroup

	mu     sync.Mutex
	epoch  string
	life   int // raised when continuity is lost
	router *route.Router
	hub    *hub.Hub
	enc    wire.Encoder
	patch  state.Patch
	// misfits are the fields of which a value could not be sent rightly.
	misfits map[*schema.Field]bool
	// encoded are the parts that keep their encoded state, idle those without
	// users.
	encoded, idle []*part
	// cachedRoots are scopes for which the cache is to be asked.
	cachedRoots map[rootKey]route.Key
	// opening are the scopes that are being read for the first time, ahead the
	// reads that the feed has not passed yet.
	opening []*Scope
	ahead   []*route.Read
	waiters []*waiter
	parts   uint64
	// last is the commit that came last, staging that more parts of it are to come.
	last    *feed.Commit
	staging bool
	// merges tells that the source may put transactions together, as it does unless
	// it names them, and steps are the ways that may have led over several.
	merges  bool
	merger  bool // it does, whatever it names
	steps   route.Steps
	watches watches
	unseen  unseen
	// seen is the last commit that reads are known to see.
	seen atomic.Pointer[feed.Commit]
	// broken ends the pipe, trouble passes when a read succeeds again.
	broken, trouble error
	stalled         stalled
}

// job is one read to make; life tells for which router. One with look only asks
// which commits are seen.
type job struct {
	life  int
	wants []route.Want
	look  bool
}

// New returns a pipe. Run starts it.
func New(cfg Config) *Pipe {
	p := &Pipe{
		cfg: cfg.withDefaults(), started: make(chan struct{}), watches: newWatches(),
		reads: make(chan job, 64), warm: make(chan warmJob, 64),
	}
	p.enc.Misfit = p.misfit
	if m, ok := feed.As[feed.Merger](p.cfg.Source); ok {
		p.merger = m.Merges()
	}
	p.unseen.source, p.unseen.limit = p.cfg.Source, p.cfg.Keep
	return p
}

// readers is the number of reads made at once; wants that come while all are
// busy are put together into the next.
const readers = 4

// Run follows the source until ctx ends or the source fails for good.
func (p *Pipe) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.wg.Wait()
	defer cancel()
	for range readers {
		p.wg.Go(func() { p.read(ctx) })
	}
	p.wg.Go(func() { p.sweep(ctx) })
	kept := p.keep(ctx)
	err := p.cfg.Source.Run(ctx, p)
	// What is in memory is written while it stands.
	cancel()
	<-kept
	p.fail(err)
	return err
}

// misfit logs a value that no client can be told rightly, once for each field:
// the declaration or the data is wrong, and stays so.
func (p *Pipe) misfit(t *schema.Type, f *schema.Field, err error) {
	if p.misfits == nil {
		p.misfits = map[*schema.Field]bool{}
	}
	if !p.misfits[f] {
		p.misfits[f] = true
		p.cfg.Logger.Error("a value cannot be sent as it is declared", "type", t.Name, "error", err)
	}
}

// Started is closed when the source is followed.
func (p *Pipe) Started() <-chan struct{} { return p.started }

// fail makes the pipe answer that the source cannot be followed.
func (p *Pipe) fail(err error) {
	if err == nil {
		err = ErrUnavailable
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
	p.life++
	p.abandon()
}

// Health is nil while the source is followed and its reads succeed.
func (p *Pipe) Health() error {
	select {
	case <-p.started:
	default:
		return ErrUnavailable
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.broken, p.trouble, p.stalled.err())
}

// Start implements feed.Sink: what was known is void.
func (p *Pipe) Start(epoch string, head feed.Position, reason string) {
	p.mu.Lock()
	again := p.router != nil
	p.begin(epoch, uint64(head), !again)
	p.mu.Unlock()
	if again {
		p.cfg.Logger.Warn("feed started anew: all scopes are read again", "reason", reason, "epoch", epoch)
		p.cfg.Lost(reason)
		return
	}
	close(p.started)
}

// begin makes everything anew, at a position of the feed; ask has the watches
// asked. The mutex is held.
func (p *Pipe) begin(epoch string, at uint64, ask bool) {
	p.life++
	p.abandon()
	p.goesOn()
	p.epoch = epoch
	p.unseen.reset()
	if p.cfg.Tap != nil {
		p.cfg.Tap.Start(feed.Position(at))
	}
	p.router = route.New(p.cfg.Registry, p.cfg.Keep)
	p.router.Advance(at)
	p.cachedRoots = map[rootKey]route.Key{}
	if p.cfg.Cache != nil {
		p.cfg.Cache.Start(epoch, at)
	}
	p.hub = hub.New(p.cfg.LogBytes)
	p.hub.Publish(at)
	p.last, p.staging, p.steps, p.merges = nil, false, route.Steps{}, true
	p.watches.holdAll(at, ask)
}

// abandon gives up everything that stands on the present router.
func (p *Pipe) abandon() {
	for _, s := range p.opening {
		s.fail()
	}
	for _, w := range p.waiters {
		w.done(false)
	}
	p.opening, p.idle, p.encoded, p.ahead, p.waiters = nil, nil, nil, nil, nil
}

// Commit implements feed.Sink. The parts of a large commit are taken in one by
// one, so that who opens or leaves between them need not wait for the last.
func (p *Pipe) Commit(c *feed.Commit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goesOn()
	// Whose permission it may change is held before anything of it is said.
	p.watches.touch(c)
	whole := !p.staging
	p.last, p.staging = c, c.More
	if p.unseen.note(c, whole) {
		p.look()
	}
	if p.cfg.Tap != nil {
		p.cfg.Tap.Commit(c)
	}
	if c.More {
		p.router.Stage(c)
	} else {
		if p.merges = c.Transaction == 0 || p.merger; p.merges {
			p.step(uint64(c.Position))
		}
		p.router.Commit(c)
	}
	if p.cfg.Cache != nil {
		p.cfg.Cache.Commit(c)
	}
	if !c.More {
		p.turn()
	}
}

// Advance implements feed.Sink.
func (p *Pipe) Advance(pos feed.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goesOn()
	// Transactions that a source puts together may leave nothing to tell.
	if p.merges {
		p.step(uint64(pos))
	}
	p.router.Advance(uint64(pos))
	if p.cfg.Tap != nil {
		p.cfg.Tap.Advance(pos)
	}
	if p.cfg.Cache != nil {
		p.cfg.Cache.Advance(uint64(pos))
	}
	p.turn()
}

// step notes a way to a version that may have led over others.
func (p *Pipe) step(to uint64) { p.steps.Note(p.router.Position(), to, maxSteps) }

// Stall implements feed.Sink.
func (p *Pipe) Stall(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall(reason)
}

// turn brings what the router has to say into the logs and publishes it. The
// reads that the feed has passed come first: nothing may be said of a commit
// while what it needs is at hand.
func (p *Pipe) turn() {
	p.mergeReads()
	p.enc.Turn()
	p.router.Flush(p.emit)
	if wants := p.router.Wants(); wants != nil {
		p.ask(wants)
	}
	p.spreadAsks()
	p.finishOpening()
	p.hub.Publish(p.router.Position())
	p.answerWaiters()
}

// emit puts a patch into its part's log. A part without a log has never been
// shown: who comes gets its present state.
func (p *Pipe) emit(rs *route.Scope, patch *state.Patch) {
	t := partOf(rs)
	if t.log == nil {
		return
	}
	if p.tooLarge(t, patch) {
		p.encode(t)
		t.log.Append(t.snapshot)
		return
	}
	f := p.enc.Patch(t.id, patch)
	t.since += len(f.Bytes)
	t.log.Append(f)
}

// The bounds of a patch, in rows: past largePatch, or past half of a scope that
// is not small, clients are better off with the state anew, in parts.
const (
	largePatch = 20_000
	smallScope = 2_000
)

// tooLarge tells whether a patch of a part is to be a snapshot instead, which
// is then in p.patch.
func (p *Pipe) tooLarge(t *part, patch *state.Patch) bool {
	n := len(patch.Set) + len(patch.Update) + len(patch.Delete)
	if n <= smallScope/2 {
		return false
	}
	p.router.Snapshot(t.route, &p.patch)
	return n > largePatch || len(p.patch.Set) > smallScope && n > len(p.patch.Set)/2
}

func (p *Pipe) finishOpening() {
	p.opening = slices.DeleteFunc(p.opening, func(s *Scope) bool {
		loaded := p.router.Loaded(s.route)
		if loaded {
			close(s.ready)
			p.uncached(s.route.Key)
			if p.cfg.Cache != nil {
				p.cfg.Cache.Ready(s.route)
			}
		}
		return loaded
	})
}

// Head is an upper bound of everything that was committed before the call.
func (p *Pipe) Head(ctx context.Context) (uint64, error) {
	head, err := p.cfg.Source.Head(ctx)
	return uint64(head), err
}

// Epoch is the history that the pipe's versions belong to, empty before the
// feed has started.
func (p *Pipe) Epoch() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch
}

// Stats are the sizes of what the pipe holds in memory.
func (p *Pipe) Stats() route.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.router == nil {
		return route.Stats{}
	}
	return p.router.Stats()
}

// Position is the version that the logs stand at, 0 before the feed has
// started.
func (p *Pipe) Position() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.router == nil {
		return 0
	}
	return p.router.Position()
}

func scopeID(n uint64) string { return "#" + strconv.FormatUint(n, 10) }
