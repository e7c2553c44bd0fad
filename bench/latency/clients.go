//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Clients is the process with the clients. They decode no more of a frame than
// the number and the time of the commit.
type Clients struct {
	mu   sync.Mutex // guards what follows
	all  []*client
	more sync.Cond
	// arrived counts for each commit the clients that it has reached, last is
	// when it reached the last of them.
	arrived map[int]int
	last    map[int]int64
	failed  error
}

type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// OpenArgs are Count clients of an app.
type OpenArgs struct {
	Addr  string
	Count int
}

// Open connects clients, and returns once all of them show the board.
func (c *Clients) Open(args OpenArgs, _ *struct{}) error {
	c.mu.Lock()
	if c.arrived == nil {
		c.arrived, c.last, c.more.L = map[int]int{}, map[int]int64{}, &c.mu
	}
	c.mu.Unlock()
	for i := range args.Count {
		one, err := dial(args.Addr)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		c.mu.Lock()
		c.all = append(c.all, one)
		c.mu.Unlock()
		go c.follow(one)
	}
	return nil
}

func dial(addr string) (*client, error) {
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
	err = wsutil.WriteClientText(conn, []byte(`[{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}},`+
		`{"stream":"s","id":2,"payload":{"type":"open","route":"boards/1"}}]`))
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

// read reads one frame's payload into buf.
func (c *client) read(buf []byte) ([]byte, error) {
	h, err := ws.ReadHeader(c.in)
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

// follow notes when each commit arrives. A frame may carry several, when
// commits were merged.
func (c *Clients) follow(one *client) {
	buf := make([]byte, 256)
	for {
		frame, err := one.read(buf)
		at := now()
		if err != nil {
			c.fail(err)
			return
		}
		buf = frame[:cap(frame)]
		_, updates, ok := bytes.Cut(frame, []byte(`"upd":`))
		if !ok {
			continue // a heartbeat
		}
		var rows [][]json.RawMessage
		if err := json.Unmarshal(bytes.TrimRight(updates, "}"), &rows); err != nil {
			c.fail(fmt.Errorf("frame %s: %w", frame, err))
			return
		}
		c.note(rows, at)
	}
}

// note takes rows of [type, key, index, n, index, sent].
func (c *Clients) note(rows [][]json.RawMessage, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		var n int
		var sent int64
		if len(row) != 6 || json.Unmarshal(row[3], &n) != nil || json.Unmarshal(row[5], &sent) != nil {
			c.failed = fmt.Errorf("a row of other fields: %s", row)
			continue
		}
		c.arrived[n]++
		c.last[n] = max(c.last[n], at-sent)
	}
	c.more.Broadcast()
}

func (c *Clients) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
	if c.more.L != nil {
		c.more.Broadcast()
	}
}

// Last waits until commits have reached all clients, and tells for each the
// milliseconds to the last of them.
func (c *Clients) Last(args CommitArgs, ms *[]float64) error {
	expired := false
	patience := time.AfterFunc(10*time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		expired = true
		c.more.Broadcast()
	})
	defer patience.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := args.From; n < args.From+args.Count; n++ {
		for c.arrived[n] < len(c.all) {
			switch {
			case c.failed != nil:
				return c.failed
			case expired:
				return errors.New("commits have not reached all clients after 10 s")
			}
			c.more.Wait()
		}
		*ms = append(*ms, float64(c.last[n])/1e6)
	}
	clear(c.arrived)
	clear(c.last)
	return nil
}
