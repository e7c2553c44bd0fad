package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/perturb"
	"github.com/pando-sync/pando/test/internal/world"
	"github.com/pando-sync/pando/token"
)

// server is an address at which one app after another runs over one database.
type server struct {
	db       *sql.DB
	log      *slog.Logger
	plan     perturb.Plan
	schema   *model.Schema
	logBytes int
	keep     int
	narrow   bool
	linger   time.Duration
	clerk    *clerk
	broker   broker.Broker
	// cache makes what a life of the app has for a cache; nil for none.
	cache func() cache.Store
	// bind is the address to listen at, "" for any.
	bind   string
	source func(db *sql.DB, log *slog.Logger) (feed.Source, error)

	// opened counts what was opened from the cache, in lives that have ended.
	opened uint64
	// trees are the channels' as the first app declares them.
	trees []*schema.Tree
	url   string
	http  *http.Server
	// supervised tells that the process is started again when the app ends.
	supervised bool
	turns      sync.Mutex // held to run an app, and to stop one
	life       atomic.Pointer[life]
}

// narrowBytes is the room on either side of a narrow connection. With less, TCP
// drops what it has no room for, and tries again ever more seldom.
const narrowBytes = 4 << 10

// life is one app from its start to its end.
type life struct {
	app    *pando.App
	source *perturb.Source
	stop   context.CancelFunc
	done   chan error
}

// listen opens the address; it answers 503 until an app runs.
func (s *server) listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", cmp.Or(s.bind, "127.0.0.1:0"))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	if s.narrow {
		s.http.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			if tcp, ok := c.(*net.TCPConn); ok {
				tcp.SetWriteBuffer(narrowBytes)
			}
			return ctx
		}
	}
	go s.http.Serve(listener)
	return nil
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l := s.life.Load(); l != nil {
		l.app.ServeHTTP(w, r)
		return
	}
	http.Error(w, "between two lives", http.StatusServiceUnavailable)
}

func (s *server) address() string { return s.url }

// build makes an app.
func (s *server) build(ctx context.Context) (*pando.App, *perturb.Source, error) {
	inner, err := s.source(s.db, s.log)
	if err != nil {
		return nil, nil, err
	}
	source := perturb.Wrap(inner, s.plan)
	var store cache.Store
	if s.cache != nil {
		store = s.cache()
	}
	app, err := pando.New(pando.Config{
		Source: source, Logger: s.log, LogBytes: s.logBytes, Keep: s.keep, Linger: s.linger, Auth: byName{},
		Broker: s.broker, Cache: store,
	})
	if err != nil {
		return nil, nil, err
	}
	app.Use(s.clerk.around)
	world.Declare(app, s.schema, s.clerk)
	if err := app.Setup(ctx); err != nil {
		return nil, nil, errors.Join(err, source.Close())
	}
	if s.trees == nil {
		m, err := app.Manifest()
		if err != nil {
			return nil, nil, errors.Join(err, source.Close())
		}
		for _, c := range m.Channels[len(m.Channels)-len(s.schema.Channels):] {
			s.trees = append(s.trees, c.Tree)
		}
	}
	return app, source, nil
}

// How often it is tried to make an app, and the pause between.
const (
	starts     = 100
	startPause = 50 * time.Millisecond
)

// start runs an app.
func (s *server) start(ctx context.Context) error {
	s.turns.Lock()
	defer s.turns.Unlock()
	return s.run(ctx)
}

func (s *server) run(ctx context.Context) error {
	app, source, err := s.build(ctx)
	for i := 1; err != nil && i < starts; i++ { // the database may be away
		time.Sleep(startPause)
		app, source, err = s.build(ctx)
	}
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &life{app: app, source: source, stop: stop, done: make(chan error, 1)}
	go func() {
		err := app.Run(ctx)
		l.done <- err
		if ctx.Err() == nil {
			s.log.Error("the app has ended by itself", "error", err)
			s.again(ctx, l)
		}
	}()
	s.life.Store(l)
	return nil
}

// again runs an app in the place of one that has ended by itself, as a supervisor
// does, unless there is one of the process.
func (s *server) again(ctx context.Context, ended *life) {
	if s.supervised {
		return
	}
	s.turns.Lock()
	defer s.turns.Unlock()
	if !s.life.CompareAndSwap(ended, nil) {
		return
	}
	if err := errors.Join(ended.source.Close(), s.run(ctx)); err != nil {
		s.log.Error("the app cannot be run again", "error", err)
	}
}

// stop ends the app as a deployment does.
func (s *server) stop() error {
	s.turns.Lock()
	defer s.turns.Unlock()
	l := s.life.Swap(nil)
	if l == nil {
		return nil
	}
	s.opened += l.app.Stats().CacheHits
	l.stop()
	return errors.Join(<-l.done, l.source.Close())
}

// hits is how often the app that runs has opened a scope from the cache.
func (s *server) hits() uint64 {
	if l := s.life.Load(); l != nil {
		return l.app.Stats().CacheHits
	}
	return 0
}

func (s *server) close() error { return errors.Join(s.stop(), s.http.Close()) }

// passed waits until the feed has delivered a position, or some time is over.
func (s *server) passed(ctx context.Context, head uint64) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if l := s.life.Load(); l != nil {
		l.source.Passed(ctx, feed.Position(head))
	}
}

// byName believes everybody.
type byName struct{}

// Authenticate implements pando.Authenticator: the token is the user's id.
func (byName) Authenticate(_ context.Context, _ *http.Request, name string) (pando.Identity, error) {
	if name == "" {
		return pando.Identity{}, token.ErrNone
	}
	return pando.Identity{ID: name}, nil
}

// errUnavailable is what a server answers that does not follow the database yet.
var errUnavailable = errors.New("the server is unavailable")

// get fetches GET /state of a route from a server.
func get(ctx context.Context, server, route, user string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/state/"+route, nil)
	if err != nil {
		return "", err
	}
	if user != "" {
		req.Header.Set("Authorization", "Token "+user)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", errUnavailable
	case resp.StatusCode == http.StatusNotFound:
		return "null", nil
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("GET /state/%s: %s: %s", route, resp.Status, body)
	}
	return strings.TrimSpace(string(body)), nil
}
