package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/servers"
)

// server is a broker's that stops and starts.
type server interface {
	Stop()
	Start(ctx context.Context) error
	Close() error
	URL() string
}

// TestNodeBeforeItsBroker starts a node while its broker is away: who comes waits,
// and is served once the broker is there, without anybody's help.
func TestNodeBeforeItsBroker(t *testing.T) {
	for name, begin := range map[string]func(context.Context) (server, error){
		"nats":  func(ctx context.Context) (server, error) { return servers.NATS(ctx, servers.NATSOptions{}) },
		"redis": func(ctx context.Context) (server, error) { return servers.Redis(ctx, servers.RedisOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			servers.Need(t, "postgres", name)
			s, err := begin(t.Context())
			must(t, err)
			defer s.Close()
			s.Stop()
			c := newCluster(t, s.URL(), "early")
			node := c.begin()
			soon, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			if status := readiness(soon, node.url); status != 0 {
				t.Errorf("without its broker the node answers %d", status)
			}
			cancel()
			must(t, s.Start(t.Context()))
			node.await(http.StatusOK)
			board := follow[Board](t, c.connect(node.url, c.token("ada")), "boards/1")
			_, card := find(new(board.State()), guide)
			must(t, board.Save(t.Context(), "Card", card.ID, fields{"title": "Shown"}))
			eventually(t, board, "the write", func(b Board) bool { return cardOf(&b, "Shown") != nil })
		})
	}
}
