package relay

import (
	"context"

	"github.com/pando-sync/pando/feed"
)

// snapshot is one of the database, whose positions are of the stream's epoch.
type snapshot struct {
	feed.Snapshot

	epoch string
}

// Epoch implements feed.Snapshot. It differs from that of the feed when the
// database or the stream began another history before it was opened.
func (s *snapshot) Epoch() string { return s.epoch }

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	// Asked before: whoever opens it while another history begins must not take it
	// for one of that.
	_, generation := cutEpoch(s.stand().epoch)
	snap, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshot{snap, snap.Epoch() + "." + generation}, nil
}
