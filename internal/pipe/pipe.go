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
	"strconv"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/hub"
	"github.com/pando-sync/pando/internal/route"
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
	Logger   *slog.Logger
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
	// Lost is called when all sessions have to start anew, since the feed's
	// continuity is lost. It must not block.
	Lost func(reason string)
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
	// encoded are the scopes that keep their encoded state.
	encoded []*Scope
	// opening are the scopes that are being read for the first time, ahead the
	// reads that the feed has not passed yet.
	opening []*Scope
	idle    []*Scope
	ahead   []*route.Read
	waiters []*waiter
	scopes  uint64
	// broken ends the pipe, trouble passes when a read succeeds again.
	broken, trouble error
}

// job is one read to make; life tells for which router.
type job struct {
	life  int
	wants []route.Want
}

// waiter waits until the scopes have said everything up to a version. done is
// called once, with the mutex held.
type waiter struct {
	version uint64
	scopes  []*Scope
	done    func()
}

// New returns a pipe. Run starts it.
func New(cfg Config) *Pipe {
	p := &Pipe{cfg: cfg.withDefaults(), started: make(chan struct{}), reads: make(chan job, 64)}
	p.enc.Misfit = p.misfit
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
	err := p.cfg.Source.Run(ctx, p)
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
	return errors.Join(p.broken, p.trouble)
}

// Start implements feed.Sink: what was known is void.
func (p *Pipe) Start(epoch string, head feed.Position, reason string) {
	p.mu.Lock()
	again := p.router != nil
	p.life++
	p.abandon()
	p.epoch = epoch
	p.router = route.New(p.cfg.Registry, p.cfg.Keep)
	p.router.Advance(uint64(head))
	p.hub = hub.New(p.cfg.LogBytes)
	p.hub.Publish(uint64(head))
	p.mu.Unlock()
	if again {
		p.cfg.Logger.Warn("feed started anew: all scopes are read again", "reason", reason, "epoch", epoch)
		p.cfg.Lost(reason)
		return
	}
	close(p.started)
}

// abandon gives up everything that stands on the present router.
func (p *Pipe) abandon() {
	for _, s := range p.opening {
		s.fail()
	}
	for _, w := range p.waiters {
		w.done()
	}
	p.opening, p.idle, p.encoded, p.ahead, p.waiters = nil, nil, nil, nil, nil
}

// Commit implements feed.Sink.
func (p *Pipe) Commit(c *feed.Commit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.router.Commit(c)
	p.turn()
}

// Advance implements feed.Sink.
func (p *Pipe) Advance(pos feed.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.router.Advance(uint64(pos))
	p.turn()
}

// turn brings what the router has to say into the logs and publishes it. The
// reads that the feed has passed come first: nothing may be said of a commit
// while what it needs is at hand.
func (p *Pipe) turn() {
	p.mergeReads()
	p.router.Flush(p.emit)
	if wants := p.router.Wants(); wants != nil {
		p.ask(wants)
	}
	p.finishOpening()
	p.hub.Publish(p.router.Position())
	p.answerWaiters()
}

func (p *Pipe) emit(rs *route.Scope, patch *state.Patch) {
	s, ok := rs.Owner.(*Scope)
	if !ok {
		panic("pipe: scope without owner")
	}
	f := p.enc.Patch(s.id, patch)
	s.since += len(f.Bytes)
	s.log.Append(f)
}

func (p *Pipe) finishOpening() {
	rest := p.opening[:0]
	for _, s := range p.opening {
		if !p.router.Loaded(s.route) {
			rest = append(rest, s)
			continue
		}
		s.log = p.hub.NewLog(p.router.Position())
		close(s.ready)
	}
	clear(p.opening[len(rest):])
	p.opening = rest
}

// Wait calls done once the scopes have said, in their logs, everything up to
// version; at once when they have. done is called with the pipe's mutex held:
// it must not block or call the pipe. It is also called when continuity is
// lost, since what was waited for will not come.
func (p *Pipe) Wait(version uint64, scopes []*Scope, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait(&waiter{version, scopes, done})
}

func (p *Pipe) wait(w *waiter) {
	if p.router == nil || p.broken != nil || p.passed(w) {
		w.done()
		return
	}
	p.waiters = append(p.waiters, w)
}

func (p *Pipe) passed(w *waiter) bool {
	if p.router.Position() < w.version {
		return false
	}
	for _, s := range w.scopes {
		// One that was given up says nothing more: nobody may wait for it.
		if s.life == p.life && !s.route.Ready() {
			return false
		}
	}
	return true
}

func (p *Pipe) answerWaiters() {
	if len(p.waiters) == 0 {
		return
	}
	rest := p.waiters[:0]
	for _, w := range p.waiters {
		if p.passed(w) {
			w.done()
		} else {
			rest = append(rest, w)
		}
	}
	clear(p.waiters[len(rest):])
	p.waiters = rest
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

func scopeID(n uint64) string { return "#" + strconv.FormatUint(n, 10) }
