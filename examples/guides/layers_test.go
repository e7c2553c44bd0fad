package main

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/servers"
)

// TestLayers leaves jobs on each channel layer, and has two workers share them.
func TestLayers(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (broker.Broker, error){
		"memory": func(*testing.T) (broker.Broker, error) { return inMemory() },
		"redis": func(t *testing.T) (broker.Broker, error) {
			servers.Need(t, "redis")
			return onRedis(servers.SharedRedis(t).URL())
		},
	} {
		t.Run(name, func(t *testing.T) {
			layer, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			defer layer.Close()
			const capacity = 1000
			for i := range capacity {
				if err := order(t.Context(), layer, strconv.Itoa(i)); err != nil {
					t.Fatalf("photo %d: %v", i, err)
				}
			}
			refused(t, order(t.Context(), layer, "one more"), "busy")

			ctx, stop := context.WithCancel(t.Context())
			done, ended := make(chan string), make(chan error)
			for range 2 {
				go func() { ended <- work(ctx, layer, func(photo string) { done <- photo }) }()
			}
			seen := map[string]bool{}
			for range capacity {
				seen[<-done] = true
			}
			if len(seen) != capacity {
				t.Errorf("%d photos were looked at, some of them twice", len(seen))
			}
			stop()
			for range 2 {
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("a worker ended with %v", err)
				}
			}
		})
	}
}
