package redisbroker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
)

// Processes talk by groups, and keep what others are to read later in streams.
func ExampleBroker() { //nolint:testableexamples // its server is the operator's
	b, err := redisbroker.New(redisbroker.Config{
		Hosts:  []string{"redis://user:password@redis.example.com:6379/0"},
		Prefix: "shop",
		Config: broker.Config{Capacities: []broker.Capacity{{Pattern: "pando.node.*", Messages: 1000}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	ctx := context.Background()
	mine, err := b.NewChannel(ctx, "worker")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errors.Join(b.GroupAdd(ctx, "news", mine), b.GroupSend(ctx, "news", []byte("hello"))); err != nil {
		fmt.Println(err)
		return
	}
	m, err := b.Receive(ctx, mine)
	fmt.Println(m.Group, string(m.Body), err)

	log, err := b.Stream("log", broker.StreamConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	last, err := log.Append(ctx, 0, []byte("first"), []byte("second"))
	fmt.Println(last, err)
}
