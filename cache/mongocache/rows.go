package mongocache

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/pando-sync/pando/cache"
)

const (
	// atOnce is the number of rows that one command writes.
	atOnce = 50
	// maxDocument is what MongoDB takes, overhead what a row's document has beside
	// its Data.
	maxDocument = 16 << 20
	overhead    = 4 << 10
)

// MaxData is the size in bytes of the largest Data that a row may have here.
const MaxData = maxDocument - overhead

// duplicate is what the server answers to an _id that is there.
const duplicate = 11000

// groupOf returns the group of a generation.
func (s *Store) groupOf(ctx context.Context, key cache.Key, generation string) (string, error) {
	d, err := s.find(ctx, idOf(key))
	switch {
	case err != nil:
		return "", err
	case d == nil || d.Generation != toStored.Replace(generation):
		return "", cache.ErrGone
	}
	return d.Group, nil
}

// Write implements cache.Store.
func (s *Store) Write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	for i := range rows {
		if len(rows[i].ID) > cache.MaxID || len(rows[i].Data) > MaxData {
			return fmt.Errorf("write rows: %d bytes, of at most %d: %w", len(rows[i].Data), MaxData, cache.ErrTooLarge)
		}
	}
	return s.call(ctx, "write rows", func(ctx context.Context) error {
		group, err := s.groupOf(ctx, key, generation)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(rows, atOnce) {
			if err := s.put(ctx, group, some); err != nil {
				return err
			}
		}
		return nil
	})
}

// put writes a few rows. Those that are new are inserted; of the others the
// smaller versions are changed. A row of a group stays until the group goes, so
// that what was there is there to be changed.
func (s *Store) put(ctx context.Context, group string, rows []cache.Row) error {
	all := make([]any, len(rows))
	for i, r := range rows {
		all[i] = bson.D{
			{Key: "_id", Value: rowIDOf(group, r.ID)},
			{Key: "of", Value: group},
			{Key: "version", Value: int64(r.Version)},
			{Key: "since", Value: int64(r.Since)},
			{Key: "data", Value: bytesOf(r.Data)},
		}
	}
	_, err := s.rows.InsertMany(ctx, all, options.InsertMany().SetOrdered(false))
	if err == nil {
		return nil
	}
	var some mongo.BulkWriteException
	if !errors.As(err, &some) || some.WriteConcernError != nil {
		return err
	}
	var changes []mongo.WriteModel
	for _, failed := range some.WriteErrors {
		if failed.Code != duplicate || failed.Index >= len(rows) {
			return err
		}
		changes = append(changes, change(group, rows[failed.Index]))
	}
	_, err = s.rows.BulkWrite(ctx, changes)
	return err
}

// bytesOf is what is stored of Data that may be nil.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// change changes a row that is there, if its version is smaller.
func change(group string, r cache.Row) mongo.WriteModel {
	set := bson.D{{Key: "version", Value: int64(r.Version)}, {Key: "data", Value: bytesOf(r.Data)}}
	if r.Since != 0 {
		set = append(set, bson.E{Key: "since", Value: int64(r.Since)})
	}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{
			{Key: "_id", Value: rowIDOf(group, r.ID)},
			{Key: "version", Value: bson.D{{Key: "$lt", Value: int64(r.Version)}}},
		}).
		SetUpdate(bson.D{{Key: "$set", Value: set}})
}

// Read implements cache.Store.
func (s *Store) Read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	return s.call(ctx, "read rows", func(ctx context.Context) error {
		group, err := s.groupOf(ctx, key, generation)
		if err != nil {
			return err
		}
		return each(ctx, s.rows, bson.D{{Key: "of", Value: group}}, nil, func(raw bson.Raw) error {
			r, err := rowOf(group, raw)
			if err != nil {
				return err
			}
			if err := fn(r); err != nil {
				return heard{err}
			}
			return nil
		})
	})
}

// rowOf reads a row's document.
func rowOf(group string, raw bson.Raw) (r cache.Row, err error) {
	name, isText := raw.Lookup("_id").StringValueOK()
	encoded, ofGroup := strings.CutPrefix(name, group+"/")
	id, failed := base64.RawURLEncoding.DecodeString(encoded)
	version, hasVersion := raw.Lookup("version").AsInt64OK()
	since, hasSince := raw.Lookup("since").AsInt64OK()
	_, data, hasData := raw.Lookup("data").BinaryOK()
	if !isText || !ofGroup || failed != nil || !hasVersion || !hasSince || !hasData {
		return r, fmt.Errorf("row %q: %w", name, errDocument)
	}
	return cache.Row{ID: string(id), Version: uint64(version), Since: uint64(since), Data: slices.Clone(data)}, nil
}
