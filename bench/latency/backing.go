//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers
	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
)

// startBacking starts a PostgreSQL that writes to the disk as it does by
// itself, and the broker, all on one core.
func startBacking(core int, name string) (s settings, stop func(), err error) {
	var stops []func() error
	stop = func() {
		for _, end := range stops {
			err = errors.Join(err, end())
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	ctx := context.Background()
	err = onCore(core, func() error {
		pg, err := servers.Postgres(ctx, servers.PostgresOptions{Conf: map[string]string{"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}})
		if err != nil {
			return err
		}
		stops = append(stops, pg.Close)
		s.db = pg.URL()
		switch name {
		case "nats":
			nats, err := servers.NATS(ctx, servers.NATSOptions{})
			if err != nil {
				return err
			}
			stops = append(stops, nats.Close)
			s.broker = nats.URL()
		case "redis":
			redis, err := servers.Redis(ctx, servers.RedisOptions{})
			if err != nil {
				return err
			}
			stops = append(stops, redis.Close)
			s.broker = redis.URL()
		}
		return nil
	})
	return s, stop, err
}

func (s settings) postgres() bool { return strings.HasPrefix(s.db, "postgres") }

// connect opens the database.
func (s settings) connect() (*sql.DB, error) {
	if s.postgres() {
		return sql.Open("pgx", s.db)
	}
	db, err := sql.Open("sqlite", "file:"+s.db+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// open opens the database and what a server follows it by.
func (s settings) open() (*sql.DB, feed.Source, error) {
	db, err := s.connect()
	if err != nil {
		return nil, nil, err
	}
	if !s.postgres() {
		return db, sqlitefeed.New(db), nil
	}
	source := pgfeed.New(db, s.db)
	stream, err := s.stream()
	if err != nil || stream == nil {
		return db, source, err
	}
	return db, relay.New(source, stream), nil
}

// stream opens the stream of the broker, nil where there is none.
func (s settings) stream() (broker.Stream, error) {
	switch scheme, _, _ := strings.Cut(s.broker, "://"); scheme {
	case "":
		return nil, nil //nolint:nilnil // none is meant
	case "nats":
		b, err := natsbroker.New(natsbroker.Config{URL: s.broker})
		if err != nil {
			return nil, err
		}
		return b.Stream("commits", broker.StreamConfig{})
	case "redis":
		b, err := redisbroker.New(redisbroker.Config{Hosts: []string{s.broker}})
		if err != nil {
			return nil, err
		}
		return b.Stream("commits", broker.StreamConfig{})
	default:
		return nil, fmt.Errorf("no broker is called %q", scheme)
	}
}

// bind gives the parameters of a statement the database's form.
func (s settings) bind(statement string) string {
	if !s.postgres() {
		return statement
	}
	parts := strings.Split(statement, "?")
	var b strings.Builder
	for i, part := range parts[:len(parts)-1] {
		b.WriteString(part + "$" + strconv.Itoa(i+1))
	}
	return b.String() + parts[len(parts)-1]
}
