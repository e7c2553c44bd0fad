package manage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of a client that is slow to send its request's head, and of an
// idle connection.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// grace is how long a stop may take.
type grace struct {
	// drain is for load balancers to notice, while all goes on; requests is for
	// requests that are being answered, total for all but drain.
	drain, requests, total time.Duration
}

// An app bounds its end itself, by 16 seconds where something does not end; the total
// is for one that does not.
var defaultGrace = grace{requests: 5 * time.Second, total: 22 * time.Second}

// server runs an app and the HTTP server before it.
type server struct {
	app     App
	handler http.Handler
	log     *slog.Logger
	grace   grace
}

// serve returns when ctx has ended and all has stopped, which is no error, or
// when one of the two failed. It stops from the outside in:
//
//	serving ──ctx ends──► leaving ──grace.drain──► draining ──requests answered──► stopping ──sessions closed──► done
//	   └──one fails──────────────────────────────────►┘└──grace.requests: cut off──►┘ └──grace.total: given up────►┘
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	appCtx, stopApp := context.WithCancel(context.WithoutCancel(ctx))
	defer stopApp()
	web := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	defer listener.Close()
	running := begin(func() error { return s.app.Run(appCtx) })
	// Until the app is ready connections wait: they would be refused.
	serving := begin(func() error {
		select {
		case <-s.app.Ready():
			return web.Serve(listener)
		case <-appCtx.Done():
			return http.ErrServerClosed
		}
	})
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "drain", s.grace.drain)
		s.leave(serving, running)
	case <-serving.done:
	case <-running.done:
	}
	// What has ended by now was not asked to: that failure explains the rest.
	failure := errors.Join(serving.failed("serve"), running.failed("run app"))

	total, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace.total)
	defer cancel()
	s.drain(total, web)
	stopApp()
	stopped := errors.Join(serving.wait(total, "serve"), running.wait(total, "run app"))
	if failure != nil {
		return failure
	}
	return stopped
}

// drainer is an app that can tell load balancers to send nobody new.
type drainer interface{ Drain() }

// leave goes on serving until load balancers have noticed that they should send
// nobody new, or something fails.
func (s *server) leave(serving, running *task) {
	if app, ok := s.app.(drainer); ok {
		app.Drain()
	}
	if s.grace.drain <= 0 {
		return
	}
	timer := time.NewTimer(s.grace.drain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-serving.done:
	case <-running.done:
	}
}

// drain takes no more requests and waits for those that are being answered.
// Sessions have left the server's hands; the app closes them.
func (s *server) drain(ctx context.Context, web *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, s.grace.requests)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "after", s.grace.requests)
		web.Close() //nolint:errcheck // the listener is closed already
	}
}

// task is a function that runs in a goroutine of its own.
type task struct {
	done chan struct{}
	err  error // set before done is closed
}

func begin(fn func() error) *task {
	t := &task{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.err = fn()
	}()
	return t
}

// failed is the error of a task that has ended before it was asked to.
func (t *task) failed(name string) error {
	select {
	case <-t.done:
		if t.err == nil {
			return fmt.Errorf("%s: ended by itself", name)
		}
		return fmt.Errorf("%s: %w", name, t.err)
	default:
		return nil
	}
}

// wait waits for a task that was asked to end, until ctx ends. It returns the
// task's error unless that only says that it was asked.
func (t *task) wait(ctx context.Context, name string) error {
	select {
	case <-t.done:
		if t.err == nil || errors.Is(t.err, http.ErrServerClosed) || errors.Is(t.err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("%s: %w", name, t.err)
	case <-ctx.Done():
		return fmt.Errorf("%s: did not stop in time", name)
	}
}
