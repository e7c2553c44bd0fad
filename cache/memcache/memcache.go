// Package memcache is a cache.Store in this process: for tests, and for an app
// of one process whose scopes come and go faster than the database likes to be
// asked. What it holds is gone with the process.
package memcache

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/cache"
)

// Config is what a Store is made of. Fields without a value get a default.
type Config struct {
	// MaxBytes bounds the rows, 256 MiB unless set. When they are more, entries are
	// forgotten: first those that are cooling, then any.
	MaxBytes int
}

// Store is a cache.Store. Its zero value is of no use: see New.
type Store struct {
	limit int

	// revisions is shared with copies, so that none comes twice.
	revisions *atomic.Uint64

	mu      sync.Mutex // guards what follows
	closed  bool
	entries map[cache.Key]*entry
	nodes   map[string]cache.Node
	bytes   int
}

var _ cache.Store = (*Store)(nil)

type entry struct {
	cache.Entry

	rows  map[string]cache.Row
	bytes int
}

// rowBytes is what a row takes beside its ID and Data.
const rowBytes = 128

func sizeOf(r cache.Row) int { return rowBytes + len(r.ID) + len(r.Data) }

// New returns an empty store.
func New(cfg Config) *Store {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	return &Store{limit: cfg.MaxBytes, revisions: new(atomic.Uint64), entries: map[cache.Key]*entry{}, nodes: map[string]cache.Node{}}
}

// lock takes the mutex, unless the store is closed or ctx has ended.
func (s *Store) lock(ctx context.Context, operation string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", operation, cache.ErrClosed)
	}
	return nil
}

// at is the entry of a key that has not expired, or nil. The mutex is held.
func (s *Store) at(key cache.Key) *entry {
	e := s.entries[key]
	if e != nil && !e.Expires.IsZero() && !time.Now().Before(e.Expires) {
		s.remove(e)
		return nil
	}
	return e
}

func (s *Store) remove(e *entry) {
	s.bytes -= e.bytes
	delete(s.entries, e.Key)
}

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key cache.Key) (cache.Entry, error) {
	if err := s.lock(ctx, "get entry"); err != nil {
		return cache.Entry{}, err
	}
	defer s.mu.Unlock()
	if e := s.at(key); e != nil {
		return e.Entry, nil
	}
	return cache.Entry{Key: key}, nil
}

// Swap implements cache.Store.
func (s *Store) Swap(ctx context.Context, e cache.Entry) (cache.Entry, error) {
	if err := s.lock(ctx, "swap entry"); err != nil {
		return cache.Entry{}, err
	}
	defer s.mu.Unlock()
	old := s.at(e.Key)
	switch {
	case old == nil && e.Revision != 0, old != nil && e.Revision != old.Revision:
		return cache.Entry{}, cache.ErrConflict
	case e.State == cache.Cold:
		if old != nil {
			s.remove(old)
		}
		return cache.Entry{Key: e.Key}, nil
	}
	e.Revision = s.revisions.Add(1)
	e.Since, e.Expires = e.Since.Truncate(time.Millisecond), e.Expires.Truncate(time.Millisecond)
	if old == nil {
		old = &entry{rows: map[string]cache.Row{}}
		s.entries[e.Key] = old
	} else if old.Generation != e.Generation {
		s.bytes -= old.bytes
		old.rows, old.bytes = map[string]cache.Row{}, 0
	}
	old.Entry = e
	return e, nil
}

// Write implements cache.Store.
func (s *Store) Write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	if err := s.lock(ctx, "write rows"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	e := s.at(key)
	if e == nil || e.Generation != generation {
		return cache.ErrGone
	}
	for _, r := range rows {
		if len(r.ID) > cache.MaxID || len(r.Data) > cache.MaxData {
			return fmt.Errorf("write rows: %d bytes: %w", len(r.Data), cache.ErrTooLarge)
		}
		old, known := e.rows[r.ID]
		if known && old.Version >= r.Version {
			continue
		}
		grown := sizeOf(r)
		if known {
			grown -= sizeOf(old)
		}
		if r.Since == 0 {
			r.Since = old.Since
		}
		r.Data = slices.Clone(r.Data)
		e.rows[r.ID] = r
		e.bytes += grown
		s.bytes += grown
	}
	s.evict()
	if s.entries[key] != e {
		return cache.ErrGone
	}
	return nil
}

// evict forgets entries until the rest fits.
func (s *Store) evict() {
	for _, cooling := range []bool{true, false} {
		for _, e := range s.entries {
			if s.bytes <= s.limit {
				return
			}
			if (e.State == cache.Cooling) == cooling {
				s.remove(e)
			}
		}
	}
}

// Read implements cache.Store.
func (s *Store) Read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	if err := s.lock(ctx, "read rows"); err != nil {
		return err
	}
	e := s.at(key)
	if e == nil || e.Generation != generation {
		s.mu.Unlock()
		return cache.ErrGone
	}
	rows := slices.Collect(maps.Values(e.rows))
	s.mu.Unlock()
	for _, r := range rows {
		r.Data = slices.Clone(r.Data)
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// Beat implements cache.Store.
func (s *Store) Beat(ctx context.Context, n cache.Node) error {
	if err := s.lock(ctx, "beat"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	maps.DeleteFunc(s.nodes, func(_ string, o cache.Node) bool { return time.Since(o.Expires) > cache.NodeKept })
	old := s.nodes[n.ID]
	if n.Number != old.Number && n.Number != old.Number+1 {
		return cache.ErrConflict
	}
	n.Through = max(n.Through, old.Through)
	n.Expires = n.Expires.Truncate(time.Millisecond)
	s.nodes[n.ID] = n
	return nil
}

// Node implements cache.Store.
func (s *Store) Node(ctx context.Context, id string) (cache.Node, error) {
	if err := s.lock(ctx, "get node"); err != nil {
		return cache.Node{}, err
	}
	defer s.mu.Unlock()
	return s.nodes[id], nil
}

// List implements cache.Store.
func (s *Store) List(ctx context.Context, f cache.Filter, fn func(cache.Entry) error) error {
	if err := s.lock(ctx, "list entries"); err != nil {
		return err
	}
	var all []cache.Entry
	for _, key := range slices.Collect(maps.Keys(s.entries)) {
		if e := s.at(key); e != nil && f.Selects(key) {
			all = append(all, e.Entry)
		}
	}
	s.mu.Unlock()
	for _, e := range all {
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

// Wipe forgets everything, as a server that is set up anew has.
func (s *Store) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.entries)
	clear(s.nodes)
	s.bytes = 0
}

// Copy returns a store of its own that has what this one has now.
func (s *Store) Copy() *Store {
	c := &Store{limit: s.limit, revisions: s.revisions}
	c.Restore(s)
	return c
}

// Restore has the store go back to a copy of it, as a server does that is restored
// from a backup.
func (s *Store) Restore(from *Store) {
	from.mu.Lock()
	entries, nodes, bytes := map[cache.Key]*entry{}, maps.Clone(from.nodes), from.bytes
	for key, e := range from.entries {
		one := *e
		one.rows = maps.Clone(e.rows) // their Data is never written to
		entries[key] = &one
	}
	from.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.nodes, s.bytes = entries, nodes, bytes
}

// Close implements cache.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.entries)
	clear(s.nodes)
	return nil
}
