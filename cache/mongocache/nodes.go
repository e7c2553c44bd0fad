package mongocache

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/pando-sync/pando/cache"
)

// teller is a node as it is stored.
type teller struct {
	ID      string        `bson:"_id"`
	Number  int64         `bson:"number"`
	Through int64         `bson:"through"`
	Expires bson.DateTime `bson:"expires"`
}

// Beat implements cache.Store.
func (s *Store) Beat(ctx context.Context, n cache.Node) error {
	return s.call(ctx, "beat", func(ctx context.Context) error {
		number := int64(n.Number)
		known := bson.D{
			{Key: "_id", Value: toStored.Replace(n.ID)},
			{Key: "number", Value: bson.D{{Key: "$in", Value: bson.A{number - 1, number}}}},
		}
		update := func() (*mongo.UpdateResult, error) {
			return s.nodes.UpdateOne(ctx, known, bson.D{
				{Key: "$max", Value: bson.D{{Key: "through", Value: int64(n.Through)}}},
				{Key: "$set", Value: bson.D{{Key: "expires", Value: toDate(n.Expires)}, {Key: "number", Value: number}}},
			}, options.UpdateOne().SetUpsert(number == 1))
		}
		done, err := update()
		if mongo.IsDuplicateKeyError(err) {
			done, err = update() // it may have been made at the same moment
		}
		switch {
		case mongo.IsDuplicateKeyError(err):
			return cache.ErrConflict // it has told more
		case err == nil && done.MatchedCount == 0 && done.UpsertedCount == 0:
			return cache.ErrConflict
		}
		return err
	})
}

// Node implements cache.Store.
func (s *Store) Node(ctx context.Context, id string) (n cache.Node, err error) {
	err = s.call(ctx, "get node", func(ctx context.Context) error {
		var t teller
		err := s.nodes.FindOne(ctx, bson.D{{Key: "_id", Value: toStored.Replace(id)}}).Decode(&t)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		if err == nil {
			n = cache.Node{ID: id, Number: uint64(t.Number), Through: uint64(t.Through), Expires: fromDate(t.Expires)}
		}
		return err
	})
	return n, err
}
