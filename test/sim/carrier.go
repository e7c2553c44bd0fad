package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
)

// The brokers between nodes.
const (
	withNATS  = "nats"
	withRedis = "redis"
)

// carrier is a node's connection to the broker: it carries the log, and what the
// app's parts tell each other.
type carrier struct {
	broker broker.Broker
	stream broker.Stream
}

// openCarrier connects to a broker, where an app's names begin with prefix.
func openCarrier(kind, url, prefix string, log *slog.Logger) (*carrier, error) {
	switch kind {
	case withNATS:
		b, err := natsbroker.New(natsbroker.Config{URL: url, Prefix: prefix, Logger: log})
		if err != nil {
			return nil, err
		}
		return carry(b, b.Stream)
	case withRedis:
		b, err := redisbroker.New(redisbroker.Config{Hosts: []string{url}, Prefix: prefix, Logger: log})
		if err != nil {
			return nil, err
		}
		return carry(b, b.Stream)
	default:
		return nil, fmt.Errorf("no broker is named %q: use nats or redis", kind)
	}
}

func carry[S broker.Stream](b broker.Broker, stream func(name string, cfg broker.StreamConfig) (S, error)) (*carrier, error) {
	s, err := stream("log", broker.StreamConfig{})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &carrier{b, s}, nil
}

// source is a database that is followed by way of the broker.
func (c *carrier) source(db *sql.DB, url string, log *slog.Logger) feed.Source {
	return relay.New(pgfeed.New(db, url, pgfeed.WithLogger(log)), c.stream, relay.WithLogger(log))
}
