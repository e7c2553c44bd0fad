package natsbroker_test

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
)

// Each process of an app has a Broker of the same servers: for its groups, and
// for the stream of commits that one of them writes and all follow.
func ExampleNew() { //nolint:testableexamples // it needs servers; TestCluster runs the like
	b, err := natsbroker.New(natsbroker.Config{
		URL:      "nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222",
		Replicas: 3,
		Options:  []nats.Option{nats.UserCredentials("pando.creds")},
		Limits:   broker.Config{Capacities: []broker.Capacity{{Pattern: "pando.node.*", Messages: 10_000}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	commits, err := b.Stream("commits", broker.StreamConfig{MaxBytes: 1 << 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	last, err := commits.Last(context.Background())
	fmt.Println(last.Number, err)
}
