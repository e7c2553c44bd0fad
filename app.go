package pando

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/presence"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/warm"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// Config is what an app is made of. Only Source is required.
type Config struct {
	// Source is the database to follow, such as sqlitefeed.New(db).
	Source feed.Source
	// Auth tells who calls. Without it everybody is anonymous. When it has a
	// method Mount(*http.ServeMux), as token.Store has, its endpoints are served
	// below /api.
	Auth Authenticator
	// Broker carries the events of groups, presence and notices between the nodes
	// of an app: the processes that run it over one database. Without it they stay
	// in this process. A node reads a channel of its own, whose capacity bounds
	// bursts and may be raised by the pattern "pando.node.*". The Broker is the
	// program's to close, after Run.
	Broker broker.Broker
	// Cache keeps what clients are shown where all nodes find it, so that a node
	// that starts, or to which clients come from another one, need not ask the
	// database. See CacheTTL. What it loses, or answers too late, is read from the
	// database. The Store is the program's to close, after Run.
	Cache cache.Store
	// Models tells how the structs of a library such as GORM are stored where their
	// tags alone do not, such as by a naming strategy: pandogorm.Models and
	// pandobun.Models. It may be left out.
	Models schema.Mapper
	// Logger gets warnings and internal errors; slog.Default() unless set.
	Logger *slog.Logger
	// Static is served where nothing else is: the built front end. A path
	// without a file gets index.html, so that pages may have addresses.
	Static fs.FS
	// Origins are the hosts ("app.example.com") besides the server's own whose
	// pages may connect; "*" allows every page. Who is known by a cookie, or by
	// anything else but a token, is served for pages of the server's own host and
	// of those that are listed by name: "*" does not count.
	Origins []string
	// MaxFrame is the size of a client's message in bytes, 64 KiB unless set.
	MaxFrame int64
	// Heartbeat is the longest silence on a connection, 20 s unless set.
	Heartbeat time.Duration
	// LogBytes is what is kept for each scope's clients that lag or come back,
	// 1 MiB unless set; past it they get one patch of all that changed.
	LogBytes int
	// Keep is the number of changed rows that are held in memory for reads in
	// flight, 200,000 unless set. Reads that take longer than the database takes
	// to change as many are made again; a scope of many rows under heavy writing
	// may need more.
	Keep int
	// Linger is how long a scope that nobody shows stays in memory, 30 s unless
	// set.
	Linger time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Auth == nil {
		c.Auth = nobody{}
	}
	if c.MaxFrame == 0 {
		c.MaxFrame = 64 << 10
	}
	return c
}

func (c Config) validate() error {
	if c.Source == nil {
		return errors.New("pando: Config.Source is missing: give a database, such as sqlitefeed.New(db)")
	}
	return nil
}

// App is the declared channels over one database, as an http.Handler:
//
//	/ws       the WebSocket
//	          and those at the paths that App.Mux routes
//	/state/…  the nested state of a route, for GET
//	/api/…    what Config.Auth mounts
//	/healthz  200 while the database is followed
//	/readyz   200 while clients should come: not when it has not been followed for
//	          ten seconds, nor once Drain was called
//	/livez    200
//	/         Config.Static
//
// It can stand under any router and prefix (use http.StripPrefix). It answers
// 503 until Run follows the database.
type App struct {
	cfg      Config
	registry *schema.Registry
	handler  Handler
	mux      *http.ServeMux
	pipe     *pipe.Pipe
	cache    *warm.Cache   // nil for none
	ready    chan struct{} // closed when the database is followed
	ran      atomic.Bool   // Run was called
	draining atomic.Bool
	health   atomic.Pointer[string] // what was last told of it
	setup    sync.Mutex             // one Setup at a time
	prepared bool                   // Setup has succeeded; guarded by setup
	open     openStreams
	runtimes runtimes
	judges   chan struct{} // room for calls of IsVisible
	private  atomic.Uint64 // lists of one stream that were opened
	groups   *group.Groups
	rosters  *presence.Rosters
	multi    multiplexer
	calls    calls
	grace    grace
	members  atomic.Uint64 // streams that were in groups
	wrong    sync.Map      // the consumers that got what they do not understand
	// instances are those that are to be read and told.
	instances chan func(context.Context)
	messages  messages
	// credentials are the columns that Config.Auth's identities depend on.
	credentials []pipe.On

	mu       sync.RWMutex // guards what follows
	channels []*channel
	wrappers []func(Handler) Handler
	faults   []error
	sealed   bool
	sent     []func(Sent)
	server   *session.Server
}

