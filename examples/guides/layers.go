package main

import (
	"context"
	"errors"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/broker/redisbroker"
)

// limits are those of a channel layer.
var limits = broker.Config{
	Capacity:   200,
	Capacities: []broker.Capacity{{Pattern: "thumbnail*", Messages: 1000}},
	Expiry:     10 * time.Second,
}

// inMemory is the channel layer of one process.
func inMemory() (broker.Broker, error) { return membroker.New(limits) }

// onRedis is the channel layer of all processes that name the same hosts.
func onRedis(hosts ...string) (broker.Broker, error) {
	return redisbroker.New(redisbroker.Config{Config: limits, Hosts: hosts, Prefix: "shop"})
}

// order leaves a job to whoever has time for it.
func order(ctx context.Context, layer broker.Broker, photo string) error {
	err := layer.Send(ctx, "thumbnails", []byte(photo))
	if errors.Is(err, broker.ErrChannelFull) {
		return pando.Errorf("busy", "there are more photos than we can look at: try again later")
	}
	return err
}

// work does such jobs until its context ends; any number of processes may.
func work(ctx context.Context, layer broker.Broker, do func(photo string)) error {
	for {
		job, err := layer.Receive(ctx, "thumbnails")
		if err != nil {
			return err
		}
		if job.Body != nil { // without one it only tells of a gap
			do(string(job.Body))
		}
	}
}
