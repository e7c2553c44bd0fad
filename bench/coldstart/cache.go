package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/pando-sync/pando/cache/mongocache"
	"github.com/pando-sync/pando/test/ferret"
)

// child is the process of the cache's server.
type child struct {
	cmd *exec.Cmd
	in  io.Closer
	uri string
}

// startCache starts the server in a process of its own, so that it takes none of
// this one's memory.
func startCache(ctx context.Context) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, program, "-role", "cache")} //nolint:gosec // this program
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the server of the cache: %w", err), c.stop())
	}
	c.uri = strings.TrimSpace(line)
	return c, nil
}

// stop has the process end, as it does when nobody writes to it any more.
func (c *child) stop() error {
	c.in.Close() // it ends, whatever this says
	return c.cmd.Wait()
}

// serveCache is the process of the cache's server: it prints its address and ends
// with its input.
func serveCache(ctx context.Context) (err error) {
	s, err := ferret.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	store, err := mongocache.New(mongocache.Config{URI: s.URI()})
	if err != nil {
		return err
	}
	if err := errors.Join(store.Check(ctx), store.Close(), s.Tune(ctx, mongocache.DefaultDatabase, "of")); err != nil {
		return err
	}
	fmt.Println(s.URI())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
