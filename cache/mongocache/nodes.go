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
	Through int64         `bson:"through"`
	Expires bson.DateTime `bson:"expires"`
}

// Beat implements cache.Store.
func (s *Store) Beat(ctx context.Context, n cache.Node) error {
	return s.call(ctx, "beat", func(ctx context.Context) error {
		update := func() error {
			_, err := s.nodes.UpdateOne(ctx, bson.D{{Key: "_id", Value: toStored.Replace(n.ID)}}, bson.D{
				{Key: "$max", Value: bson.D{{Key: "through", Value: int64(n.Through)}}},
				{Key: "$set", Value: bson.D{{Key: "expires", Value: toDate(n.Expires)}}},
			}, options.UpdateOne().SetUpsert(true))
			return err
		}
		err := update()
		if mongo.IsDuplicateKeyError(err) {
			err = update() // it was made at the same moment
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
			n = cache.Node{ID: id, Through: uint64(t.Through), Expires: fromDate(t.Expires)}
		}
		return err
	})
	return n, err
}
