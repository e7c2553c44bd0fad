package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
)

// proxy stands between a client and a server, and cuts their connections in the
// middle of what the server says. It is safe for concurrent use.
type proxy struct {
	url, target string
	listener    net.Listener
	running     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns []net.Conn
	// left is how many bytes of the server's still pass, below zero for all.
	left int
}

// startProxy stands before the server at url.
func startProxy(ctx context.Context, url string) (*proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &proxy{url: "http://" + listener.Addr().String(), target: strings.TrimPrefix(url, "http://"), listener: listener, left: -1}
	p.running.Go(func() { p.accept(ctx) })
	return p, nil
}

func (p *proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var dialer net.Dialer
		server, err := dialer.DialContext(ctx, "tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.running.Go(func() { p.pass(server, client, func(n int) int { return n }) })
		p.running.Go(func() { p.pass(client, server, p.allow) })
	}
}

// pass copies until either side is gone, or no more is allowed.
func (*proxy) pass(to, from net.Conn, allow func(n int) int) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		m := allow(n)
		if _, failed := to.Write(buffer[:m]); err != nil || failed != nil || m < n {
			return
		}
	}
}

// allow is how many of n bytes pass.
func (p *proxy) allow(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < 0 {
		return n
	}
	n = min(n, p.left)
	p.left -= n
	return n
}

// cut lets so many bytes of the server's pass and no more.
func (p *proxy) cut(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = bytes
}

// close cuts everything.
func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}
