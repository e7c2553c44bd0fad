package main

import (
	"context"
	"sync"
)

// clock counts transactions; clients wait by it, so that what they do falls
// between the same transactions again when a seed is replayed, as far as
// goroutines allow. It is safe for concurrent use.
type clock struct {
	mu    sync.Mutex // guards what follows
	ticks int
	// rush ends all waiting.
	rush bool
	next chan struct{}
}

func newClock() *clock { return &clock{next: make(chan struct{})} }

// tick counts one.
func (c *clock) tick() { c.change(func() { c.ticks++ }) }

// hurry ends all waiting until it is taken back.
func (c *clock) hurry(on bool) { c.change(func() { c.rush = on }) }

func (c *clock) change(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
	close(c.next)
	c.next = make(chan struct{})
}

// wait waits for a number of ticks.
func (c *clock) wait(ctx context.Context, n int) {
	c.mu.Lock()
	until := c.ticks + n
	c.mu.Unlock()
	for {
		c.mu.Lock()
		done, next := c.rush || c.ticks >= until, c.next
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}
