package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/cache"
)

// inMemory is the cache of a simulation in one process. It stays when servers
// are restarted.
const inMemory = "memory"

// wipe has the cache forget everything, as it may at any time.
func (s *seed) wipe(ctx context.Context) error {
	s.journal.logf("     wipe cache")
	s.tally.count("wipe cache")
	var all []cache.Entry
	err := s.cache.List(ctx, cache.Filter{}, func(e cache.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the cache: %w", err)
	}
	for _, e := range all {
		e.State = cache.Cold
		if _, err := s.cache.Swap(ctx, e); err != nil && !errors.Is(err, cache.ErrConflict) {
			return fmt.Errorf("wipe the cache: %w", err)
		}
	}
	return nil
}
