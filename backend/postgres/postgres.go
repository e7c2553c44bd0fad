// Package postgres opens PostgreSQL databases for package backend.
package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
)

// maxConns bounds the connections of one node. The rest waits: a server of
// PostgreSQL takes a hundred in all unless it is told otherwise.
const maxConns = 16

// Kind opens URLs like postgres://app:secret@db.internal/board. With a broker the
// nodes follow its stream, and one of them the database; without one each node
// follows the database.
func Kind() backend.Kind {
	return backend.Kind{Schemes: []string{"postgres", "postgresql"}, Database: open, Shares: true}
}

func open(_ context.Context, s backend.Settings, stream broker.Stream) (*backend.Database, error) {
	config, err := pgx.ParseConfig(s.Database)
	if err != nil {
		// What the parser says has the URL without its password, mostly.
		return nil, errors.New("the URL cannot be read: want one like postgres://user:password@host:5432/database")
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	opened := &backend.Database{DB: db, Dialect: backend.PostgreSQL}
	source := pgfeed.New(db, s.Replication, pgfeed.WithLogger(s.Log), pgfeed.WithSchema(s.Namespace))
	if stream == nil {
		opened.Source = source
		return opened, nil
	}
	opened.Source = relay.New(source, stream, relay.WithLogger(s.Log))
	return opened, nil
}
