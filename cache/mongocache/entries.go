package mongocache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/pando-sync/pando/cache"
)

// document is an entry as it is stored.
type document struct {
	ID      string `bson:"_id"`
	Epoch   string `bson:"epoch"`
	Channel string `bson:"channel"`
	Schema  string `bson:"schema"`
	Anchor  string `bson:"anchor"`
	Env     string `bson:"env"`

	State      string `bson:"state"`
	Generation string `bson:"generation"`
	// Group is what the rows of the generation have in common.
	Group    string        `bson:"group"`
	Holder   string        `bson:"holder"`
	Through  int64         `bson:"through"`
	Rows     int64         `bson:"rows"`
	Since    bson.DateTime `bson:"since"`
	Expires  bson.DateTime `bson:"expires"`
	Revision int64         `bson:"revision"`
}

func (d *document) expired(now bson.DateTime) bool { return d.Expires <= now }

func now() bson.DateTime { return toDate(time.Now()) }

func toDocument(e cache.Entry) document {
	return document{
		ID:    idOf(e.Key),
		Epoch: toStored.Replace(e.Key.Epoch), Channel: toStored.Replace(e.Key.Channel), Schema: toStored.Replace(e.Key.Schema),
		Anchor: toStored.Replace(e.Key.Anchor), Env: toStored.Replace(e.Key.Env),
		State: e.State.String(), Generation: toStored.Replace(e.Generation), Holder: toStored.Replace(e.Holder),
		Through: int64(e.Through), Rows: int64(e.Rows), Since: toDate(e.Since), Expires: toDate(e.Expires), Revision: int64(e.Revision),
	}
}

func (d *document) entry() (cache.Entry, error) {
	e := cache.Entry{
		Key: cache.Key{
			Epoch: fromStored.Replace(d.Epoch), Channel: fromStored.Replace(d.Channel), Schema: fromStored.Replace(d.Schema),
			Anchor: fromStored.Replace(d.Anchor), Env: fromStored.Replace(d.Env),
		},
		Generation: fromStored.Replace(d.Generation), Holder: fromStored.Replace(d.Holder),
		Through: uint64(d.Through), Rows: int(d.Rows), Since: fromDate(d.Since), Expires: fromDate(d.Expires), Revision: uint64(d.Revision),
	}
	for _, state := range []cache.State{cache.Heating, cache.Hot, cache.Cooling} {
		if d.State == state.String() {
			e.State = state
		}
	}
	if e.State == cache.Cold || d.Revision <= 0 {
		return e, fmt.Errorf("entry %s: state %q: %w", d.ID, d.State, errDocument)
	}
	return e, nil
}

// find returns the document of an entry that has not expired, nil when there is
// none.
func (s *Store) find(ctx context.Context, id string) (*document, error) {
	d, err := s.any(ctx, id)
	if d != nil && d.expired(now()) {
		return nil, nil
	}
	return d, err
}

// any returns the document of an entry that may have expired.
func (s *Store) any(ctx context.Context, id string) (*document, error) {
	var d document
	err := s.entries.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key cache.Key) (cache.Entry, error) {
	e := cache.Entry{Key: key}
	err := s.call(ctx, "get entry", func(ctx context.Context) error {
		d, err := s.find(ctx, idOf(key))
		if d != nil {
			e, err = d.entry()
		}
		return err
	})
	if err != nil {
		return cache.Entry{}, err
	}
	return e, nil
}

// Swap implements cache.Store.
func (s *Store) Swap(ctx context.Context, e cache.Entry) (got cache.Entry, err error) {
	err = s.call(ctx, "swap entry", func(ctx context.Context) error {
		switch {
		case e.State == cache.Cold:
			got = cache.Entry{Key: e.Key}
			return s.remove(ctx, e)
		case e.Revision == 0:
			got, err = s.create(ctx, e)
		default:
			got, err = s.replace(ctx, e)
		}
		return err
	})
	if err != nil {
		return cache.Entry{}, err
	}
	return got, nil
}

// revise gives a document a Revision that no other has had.
func (d *document) revise() {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	d.Revision = int64(binary.BigEndian.Uint64(random[:])>>2) + 1
}

