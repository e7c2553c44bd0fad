package mongocache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/pando-sync/pando/cache"
)

const (
	// rubbishAtOnce is the number of groups that may wait for their rows to be
	// removed.
	rubbishAtOnce = 1000
	// lateness is how long after a group is gone its last rows are removed: all calls
	// that write to it have ended then.
	lateness = 10 * time.Minute
)

// A group goes in these steps, after each of which the process may die:
//
//	noted in gone ──► its entry has another group, or is no more ──► rows removed
//	      │                                                               │
//	      └── the entry has changed: it keeps the group ──► note removed ◄┴─ after a while, and
//	                                                                         late rows with it

// remains is what is noted of a group.
type remains struct {
	Group string        `bson:"_id"`
	Entry string        `bson:"entry"`
	At    bson.DateTime `bson:"at"`
}

// discard notes that the group of an entry is about to go.
func (s *Store) discard(ctx context.Context, d *document) error {
	_, err := s.gone.InsertOne(ctx, remains{Group: d.Group, Entry: d.ID, At: now()})
	if mongo.IsDuplicateKeyError(err) {
		return nil // another one is at it, too
	}
	return err
}

// throw has the rows of a group removed that is gone.
func (s *Store) throw(group string) {
	select {
	case s.rubbish <- group:
	default: // the sweep finds it
	}
}

// sweepAll removes what is not needed until the store is closed.
func (s *Store) sweepAll() {
	next := time.NewTimer(s.pause())
	defer next.Stop()
	for {
		var err error
		select {
		case <-s.life.Done():
			return
		case group := <-s.rubbish:
			err = s.removeRows(s.life, group)
		case <-next.C:
			err = s.sweep(s.life)
			next.Reset(s.pause())
		}
		if err != nil && s.life.Err() == nil {
			s.cfg.Logger.DebugContext(s.life, "cannot sweep the cache; it is tried again", "error", explain(err))
		}
	}
}

// pause is the time between two sweeps, which processes make at times of their
// own.
func (s *Store) pause() time.Duration {
	return s.cfg.Sweep - rand.N(s.cfg.Sweep/2+1) //nolint:gosec // spreads processes, hides nothing
}

func (s *Store) removeRows(ctx context.Context, group string) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	_, err := s.rows.DeleteMany(ctx, bson.D{{Key: "of", Value: group}})
	return err
}

// sweep removes entries that have expired, groups that have gone, and nodes that
// nobody asks for any more.
func (s *Store) sweep(ctx context.Context) error {
	if err := s.index(ctx); err != nil {
		return err
	}
	before := func(field string, t time.Time) bson.D {
		return bson.D{{Key: field, Value: bson.D{{Key: "$lte", Value: toDate(t)}}}}
	}
	at := time.Now()
	var entries []document
	if err := collect(ctx, s.entries, before("expires", at), &entries); err != nil {
		return fmt.Errorf("find expired entries: %w", err)
	}
	for i := range entries {
		if err := s.drop(ctx, &entries[i]); err != nil && !errors.Is(err, cache.ErrConflict) {
			return fmt.Errorf("remove an expired entry: %w", err)
		}
	}
	var gone []remains
	if err := collect(ctx, s.gone, before("at", at.Add(-lateness)), &gone); err != nil {
		return fmt.Errorf("find groups that are gone: %w", err)
	}
	for _, r := range gone {
		if err := s.bury(ctx, r); err != nil {
			return fmt.Errorf("remove a group: %w", err)
		}
	}
	if _, err := s.nodes.DeleteMany(ctx, before("expires", at.Add(-cache.NodeKept))); err != nil {
		return fmt.Errorf("remove nodes: %w", err)
	}
	return nil
}

// bury removes the last rows of a group, and what is noted of it.
func (s *Store) bury(ctx context.Context, r remains) error {
	d, err := s.any(ctx, r.Entry)
	if err != nil {
		return err
	}
	if d == nil || d.Group != r.Group {
		if err := s.removeRows(ctx, r.Group); err != nil {
			return err
		}
	}
	_, err = s.gone.DeleteOne(ctx, bson.D{{Key: "_id", Value: r.Group}})
	return err
}

// mostSwept bounds what one sweep takes up of a kind.
const mostSwept = 10_000

// errEnough ends a search that has found as much as is taken up at once.
var errEnough = errors.New("enough")

// collect reads documents.
func collect[T any](ctx context.Context, c *mongo.Collection, filter bson.D, all *[]T) error {
	err := each(ctx, c, filter, nil, func(raw bson.Raw) error {
		var one T
		if err := bson.Unmarshal(raw, &one); err != nil {
			return fmt.Errorf("%w: %w", errDocument, err)
		}
		if *all = append(*all, one); len(*all) == mostSwept {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
