package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
)

// errLost is returned while there is no connection, and for what was under way
// when it was lost.
var errLost = errors.New("the connection to NATS is lost, or was never there; it is tried again")

// errSilent is returned when NATS is there, but does not answer a question.
var errSilent = errors.New("NATS does not answer: a cluster may be looking for a leader")

// A server that says nothing is given up after two pings without an answer, that
// is 0.6 to 0.9 seconds.
const (
	pingInterval = 300 * time.Millisecond
	pingsOut     = 2
	// connectTimeout bounds one attempt to connect, writeTimeout how long a server
	// may take nothing, answerTimeout the wait for an answer by who names no time.
	connectTimeout = time.Second
	writeTimeout   = time.Second
	answerTimeout  = 5 * time.Second
	// minRetry and maxRetry bound the pause between attempts.
	minRetry = 20 * time.Millisecond
	maxRetry = time.Second
)

// link is a connection that comes back by itself.
//
//	absent ──first──► alive ◄──back── lost
//	                    └─────down─────┘
type link struct {
	nc     *nats.Conn
	log    *slog.Logger
	names  string // of the servers
	closed chan struct{}
	// ready is closed when what the callbacks use is in place.
	ready chan struct{}
	once  sync.Once
	// slow is called for a subscription whose messages came too fast, down and back
	// when the connection is lost and when it is there again; all in order, never
	// two at once. Where there was none to begin with, first is called before the
	// first back, while all still counts as lost.
	slow  func(*nats.Subscription)
	down  func()
	back  func()
	first func()

	mu    sync.Mutex      // guards what follows
	alive context.Context //nolint:containedctx // ends with the connection that there is, not with a call
	end   context.CancelCauseFunc
}

// connect makes l's connection. Its callbacks must be set. A server that refuses it
// is an error; one that is not there yet is waited for, as one that is lost. What
// comes of that is told once begin is called.
func (l *link) connect(cfg Config) (err error) {
	l.closed, l.ready, l.log = make(chan struct{}), make(chan struct{}), cfg.Logger
	l.renew()
	if l.names, err = hosts(cfg.URL); err != nil {
		return err
	}
	opts := l.options(cfg.Options)
	l.nc, err = nats.Connect(cfg.URL, opts...)
	if away(err) {
		l.log.Warn("NATS is not there yet: trying again", "servers", l.names, "error", err)
		l.lose(errLost)
		l.nc, err = nats.Connect(cfg.URL, append(opts, nats.RetryOnFailedConnect(true), nats.ConnectHandler(l.onFirst))...)
	} else if err == nil {
		if err := l.fits(l.nc); err != nil {
			l.close()
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("natsbroker: connect to %s: %w: start nats-server there, or name another in Config.URL", l.names, err)
	}
	return nil
}

// begin lets the callbacks go.
func (l *link) begin() { l.once.Do(func() { close(l.ready) }) }

func (l *link) options(further []nats.Option) []nats.Option {
	// The last option counts: those of the configuration may not turn off what
	// loss is noticed by.
	return append(append([]nats.Option{nats.Name("pando")}, further...),
		nats.Timeout(connectTimeout),
		// Who writes holds up the pings, too.
		nats.FlusherTimeout(writeTimeout), nats.ReconnectOnFlusherError(),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOut),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.RetryOnFailedConnect(false),
		nats.CustomReconnectDelay(retryPause),
		// What cannot be sent now is refused, and not sent later.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(l.onDown),
		nats.ReconnectHandler(l.onBack),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { l.onError(sub, err) }),
		nats.ClosedHandler(func(*nats.Conn) { close(l.closed) }),
	)
}

// away tells whether an error of connecting is that of a server which is not
// there, or not yet, and not that of one which refuses.
func away(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, io.EOF)
}

// fits refuses a server that does not take the messages of a channel layer.
func (l *link) fits(nc *nats.Conn) error {
	if most := nc.MaxPayload(); most < broker.MaxMessage {
		return fmt.Errorf("natsbroker: %s takes messages of %d bytes: set max_payload to %d at least", l.names, most, broker.MaxMessage)
	}
	return nil
}