// create makes an entry that is not there.
func (s *Store) create(ctx context.Context, e cache.Entry) (cache.Entry, error) {
	d := toDocument(e)
	d.Group = rand.Text()
	d.revise()
	_, err := s.entries.InsertOne(ctx, d)
	if mongo.IsDuplicateKeyError(err) {
		old, failed := s.any(ctx, d.ID)
		switch {
		case failed != nil:
			return e, failed
		case old != nil && !old.expired(now()):
			return e, cache.ErrConflict
		case old != nil:
			if err := s.drop(ctx, old); err != nil && !errors.Is(err, cache.ErrConflict) {
				return e, err
			}
		}
		_, err = s.entries.InsertOne(ctx, d)
	}
	if mongo.IsDuplicateKeyError(err) {
		return e, cache.ErrConflict
	}
	if err != nil {
		return e, err
	}
	return d.entry()
}

// replace changes an entry that has the Revision of e.
func (s *Store) replace(ctx context.Context, e cache.Entry) (cache.Entry, error) {
	d := toDocument(e)
	d.revise()
	// As long as the generation stays its group does.
	same := bson.D{
		{Key: "_id", Value: d.ID},
		{Key: "revision", Value: int64(e.Revision)},
		{Key: "generation", Value: d.Generation},
		{Key: "expires", Value: bson.D{{Key: "$gt", Value: now()}}},
	}
	set := bson.D{
		{Key: "state", Value: d.State},
		{Key: "holder", Value: d.Holder},
		{Key: "through", Value: d.Through},
		{Key: "rows", Value: d.Rows},
		{Key: "since", Value: d.Since},
		{Key: "expires", Value: d.Expires},
		{Key: "revision", Value: d.Revision},
	}
	done, err := s.entries.UpdateOne(ctx, same, bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return e, err
	}
	if done.MatchedCount > 0 {
		return d.entry()
	}
	old, err := s.find(ctx, d.ID)
	if err != nil {
		return e, err
	}
	if old == nil || old.Revision != int64(e.Revision) || old.Generation == d.Generation {
		return e, cache.ErrConflict
	}
	if err := s.discard(ctx, old); err != nil {
		return e, err
	}
	d.Group = rand.Text()
	done, err = s.entries.ReplaceOne(ctx, old.itself(), d)
	switch {
	case err != nil:
		return e, err
	case done.MatchedCount == 0:
		return e, cache.ErrConflict
	}
	s.throw(old.Group)
	return d.entry()
}

// itself selects the entry of a document while it is the same.
func (d *document) itself() bson.D {
	return bson.D{{Key: "_id", Value: d.ID}, {Key: "revision", Value: d.Revision}}
}

// remove removes an entry that has the Revision of e.
func (s *Store) remove(ctx context.Context, e cache.Entry) error {
	old, err := s.find(ctx, idOf(e.Key))
	switch {
	case err != nil:
		return err
	case old == nil && e.Revision == 0:
		return nil
	case old == nil || old.Revision != int64(e.Revision):
		return cache.ErrConflict
	}
	return s.drop(ctx, old)
}

// drop removes an entry with its rows, if it is still the same.
func (s *Store) drop(ctx context.Context, d *document) error {
	if err := s.discard(ctx, d); err != nil {
		return err
	}
	done, err := s.entries.DeleteOne(ctx, d.itself())
	switch {
	case err != nil:
		return err
	case done.DeletedCount == 0:
		return cache.ErrConflict
	}
	s.throw(d.Group)
	return nil
}

// List implements cache.Store.
func (s *Store) List(ctx context.Context, f cache.Filter, fn func(cache.Entry) error) error {
	return s.call(ctx, "list entries", func(ctx context.Context) error {
		filter := bson.D{{Key: "expires", Value: bson.D{{Key: "$gt", Value: now()}}}}
		if f.Channel != "" {
			filter = append(filter, bson.E{Key: "channel", Value: toStored.Replace(f.Channel)})
		}
		if f.Anchor != "" {
			filter = append(filter, bson.E{Key: "anchor", Value: toStored.Replace(f.Anchor)})
		}
		return each(ctx, s.entries, filter, nil, func(raw bson.Raw) error {
			var d document
			if err := bson.Unmarshal(raw, &d); err != nil {
				return fmt.Errorf("entry: %w: %w", errDocument, err)
			}
			e, err := d.entry()
			if err != nil {
				return err
			}
			if err := fn(e); err != nil {
				return heard{err}
			}
			return nil
		})
	})
}

// each calls fn for all documents that a filter selects. What it is given is
// valid until it returns.
func each(ctx context.Context, c *mongo.Collection, filter, fields bson.D, fn func(bson.Raw) error) error {
	opts := options.Find()
	if fields != nil {
		opts.SetProjection(fields)
	}
	cursor, err := c.Find(ctx, filter, opts)
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what it says the server forgets by itself
	for cursor.Next(ctx) {
		if err := fn(cursor.Current); err != nil {
			return err
		}
	}
	return cursor.Err()
}
