//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Clients is the process with the clients. They share a core, so that what one
// does with a frame delays the next: a client decodes no more of it than the
// number and the time of the commit.
type Clients struct{ all []*client }

type client struct {
	conn   net.Conn
	in     *bufio.Reader
	header [ws.MaxHeaderSize]byte

	mu     sync.Mutex // guards what follows
	got    []arrival
	failed error
}

// arrival is a commit's number and the nanoseconds that it took.
type arrival struct{ n, took int64 }

// OpenArgs are Count clients of an app.
type OpenArgs struct {
	Addr  string
	Count int
}

// Open connects clients, and returns once all of them show the board.
func (c *Clients) Open(args OpenArgs, _ *struct{}) error {
	for i := range args.Count {
		one, err := dial(args.Addr)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		c.all = append(c.all, one)
		go one.follow()
	}
	return nil
}

// dial connects a client, and returns once it shows the board.
func dial(addr string) (*client, error) {
	c, err := connect(addr, 1)
	for err == nil {
		var frame []byte
		if frame, err = c.read(nil); err != nil || bytes.Contains(frame, []byte(`"snapshot":"only"`)) {
			return c, err
		}
		if bytes.Contains(frame, []byte(`"type":"error"`)) {
			err = fmt.Errorf("the server answers %s", frame)
		}
	}
	return nil, err
}

// connect connects a client, and asks for a board.
func connect(addr string, board int) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, buffered, _, err := ws.Dial(ctx, "ws://"+addr+"/ws")
	if err != nil {
		return nil, err
	}
	if buffered == nil {
		buffered = bufio.NewReaderSize(conn, 1<<10)
	}
	c := &client{conn: conn, in: buffered}
	err = wsutil.WriteClientText(conn, fmt.Appendf(nil, `[{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}},`+
		`{"stream":"s","id":2,"payload":{"type":"open","route":"boards/%d"}}]`, board))
	return c, err
}

// read reads one frame's payload into buf.
func (c *client) read(buf []byte) ([]byte, error) {
	h, err := ws.ReadHeaderBuffer(c.in, c.header[:])
	if err != nil {
		return nil, err
	}
	if int64(cap(buf)) < h.Length {
		buf = make([]byte, h.Length)
	}
	buf = buf[:h.Length]
	_, err = io.ReadFull(c.in, buf)
	return buf, err
}

// follow notes when each commit arrives.
func (c *client) follow() {
	buf := make([]byte, 256)
	for {
		frame, err := c.read(buf)
		at := now()
		c.mu.Lock()
		if err == nil {
			c.got, err = note(c.got, frame, at)
		}
		c.failed = err
		c.mu.Unlock()
		if err != nil {
			return
		}
		buf = frame[:cap(frame)]
	}
}

// note appends what a frame tells of commits: several, when they were merged.
// Its rows are [type, "key", index, n, index, sent].
func note(got []arrival, frame []byte, at int64) ([]arrival, error) {
	_, rest, ok := bytes.Cut(frame, []byte(`"upd":[`))
	if !ok {
		return got, nil // a heartbeat
	}
	for ; ok && len(rest) > 0 && rest[0] != ']'; _, rest, ok = bytes.Cut(rest, []byte("]")) {
		row, _, _ := bytes.Cut(rest, []byte("]"))
		var n, sent int64
		for i := range 6 {
			var part []byte
			part, row, _ = bytes.Cut(row, []byte(","))
			if i == 0 && len(part) == 0 { // the comma between rows
				part, row, _ = bytes.Cut(row, []byte(","))
			}
			switch i {
			case 3:
				n = digits(part)
			case 5:
				sent = digits(part)
			}
		}
		if n <= 0 || sent <= 0 {
			return got, fmt.Errorf("a frame of other fields: %s", frame)
		}
		got = append(got, arrival{n, at - sent})
	}
	return got, nil
}

// digits reads a decimal number, and gives -1 for anything else.
func digits(text []byte) int64 {
	var n int64
	for _, c := range text {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

// patience is how long commits may be on their way once all are made.
const patience = 10 * time.Second

// Last waits until commits have reached all clients, and tells for each the
// milliseconds to the last of them.
func (c *Clients) Last(args CommitArgs, ms *[]float64) error {
	last := make([]int64, args.Count)
	deadline := time.Now().Add(patience)
	for i, one := range c.all {
		got, err := one.take(args.Count, deadline)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		for _, a := range got {
			at := int(a.n) - args.From
			if at < 0 || at >= args.Count {
				return fmt.Errorf("client %d: commit %d is not of this round", i, a.n)
			}
			last[at] = max(last[at], a.took)
		}
	}
	for _, ns := range last {
		*ms = append(*ms, float64(ns)/1e6)
	}
	return nil
}

// take waits for count arrivals and takes them.
func (c *client) take(count int, deadline time.Time) ([]arrival, error) {
	for {
		c.mu.Lock()
		got, err := c.got, c.failed
		if len(got) >= count {
			c.got = nil
			c.mu.Unlock()
			return got, nil
		}
		c.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%d of %d commits have arrived after %s", len(got), count, patience)
		}
		time.Sleep(time.Millisecond)
	}
}
