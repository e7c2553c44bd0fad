package warm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pando-sync/pando/cache"
)

// errOpen is returned while the store is left alone.
var errOpen = errors.New("the cache is left alone for a while: it has failed too often")

// guard is a store of which every call is short, and that is left alone for a
// while after it has failed several times in a row:
//
//	closed ──failures──► open ──pause──► one call is tried ──► closed, or open for longer
type guard struct {
	store  cache.Store
	limit  time.Duration
	logger *slog.Logger

	mu       sync.Mutex // guards what follows
	failures int
	pause    time.Duration
	until    time.Time
	trying   bool
}

const (
	// failuresBefore is how many calls fail in a row before the store is left alone.
	failuresBefore = 5
	leastPause     = time.Second
	longestPause   = 30 * time.Second
	// bulk is how many times as long a call may take that carries many rows.
	bulk = 5
)

// enter tells whether a call may be made.
func (g *guard) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.pause == 0:
		return nil
	case g.trying || time.Now().Before(g.until):
		return errOpen
	}
	g.trying = true
	return nil
}

// leave notes how a call ended.
func (g *guard) leave(ctx context.Context, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	tried := g.trying
	g.trying = false
	switch {
	case err == nil, errors.Is(err, cache.ErrConflict), errors.Is(err, cache.ErrGone), errors.Is(err, cache.ErrTooLarge), errors.Is(err, errStop):
		if g.pause > 0 {
			g.logger.InfoContext(ctx, "the cache answers again")
		}
		g.failures, g.pause = 0, 0
		return
	case errors.Is(err, context.Canceled):
		return // the caller gave up
	}
	g.failures++
	if g.failures < failuresBefore && !tried {
		return
	}
	if g.pause == 0 {
		g.logger.WarnContext(ctx, "the cache is left alone: scopes are read from the database", "error", err)
	}
	g.pause = min(max(2*g.pause, leastPause), longestPause)
	g.until = time.Now().Add(g.pause)
}

// errStop is returned by functions that end a call of Read or List by
// themselves, with what they have to say.
var errStop = errors.New("stopped")

// call makes one call.
func (g *guard) call(ctx context.Context, limit time.Duration, what string, fn func(context.Context) error) error {
	if err := g.enter(); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := fn(short)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	g.leave(ctx, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (g *guard) get(ctx context.Context, key cache.Key) (e cache.Entry, err error) {
	err = g.call(ctx, g.limit, "get the entry", func(ctx context.Context) (err error) {
		e, err = g.store.Get(ctx, key)
		return err
	})
	return e, err
}

func (g *guard) swap(ctx context.Context, e cache.Entry) (got cache.Entry, err error) {
	err = g.call(ctx, g.limit, "swap the entry for "+e.State.String(), func(ctx context.Context) (err error) {
		got, err = g.store.Swap(ctx, e)
		return err
	})
	return got, err
}

// atOnce is the number of rows that one call writes at most, and of bytes unless
// one row has more.
const (
	atOnce      = 500
	bytesAtOnce = 4 << 20
)

func (g *guard) write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	for len(rows) > 0 {
		n, bytes := 0, 0
		for n < len(rows) && n < atOnce && (n == 0 || bytes < bytesAtOnce) {
			bytes += len(rows[n].Data)
			n++
		}
		err := g.call(ctx, bulk*g.limit, "write rows", func(ctx context.Context) error {
			return g.store.Write(ctx, key, generation, rows[:n])
		})
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (g *guard) read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	return g.call(ctx, bulk*g.limit, "read rows", func(ctx context.Context) error {
		return g.store.Read(ctx, key, generation, fn)
	})
}

func (g *guard) beat(ctx context.Context, n cache.Node) error {
	return g.call(ctx, g.limit, "beat", func(ctx context.Context) error { return g.store.Beat(ctx, n) })
}

func (g *guard) node(ctx context.Context, id string) (n cache.Node, err error) {
	err = g.call(ctx, g.limit, "get the node", func(ctx context.Context) (err error) {
		n, err = g.store.Node(ctx, id)
		return err
	})
	return n, err
}

func (g *guard) list(ctx context.Context, f cache.Filter) (all []cache.Entry, err error) {
	err = g.call(ctx, 4*bulk*g.limit, "list entries", func(ctx context.Context) error {
		all = nil
		return g.store.List(ctx, f, func(e cache.Entry) error {
			all = append(all, e)
			return nil
		})
	})
	return all, err
}
