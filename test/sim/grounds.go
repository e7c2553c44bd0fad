package main

import (
	"context"
	"errors"
	"sync"

	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/internal/model"
)

// grounds are where seeds are played: the servers of databases, which are started
// when they are needed, one for each seed that is played at once. A seed may kill
// its server. It is safe for concurrent use.
type grounds struct {
	mu   sync.Mutex // guards what follows
	idle []*servers.PostgresServer
	all  []*servers.PostgresServer
	// brokers are those that nobody uses now, by kind, and all that there are.
	brokers    map[string][]brokerServer
	allBrokers []brokerServer
}

// broker is a broker of its own for a seed.
func (g *grounds) broker(ctx context.Context, kind string) (brokerServer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if idle := g.brokers[kind]; len(idle) > 0 {
		g.brokers[kind] = idle[1:]
		return idle[0], nil
	}
	var one brokerServer
	var err error
	if kind == withRedis {
		one, err = servers.Redis(ctx, servers.RedisOptions{Keep: true})
	} else {
		one, err = servers.NATS(ctx, servers.NATSOptions{})
	}
	if err != nil {
		return nil, err
	}
	g.allBrokers = append(g.allBrokers, one)
	return one, nil
}

func (g *grounds) releaseBroker(kind string, one brokerServer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.brokers == nil {
		g.brokers = map[string][]brokerServer{}
	}
	g.brokers[kind] = append(g.brokers[kind], one)
}

// open opens a database of its own for a seed.
func (g *grounds) open(ctx context.Context, s *model.Schema, h *history, file string) (database, error) {
	if s.Database != model.Postgres {
		return openFile(s, h, file)
	}
	server, err := g.postgres(ctx)
	if err != nil {
		return nil, err
	}
	p, err := openPostgres(ctx, server, s, h)
	if err != nil {
		return nil, err
	}
	p.release = func() { g.release(server) }
	return p, nil
}

func (g *grounds) postgres(ctx context.Context) (*servers.PostgresServer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.idle); n > 0 {
		server := g.idle[n-1]
		g.idle = g.idle[:n-1]
		return server, nil
	}
	server, err := servers.Postgres(ctx, servers.PostgresOptions{Conf: postgresConf})
	if err == nil {
		g.all = append(g.all, server)
	}
	return server, err
}

func (g *grounds) release(server *servers.PostgresServer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = append(g.idle, server)
}

// close ends the servers.
func (g *grounds) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, server := range g.all {
		errs = append(errs, server.Close())
	}
	for _, b := range g.allBrokers {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}
