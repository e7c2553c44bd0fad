package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// cluster is the nodes of a seed and what is between them. It is used by the
// writer's goroutine, and by what that leaves to be done behind.
type cluster struct {
	nodes   []*node
	office  *office
	broker  brokerServer
	read    *sql.DB
	journal *journal

	// down is held by what has the broker away.
	down sync.Mutex
	// behind does what goes on while others write, until the segment ends.
	behind *errgroup.Group
}

// brokerServer is a server of the kind that the seed has.
type brokerServer interface {
	URL() string
	Kill()
	Start(ctx context.Context) error
	Pause()
	Resume()
	Clear() error
	Close() error
}

// nodeEvents are what happens to nodes and their broker, with what it takes
// longest.
var nodeEvents = []string{
	"kill node", "kill node", "kill owner", "kill owner", "pause node", "pause owner", "restart", "restart broker", "pause broker", "wipe broker", "drop slot",
}

// drawNodes draws what happens next to the nodes.
func (s *seed) drawNodes(rng *rand.Rand) event {
	return event{
		Do: nodeEvents[rng.IntN(len(nodeEvents))], Way: rng.IntN(s.script.Nodes), Delay: time.Duration(rng.IntN(1500)) * time.Millisecond,
	}
}

// happen makes an event of the nodes.
func (c *cluster) happen(ctx context.Context, e event) error {
	ctx = context.WithoutCancel(ctx) // what is taken away comes back in any case
	n := c.nodes[e.Way%len(c.nodes)]
	if strings.HasSuffix(e.Do, "owner") {
		n = c.owner(ctx, n)
	}
	switch e.Do {
	case "kill node", "kill owner":
		n.kill()
		c.later(e.Delay, func() error { return n.start(ctx) })
	case "pause node", "pause owner":
		n.pause()
		c.later(e.Delay, func() error { n.resume(); return nil })
	case "restart broker", "wipe broker":
		c.down.Lock()
		c.broker.Kill()
		if e.Do == "wipe broker" {
			if err := c.broker.Clear(); err != nil {
				return err
			}
		}
		c.later(e.Delay, func() error {
			defer c.down.Unlock()
			return c.broker.Start(ctx)
		})
	case "pause broker":
		c.down.Lock()
		c.broker.Pause()
		c.later(e.Delay, func() error {
			defer c.down.Unlock()
			c.broker.Resume()
			return nil
		})
	case "drop slot":
		return c.dropSlot(ctx)
	default:
		return errors.New("sim: no event " + e.Do)
	}
	return nil
}

// later has something done while others go on.
func (c *cluster) later(after time.Duration, do func() error) {
	c.behind.Go(func() error {
		time.Sleep(after)
		return do()
	})
}

// nodeName is a node's in PostgreSQL.
func nodeName(i int) string { return fmt.Sprintf("sim_node_%d", i) }

// owner is the node that reads the log, or another where none is known to.
func (c *cluster) owner(ctx context.Context, other *node) *node {
	var name string
	err := c.read.QueryRowContext(ctx, "SELECT application_name FROM pg_stat_replication WHERE application_name LIKE 'sim_node_%' LIMIT 1").Scan(&name)
	if err == nil {
		for _, n := range c.nodes {
			if nodeName(n.assignment.Index) == name {
				return n
			}
		}
	}
	return other
}

// dropSlot takes the log away from its owner.
func (c *cluster) dropSlot(ctx context.Context) error {
	for _, sql := range []string{
		endSenders,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'pando%' AND NOT active AND database = current_database()",
	} {
		if _, err := c.read.ExecContext(ctx, sql); err != nil {
			c.journal.logf("     %v", err) // somebody has it again
		}
	}
	return nil
}

// rest waits until all nodes and the broker are there.
func (c *cluster) rest() error {
	err := c.behind.Wait()
	c.behind = new(errgroup.Group)
	return err
}

func (c *cluster) close() error {
	errs := []error{c.behind.Wait()}
	for _, n := range c.nodes {
		errs = append(errs, n.close())
	}
	c.office.close()
	return errors.Join(errs...)
}

// host is where clients find an app.
type host interface {
	listen(ctx context.Context) error
	start(ctx context.Context) error
	stop() error
	close() error
	// passed waits until the feed has delivered a position, or some time is over.
	passed(ctx context.Context, head uint64)
	address() string
}

// gather makes the nodes.
func (s *seed) gather(ctx context.Context) (err error) {
	k := s.script
	c := &cluster{read: s.read, journal: s.journal, behind: new(errgroup.Group)}
	if c.broker, err = s.grounds.broker(ctx, k.Broker); err != nil {
		return err
	}
	if c.office, err = openOffice(ctx, s.book, s.journal, s.cache); err != nil {
		return err
	}
	s.cluster = c
	for i := range k.Nodes {
		c.nodes = append(c.nodes, &node{journal: s.journal, patience: s.patience, assignment: assignment{
			Script: s.script.short(), Index: i, Broker: c.broker.URL(), Prefix: nameOf(s.base.url()), Office: c.office.address(),
			Database: s.base.url() + "&application_name=" + nodeName(i),
		}})
	}
	_, source, err := s.server.build(ctx)
	if err != nil {
		return err
	}
	return source.Close()
}