// retryPause is the pause before the servers are tried for the nth time. Its half
// is chance, so that not all come at once.
func retryPause(n int) time.Duration {
	pause := min(minRetry<<min(n, 10), maxRetry)
	return pause/2 + rand.N(pause/2) //nolint:gosec // nobody gains by guessing it
}

// hosts are the servers that URLs name, without what may be secret: passwords, and
// tokens, which stand where users do.
func hosts(urls string) (string, error) {
	all := strings.Split(urls, ",")
	for i, one := range all {
		if one = strings.TrimSpace(one); !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil { // which shows the URL
			return "", fmt.Errorf("natsbroker: Config.URL: number %d cannot be read: want a URL like nats://localhost:4222, and %%25 for a %% of a password", i+1)
		}
		all[i] = u.Host
	}
	return strings.Join(all, ","), nil
}

func (l *link) onDown(nc *nats.Conn, err error) {
	if nc.IsClosed() {
		return // nobody is left to be told
	}
	l.lose(errLost)
	l.log.Warn("the connection to NATS is lost: trying again", "error", err)
	l.down()
}

func (l *link) onFirst(nc *nats.Conn) {
	<-l.ready
	l.first()
	l.onBack(nc)
}

func (l *link) onBack(nc *nats.Conn) {
	<-l.ready
	// The server has to know the subscriptions before anybody looks for what was
	// missed. If this fails, the connection is lost again.
	if err := nc.FlushTimeout(answerTimeout); err != nil {
		l.log.Warn("the connection to NATS was lost as soon as it was back", "error", err)
	}
	if nc.IsClosed() {
		return
	}
	l.renew()
	if err := l.fits(nc); err != nil {
		l.lose(err)
		l.log.Error("NATS will not do", "error", err)
		return
	}
	l.log.Info("the connection to NATS is back", "server", nc.ConnectedAddr())
	l.back()
}

func (l *link) onError(sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && sub != nil {
		l.log.Warn("messages of NATS came faster than they were taken: some are lost", "subject", sub.Subject)
		l.slow(sub)
		return
	}
	l.log.Error("NATS refuses what the broker needs: see the package's documentation for what to permit", "error", err)
}

// renew begins the life of a connection.
func (l *link) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive, l.end = context.WithCancelCause(context.Background())
}

// lose ends it.
func (l *link) lose(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(why)
}

// life is that of the connection that is there now, or was last.
func (l *link) life() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alive
}

// during returns a context that ends with ctx, and with the connection that is
// there now or another life: it has the cause of that then, errLost or ErrClosed.
func (l *link) during(ctx context.Context, lives ...context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stops := make([]func() bool, 0, 2)
	for _, life := range append(lives, l.life()) {
		stops = append(stops, context.AfterFunc(life, func() { cancel(context.Cause(life)) }))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}

// confirm waits until the server has all that was sent before.
func (l *link) confirm(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerTimeout)
		defer cancel()
	}
	// NATS does not tell who asks in the moment in which the connection is lost.
	ctx, cancel := l.during(ctx)
	defer cancel()
	if !l.nc.IsConnected() {
		if refused := l.nc.LastError(); refused != nil && !l.nc.IsClosed() {
			return fmt.Errorf("%w: %w", errLost, refused)
		}
		return l.fail(errLost)
	}
	if err := l.nc.FlushWithContext(ctx); err != nil {
		return l.why(ctx, err)
	}
	return nil
}

// publish sends a message and waits until the server has it.
func (l *link) publish(ctx context.Context, subject string, body []byte) error {
	connection := l.nc.Stats().Reconnects
	if err := l.nc.Publish(subject, body); err != nil {
		return l.fail(err)
	}
	if err := l.confirm(ctx); err != nil {
		return err
	}
	if l.nc.Stats().Reconnects != connection {
		return errLost // another connection has answered than the one that was sent to
	}
	return nil
}

// why says what an error means of a call with a context of during.
func (l *link) why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return l.fail(err)
}

// fail says what an error of the connection means.
func (l *link) fail(err error) error {
	switch {
	case l.nc.IsClosed():
		return broker.ErrClosed
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded):
		return errLost // of waiting for an answer, and of sending while it is lost
	}
	return err
}

// close ends the connection and waits until its callbacks are over.
func (l *link) close() {
	l.lose(broker.ErrClosed)
	l.begin()
	l.nc.Close()
	<-l.closed
}
