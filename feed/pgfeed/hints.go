package pgfeed

import (
	"context"
	"database/sql"
)

// Hints implements feed.Hinter.
func (s *Source) Hints(ctx context.Context) ([]string, error) {
	_, err := s.described()
	return nil, err
}

func (s *Source) checkServer(context.Context) error { return nil }

func (s *Source) inspectTriggers(context.Context, asker, *installation) error { return nil }

func (s *Source) removeTriggers(context.Context, *sql.Tx) error { return nil }
