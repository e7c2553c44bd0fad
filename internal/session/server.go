// Package session owns the sockets: it reads requests, and writes what its
// cursors point at.
//
// # Concurrency
//
// One goroutine a connection reads; requests of one stream are handled in
// order by a goroutine that lives while there are any, concurrent ones by one
// each; a few writers serve all connections and never block: a connection that
// cannot take what is due gets a goroutine of its own until it has.
//
// # Bounds
//
// Requests waiting on a stream and beside it, messages and their bytes, streams of
// a session, notices, bytes of replies and of a frame are bounded; a client past a
// bound gets a coded error or is closed. What streams without a scope are told is
// bounded, too: past it the client is told of a gap. State frames wait in the shared
// logs, not in the session.
//
// # Faces
//
// A session speaks the protocol, or it is plain: then its streams are those of a
// [Place], its client sees their envelopes and nothing else, and the frames of both
// sides go by the same lines.
package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

// App is what the sessions serve.
type App interface {
	token.Authenticator
	// Open asks for a stream. What it returns is closed exactly once.
	Open(ctx context.Context, req OpenRequest) (Stream, error)
	// Credentials are the rows that a user's identity depends on: when one of
	// them changes the identity is looked up again.
	Credentials(user token.Identity) []pipe.On
}

// OpenRequest is a request to open a stream: of a channel or, where Route begins
// with a slash, of a consumer of what is routed there.
type OpenRequest struct {
	Line

	Session, Stream, Route string
	// Consumer is empty for channels.
	Consumer string
	// Previous is the session that this one goes on from, as the client says.
	Previous string
	User     token.Identity
	// Resumed tells that the client holds a tree of an earlier stream.
	Resumed bool
}

// Stream is one open channel, or one consumer's stream.
type Stream interface {
	// Channel is the channel's name, Scope what it shows; who subscribes, and
	// what is held, is the session's to say. A Scope without a tree is none: what
	// such a stream is told comes by its Line.
	Channel() string
	Scope() pipe.Request
	// Watch is in doubt while Permit has to be asked again: whether the stream's
	// user may still see it, an error when not.
	Watch() *pipe.Watch
	Permit(ctx context.Context) error
	// Request carries out an action, a write or a message; version is an upper bound of what
	// it committed, 0 when that is not known. One at a time is asked, but for those
	// of which Concurrent says that they may run beside others.
	Request(ctx context.Context, req *wire.Request) (value json.RawMessage, version uint64, err error)
	Concurrent(req *wire.Request) bool
	// Runtime returns the members of the runtime state that changed since it was
	// last asked, all of them at first, or nil.
	Runtime() map[string]json.RawMessage
	// Close runs once, after the last request. lost tells that the connection has
	// ended, so that the client may come back for the stream.
	Close(ctx context.Context, lost bool)
}

// Gapped is a stream that hears when it has been told of a gap, after Line.Tell has
// returned false: it is told again what comes from then on. Gapped must not block.
type Gapped interface{ Gapped() }

// Config is what a server needs. Fields without a value get a default.
type Config struct {
	App    App
	Pipe   *pipe.Pipe
	Logger *slog.Logger
	// Types and Channels are announced in hello.
	Types    []wire.Type
	Channels map[string]string
	// Origins are the hosts besides the request's own that pages may come from;
	// "*" is every one, but for those who are known by a cookie.
	Origins []string
	// OnSend, unless nil, is told of each message that goes out. It runs in the
	// writers: it must not block, nor keep the message.
	OnSend func(session string, user token.Identity, message []byte)
	// Heartbeat is the longest silence of a server (20 s).
	Heartbeat time.Duration
	// MaxFrame is the size of a client's message in bytes (64 KiB), MaxStreams
	// the number of streams of a session (256).
	MaxFrame   int64
	MaxStreams int
	// ConnectTimeout is how long a session may be nobody's (5 s), OpenTimeout how
	// long opening a stream may take (15 s), WriteTimeout how long a client may
	// read nothing (30 s), LeaveTimeout how long what runs for clients may go on
	// when the server closes, or goes away for a while (5 s).
	ConnectTimeout, OpenTimeout, WriteTimeout, LeaveTimeout time.Duration
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Heartbeat, 20*time.Second)
	def(&c.ConnectTimeout, 5*time.Second)
	def(&c.OpenTimeout, 15*time.Second)
	def(&c.WriteTimeout, 30*time.Second)
	def(&c.LeaveTimeout, 5*time.Second)
	if c.MaxFrame == 0 {
		c.MaxFrame = 64 << 10
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 256
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// wheelSlots spreads the heartbeats over time.
const wheelSlots = 32

// Server accepts sockets and runs their sessions. It is an http.Handler.
type Server struct {
	cfg    Config
	ctx    context.Context //nolint:containedctx // ends every session's work; there is no call whose context could
	cancel context.CancelFunc
	engine engine
	shards []*shard
	next   atomic.Uint64
	pairs  atomic.Pointer[pair]

	// wg counts the goroutines of the server, live those of the sessions.
	wg, live sync.WaitGroup
	slots    [wheelSlots]slot

	mu     sync.Mutex // guards what follows
	closed bool
	away   time.Time // until when new sessions are refused
}

// slot is the sessions that are looked after at one time of the wheel.
type slot struct {
	mu       sync.Mutex
	sessions map[*Session]struct{}
}

// pair is the frames that enclose one commit, shared by all.
type pair struct{ begin, end *wire.Frame }

// New returns a server that is running. Close ends it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults(), engine: goroutines{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for i := range s.slots {
		s.slots[i].sessions = map[*Session]struct{}{}
	}
	for range runtime.GOMAXPROCS(0) {
		w := newShard()
		s.shards = append(s.shards, w)
		s.wg.Go(w.run)
	}
	s.wg.Go(s.turnWheel)
	return s
}

