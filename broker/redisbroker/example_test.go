package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// Two processes talk by a group: who is in it gets what anybody sends.
func ExampleBroker() {
	server, err := servers.Redis(context.Background(), servers.RedisOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	cfg := redisbroker.Config{Hosts: []string{server.URL()}, Logger: slog.New(slog.DiscardHandler)}
	one, err := redisbroker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer one.Close()
	two, err := redisbroker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer two.Close()

	ctx := context.Background()
	mine, err := one.NewChannel(ctx, "worker")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errors.Join(one.GroupAdd(ctx, "news", mine), two.GroupSend(ctx, "news", []byte("hello"))); err != nil {
		fmt.Println(err)
		return
	}
	m, err := one.Receive(ctx, mine)
	fmt.Println(m.Group, string(m.Body), err)

	// A stream keeps what is appended to it for readers that come later.
	log, err := two.Stream("log", broker.StreamConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	last, err := log.Append(ctx, 0, []byte("first"), []byte("second"))
	fmt.Println(last, err)
	// Output:
	// news hello <nil>
	// 2 <nil>
}
