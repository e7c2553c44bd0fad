// Package nats connects to NATS for package backend.
package nats

import (
	"context"
	"fmt"
	"strconv"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
)

// Kind opens URLs like nats://nats.internal:4222, several servers of a cluster
// with commas. The parameter replicas, behind the last, is how many of them keep
// the stream of commits: nats://a:4222,nats://b:4222,nats://c:4222?replicas=3.
func Kind() backend.Kind {
	return backend.Kind{Schemes: []string{"nats", "tls"}, Broker: open}
}

func open(_ context.Context, s backend.Settings) (backend.Broker, error) {
	address, replicas := backend.Parameter(s.Broker, "replicas")
	cfg := natsbroker.Config{Limits: s.Layer(), URL: address, Prefix: s.Namespace, Logger: s.Log}
	if replicas != "" {
		n, err := strconv.Atoi(replicas)
		if err != nil {
			return nil, fmt.Errorf("replicas=%s: want a number", replicas)
		}
		cfg.Replicas = n
	}
	b, err := natsbroker.New(cfg)
	if err != nil {
		return nil, err
	}
	return layer{b}, nil
}

// layer has streams as the port has them.
type layer struct{ *natsbroker.Broker }

func (l layer) Stream(name string, cfg broker.StreamConfig) (broker.Stream, error) {
	return l.Broker.Stream(name, cfg)
}