// Sessions is the number of open sessions.
func (s *Server) Sessions() int {
	n := 0
	for i := range s.slots {
		s.slots[i].mu.Lock()
		n += len(s.slots[i].sessions)
		s.slots[i].mu.Unlock()
	}
	return n
}

// CloseAll closes all sessions with a code; new ones are accepted.
func (s *Server) CloseAll(code int, reason string) {
	s.each(func(c *Session) { c.close(code, reason) })
}

// Close closes all sessions with 1001 and waits until their streams are
// closed, or until ctx ends; what is left then is cut. What runs for a client
// may finish first, for LeaveTimeout at most. What goes on though it was cut is
// waited for that long, and then left to itself: Close returns false.
func (s *Server) Close(ctx context.Context, cut time.Duration) bool {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.each((*Session).leave)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.live.Wait()
		// Now, or when what was left has ended.
		s.cancel()
		for _, w := range s.shards {
			w.stop()
		}
		s.wg.Wait()
	}()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
	}
	s.cut()
	last := time.NewTimer(cut)
	defer last.Stop()
	select {
	case <-ended:
		return true
	case <-last.C:
		return false
	}
}

// cut ends all work and breaks all connections.
func (s *Server) cut() {
	s.cancel()
	s.each((*Session).hang)
}

// admit registers a session, unless the server is closing or away.
func (s *Server) admit(c *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || time.Now().Before(s.away) {
		return false
	}
	s.live.Add(1)
	at := &s.slots[c.number%wheelSlots]
	at.mu.Lock()
	at.sessions[c] = struct{}{}
	at.mu.Unlock()
	return true
}

func (s *Server) dismiss(c *Session) {
	at := &s.slots[c.number%wheelSlots]
	at.mu.Lock()
	delete(at.sessions, c)
	at.mu.Unlock()
	s.live.Done()
}

// turnWheel visits every session twice a heartbeat.
func (s *Server) turnWheel() {
	tick := time.NewTicker(max(s.cfg.Heartbeat/2/wheelSlots, time.Millisecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			at := &s.slots[i%wheelSlots]
			at.mu.Lock()
			for c := range at.sessions {
				c.visit()
			}
			at.mu.Unlock()
		}
	}
}

// enclosing returns the begin and end frames of a version.
func (s *Server) enclosing(version uint64) *pair {
	if p := s.pairs.Load(); p != nil && p.begin.Version == version {
		return p
	}
	p := &pair{begin: wire.Mark("begin", version), end: wire.Mark("end", version)}
	s.pairs.Store(p)
	return p
}

// hello is the first frame of a session.
func (s *Server) hello(id string) *wire.Frame {
	return wire.Message(wire.Control, 0, wire.Hello{
		Type: "hello", Protocol: wire.Protocol, Session: id, Epoch: s.cfg.Pipe.Epoch(),
		Heartbeat: s.cfg.Heartbeat.Milliseconds(), Types: s.cfg.Types, Channels: s.cfg.Channels,
	})
}

var _ http.Handler = (*Server)(nil)
