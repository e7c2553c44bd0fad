package warm

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
	"github.com/pando-sync/pando/cache/memcache"
)

// TestGuard leaves a store alone that fails, and tries one call now and then.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, fault := 0, cachetest.Before
		store := cachetest.Faulty(memcache.New(memcache.Config{}), func(string) cachetest.Fault {
			calls++
			return fault
		})
		g := &guard{store: store, limit: time.Second, logger: slog.New(slog.DiscardHandler)}
		get := func() error {
			_, err := g.get(t.Context(), cache.Key{})
			return err
		}
		for range 2 * failuresBefore {
			if get() == nil {
				t.Fatal("a broken store answers")
			}
		}
		if calls != failuresBefore || !errors.Is(get(), errOpen) {
			t.Errorf("%d calls reached a broken store, want %d", calls, failuresBefore)
		}
		<-time.After(leastPause)
		if err := get(); !errors.Is(err, cachetest.ErrFault) || calls != failuresBefore+1 {
			t.Errorf("after a pause: %v, %d calls", err, calls)
		}
		<-time.After(leastPause)
		if err := get(); !errors.Is(err, errOpen) {
			t.Errorf("the second pause is no longer than the first: %v", err)
		}
		<-time.After(leastPause)
		fault = cachetest.None
		for range 3 {
			if err := get(); err != nil {
				t.Errorf("a store that is well again: %v", err)
			}
		}
	})
}

// TestGuardBounds ends calls that take long; who gives up counts for nothing.
func TestGuardBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := cachetest.Faulty(memcache.New(memcache.Config{}), func(string) cachetest.Fault { return cachetest.Stuck })
		g := &guard{store: store, limit: time.Second, logger: slog.New(slog.DiscardHandler)}
		began := time.Now()
		if err := g.beat(t.Context(), cache.Node{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 * failuresBefore {
			if err := g.beat(ctx, cache.Node{}); !errors.Is(err, context.Canceled) {
				t.Fatalf("a call that was given up: %v", err)
			}
		}
	})
}

// TestConflictsAreAnswers of a store that is well.
func TestConflictsAreAnswers(t *testing.T) {
	g := &guard{store: memcache.New(memcache.Config{}), limit: time.Second, logger: slog.New(slog.DiscardHandler)}
	for range 2 * failuresBefore {
		if _, err := g.swap(t.Context(), cache.Entry{State: cache.Hot, Revision: 7}); !errors.Is(err, cache.ErrConflict) {
			t.Fatalf("got %v", err)
		}
		if err := g.write(t.Context(), cache.Key{}, "g", []cache.Row{{}}); !errors.Is(err, cache.ErrGone) {
			t.Fatalf("got %v", err)
		}
	}
}
