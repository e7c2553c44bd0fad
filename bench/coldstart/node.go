package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/mongocache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/internal/warm"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Card is a row of the third layer.
type Card struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

// Stack is a row of the second layer.
type Stack struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []Card `json:"cards"`
}

// Board is an anchor.
type Board struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Stacks []Stack `json:"stacks"`
}

// world is what nodes share.
type world struct {
	db                 *sql.DB
	url, broker, cache string
}

// node is what a process has: the stages over a source, and a cache.
type node struct {
	pipe   *pipe.Pipe
	source *counted
	reg    *schema.Registry
	tree   *schema.Tree
	cache  *warm.Cache
	// queries counts the reads of declared tables.
	queries *atomic.Int64
	stop    func() error
}

// counted is a source whose queries are counted.
type counted struct {
	*relay.Source

	queries atomic.Int64
}

// Snapshot implements feed.Source.
func (c *counted) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	s, err := c.Source.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &countedSnapshot{s, &c.queries}, nil
}

type countedSnapshot struct {
	feed.Snapshot

	queries *atomic.Int64
}

// Rows implements feed.Snapshot.
func (c *countedSnapshot) Rows(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	c.queries.Add(1)
	return c.Snapshot.Rows(ctx, q, fn)
}

// patience is how long anything here may take, and each call of the cache: FerretDB
// is slow where MongoDB is not, and writes one document at a time.
const (
	patience = 20 * time.Minute
	ofCall   = 30 * time.Second
)

// start starts a node, with a cache or without.
func (w *world) start(ctx context.Context, caches bool) (n *node, err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n = &node{reg: schema.NewRegistry()}
	if n.tree, err = n.reg.Tree(reflect.TypeFor[Board]()); err != nil {
		return nil, err
	}
	b, err := natsbroker.New(natsbroker.Config{URL: w.broker, Logger: logger})
	if err != nil {
		return nil, err
	}
	stream, err := b.Stream("commits", broker.StreamConfig{})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	n.source = &counted{Source: relay.New(pgfeed.New(w.db, w.url, pgfeed.WithLogger(logger)), stream, relay.WithLogger(logger))}
	n.queries = &n.source.queries
	ends := []func() error{n.source.Close, b.Close}
	closeAll := func() (err error) {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
		return err
	}
	if caches {
		store, err := mongocache.New(mongocache.Config{URI: w.cache, Logger: logger})
		if err != nil {
			return nil, errors.Join(err, closeAll())
		}
		ends = append(ends, store.Close)
		n.cache = warm.New(warm.Config{
			Store: cache.Store(store), Registry: n.reg, History: n.source, Logger: logger, Call: ofCall, Wait: ofCall,
			Channels: []warm.Channel{{Name: "BoardChannel", Hash: "1", Tree: n.tree, TTL: time.Hour}},
		})
	}
	if err := n.source.Setup(ctx, n.reg.Tables); err != nil {
		return nil, errors.Join(err, closeAll())
	}
	n.pipe = pipe.New(pipe.Config{Source: n.source, Registry: n.reg, Cache: n.cache, Logger: logger})
	return n, n.run(ctx, closeAll)
}

// run has the node follow its source until it is stopped.
func (n *node) run(ctx context.Context, closeAll func() error) error {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- n.pipe.Run(running) }()
	n.stop = sync.OnceValue(func() error {
		end()
		return errors.Join(<-ended, closeAll())
	})
	select {
	case <-n.pipe.Started():
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), n.stop())
	}
}

var errLost = errors.New("continuity was lost on the way")

// reach waits until the node was told of a position.
func (n *node) reach(ctx context.Context, p feed.Position) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan bool, 1)
	n.pipe.Wait(uint64(p), nil, func(passed bool) { done <- passed })
	select {
	case passed := <-done:
		if !passed {
			return errLost
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silent is a subscriber that reads nothing after the first frames.
type silent struct{}

// Ready implements hub.Subscriber.
func (silent) Ready() {}

func (n *node) open(ctx context.Context, id int) (*pipe.Attachment, error) {
	r := pipe.Request{Subscriber: silent{}}
	r.Key.Tree, r.Key.Anchor = n.tree, schema.IntValue(int64(id))
	return n.pipe.Open(ctx, r)
}

// openAll opens anchors, so many at once. They stay open.
func (n *node) openAll(ctx context.Context, anchors, atOnce int) error {
	failed := make([]error, atOnce)
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= anchors && failed[worker] == nil; i = int(next.Add(1)) {
				_, failed[worker] = n.open(ctx, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// warmUp opens all anchors and waits until the cache has them.
func (p *plan) warmUp(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := n.openAll(ctx, p.anchors, p.clients); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d entries are held: %w", n.cache.Stats().Held, p.anchors, ctx.Err())
		case <-tick.C:
			if s := n.cache.Stats(); s.Held == p.anchors && s.Pending == 0 {
				return nil
			}
		}
	}
}

var errDiffers = errors.New("what is shown is not what the database has")

// compare compares what a node shows with the database.
func (p *plan) compare(ctx context.Context, n *node) error {
	for id := 1; id <= p.compared; id++ {
		a, err := n.open(ctx, id)
		if err != nil {
			return err
		}
		got, err := n.shown(a, schema.IntValue(int64(id)))
		n.pipe.Close(a)
		if err != nil {
			return err
		}
		want, err := snapshot.ReadTree(ctx, n.source, n.tree, schema.IntValue(int64(id)), schema.Value{}, schema.Value{})
		if err != nil {
			return err
		}
		if text := string(want.Store.AppendJSON(nil, n.tree, schema.IntValue(int64(id)))); got != text {
			return fmt.Errorf("board %d: %w:\n%s\n%s", id, errDiffers, got, text)
		}
	}
	return nil
}

// shown is the tree of a subscription's first frames.
func (n *node) shown(a *pipe.Attachment, anchor schema.Value) (string, error) {
	decoder, err := wire.NewDecoder(wire.Types(n.reg), n.tree, "")
	if err != nil {
		return "", err
	}
	store := state.NewStore()
	for _, f := range a.Frames {
		for ; f != nil; f = f.Next {
			var m struct {
				Stream  string          `json:"stream"`
				Payload wire.StateFrame `json:"payload"`
			}
			if err := json.Unmarshal(wire.Payload(f.Bytes), &m); err != nil {
				return "", err
			}
			if m.Stream == "" || m.Stream[0] != '#' {
				continue
			}
			if err := decoder.Apply(&m.Payload, store); err != nil {
				return "", err
			}
		}
	}
	return string(store.AppendJSON(nil, n.tree, anchor)), nil
}