// New returns an app without channels.
func New(cfg Config) (*App, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	a := &App{
		cfg: cfg.withDefaults(), registry: schema.NewRegistry(), ready: make(chan struct{}),
		judges: make(chan struct{}, judgesAtOnce), grace: defaultGrace,
	}
	a.registry.Mapper = cfg.Models
	a.newGroups()
	a.registry.Fault = func(err error) { a.cfg.Logger.Error("computed field failed", "error", err) }
	return a, a.mount()
}

// Handle declares the channel of a route like "boards/{board_id}". A wrong
// declaration is reported by Setup, Run and Manifest, all of them together.
// Handle panics once the app is set up.
func (a *App) Handle(route string, d *Declaration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		panic("pando: Handle " + route + ": the app is set up already")
	}
	c, err := d.compile(a.registry, route)
	if err == nil {
		err = a.clash(c)
	}
	if err != nil {
		a.faults = append(a.faults, fmt.Errorf("pando: %w", err))
		return
	}
	a.channels = append(a.channels, c)
}

// clash finds a channel that could not be told from c.
func (a *App) clash(c *channel) error {
	for _, o := range a.channels {
		if o.pattern.meets(c.pattern) {
			return fmt.Errorf("channel %s: route %q also matches what channel %s's %q does: make a segment differ",
				c.schema.Name, c.schema.Route, o.schema.Name, o.schema.Route)
		}
		if o.schema.Name == c.schema.Name {
			return fmt.Errorf("channel %s: two channels have this name: rename one", c.schema.Name)
		}
	}
	return nil
}

// seal ends declaring and returns its faults.
func (a *App) seal() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) > 0 {
		return errors.Join(a.faults...)
	}
	if a.sealed {
		return nil
	}
	if err := a.watchCredentials(); err != nil {
		return err
	}
	if err := a.declareMessages(); err != nil {
		return err
	}
	if err := a.sealMux(); err != nil {
		return err
	}
	for _, c := range a.channels {
		if err := cmp.Or(c.checkActions(a.cfg), c.finishWrites(a.registry, a.cfg.Source)); err != nil {
			return err
		}
	}
	a.sealed = true
	for _, c := range a.channels {
		c.schema.Hash = c.schema.ComputeHash()
	}
	a.handler = a.handle
	for _, wrap := range slices.Backward(a.wrappers) {
		a.handler = wrap(a.handler)
	}
	a.handler = a.calls.noted(a.handler)
	a.cache = a.newCache()
	cfg := pipe.Config{
		Source: a.cfg.Source, Registry: a.registry, Logger: a.cfg.Logger,
		LogBytes: a.cfg.LogBytes, Keep: a.cfg.Keep, Linger: a.cfg.Linger, Lost: a.lost, Cache: a.cache,
	}
	if a.multi.outbound != nil {
		cfg.Tap = a.multi.outbound
	}
	a.pipe = pipe.New(cfg)
	return nil
}

// Manifest is the declared channels as data.
func (a *App) Manifest() (*schema.Manifest, error) {
	if err := a.seal(); err != nil {
		return nil, err
	}
	m := &schema.Manifest{Registry: a.registry}
	for _, c := range a.channels {
		m.Channels = append(m.Channels, c.schema)
	}
	for _, model := range a.multi.served.Models() {
		m.Bindings = append(m.Bindings, model.Binding())
	}
	return m, nil
}

// Setup checks the declarations and prepares the database to be followed. Run
// does it too; call it alone to migrate.
func (a *App) Setup(ctx context.Context) error {
	if err := a.seal(); err != nil {
		return err
	}
	a.setup.Lock()
	defer a.setup.Unlock()
	if a.prepared {
		return nil
	}
	if err := a.cfg.Source.Setup(ctx, a.registry.Tables); err != nil {
		return fmt.Errorf("pando: set up: %w", err)
	}
	a.prepared = true
	return nil
}

// Run follows the database and serves until ctx ends, which is not an error;
// it returns when all connections are closed, and what runs for them has returned:
// within seconds, and with [ErrUnfinished] where something does not heed its context.
// It may be called once.
func (a *App) Run(ctx context.Context) error {
	if err := a.Setup(ctx); err != nil {
		return err
	}
	if a.ran.Swap(true) {
		return errors.New("pando: Run was called before: an app runs once")
	}
	// Before anybody is served: streams join groups as they are opened.
	leave, err := a.begin(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil // it was stopped before it had begun
	case err != nil:
		return err
	}
	server := a.newServer()
	a.mu.Lock()
	a.server = server
	a.mu.Unlock()
	follow, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	failed := make(chan error, 1)
	var following sync.WaitGroup
	following.Go(func() {
		defer a.calls.end(a.calls.part("Config.Source, and computed fields"))
		failed <- a.pipe.Run(follow)
	})
	err = a.serve(ctx, failed)
	left := a.end(context.WithoutCancel(ctx), server, leave, func(ctx context.Context) bool {
		cancel()
		return within(ctx, following.Wait)
	})
	if err = errors.Join(err, left); err != nil {
		return fmt.Errorf("pando: %w", err)
	}
	if err = <-failed; err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("pando: follow the database: %w", err)
	}
	return nil
}

// begin runs what runs beside the feed. A broker or database that is away for a
// moment is waited for, as it is later.
func (a *App) begin(ctx context.Context) (leave func(context.Context) bool, err error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		leave, err := a.runBeside(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, broker.ErrClosed) {
			return leave, err
		}
		a.cfg.Logger.WarnContext(ctx, "the app cannot begin; trying again", "error", err, "after", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// serve waits until the app has to end: by ctx, or since the database cannot be
// followed, or not by two servers without a broker.
func (a *App) serve(ctx context.Context, failed <-chan error) error {
	started := a.pipe.Started()
	looking, stop := context.WithCancel(ctx)
	alone := make(chan error, 1)
	var looks sync.WaitGroup
	defer func() { stop(); looks.Wait() }()
	for {
		select {
		case <-started:
			started = nil
			looks.Go(func() { alone <- a.standAlone(looking) })
		case err := <-alone:
			if err != nil && ctx.Err() == nil {
				return err
			}
			if err == nil {
				close(a.ready)
			}
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("follow the database: %w", err)
		}
	}
}

// Ready is closed when Run follows the database and clients are served.
func (a *App) Ready() <-chan struct{} { return a.ready }

func (a *App) newServer() *session.Server {
	hashes := map[string]string{}
	for _, c := range a.channels {
		hashes[c.schema.Name] = c.schema.Hash
	}
	return session.New(session.Config{
		App: a, Pipe: a.pipe, Logger: a.cfg.Logger, Types: wire.Types(a.registry), Channels: hashes,
		Origins: a.cfg.Origins, Heartbeat: a.cfg.Heartbeat, MaxFrame: a.cfg.MaxFrame, OnSend: a.observer(),
	})
}

// lost has every client start anew when the feed's continuity is lost.
func (a *App) lost(reason string) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.server != nil {
		go a.server.CloseAll(1001, reason)
	}
	a.messages.look()
}

// Stats are sizes of what a running app holds.
type Stats struct {
	Sessions, Scopes, Rows int
	// CacheHits and CacheMisses count the scopes that were looked for in
	// Config.Cache, CacheHeld is the number of entries that this process writes.
	CacheHits, CacheMisses uint64
	CacheHeld              int
}

// Stats counts connections, live scopes and the rows in memory.
func (a *App) Stats() Stats {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.server == nil {
		return Stats{}
	}
	p := a.pipe.Stats()
	s := Stats{Sessions: a.server.Sessions(), Scopes: p.Scopes, Rows: p.Rows}
	if a.cache != nil {
		c := a.cache.Stats()
		s.CacheHits, s.CacheMisses, s.CacheHeld = c.Opened, c.Missed, c.Held
	}
	return s
}
