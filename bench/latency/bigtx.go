//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Boards beside the one that all clients show: a large one, and small ones that
// nobody has opened yet. The large transaction fills a list of none of them.
const (
	largeBoard, largeRows   = 2, 100_000
	coldBoards, firstCold   = 2000, 1000
	strangersList           = 999_999
	openWhile, commitsAfter = 50 * time.Millisecond, 20
)

var largeTables = fmt.Sprintf(`
INSERT INTO boards VALUES (%[1]d, 'Warehouse');
INSERT INTO lists VALUES (%[1]d00, %[1]d, 'Shelf');
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < %[2]d) INSERT INTO cards SELECT 100000 + n, %[1]d00, 'Card ' || n, 0, 0 FROM i;
WITH RECURSIVE i(n) AS (SELECT %[4]d UNION ALL SELECT n+1 FROM i WHERE n < %[4]d + %[3]d) INSERT INTO boards SELECT n, 'Board ' || n FROM i;
WITH RECURSIVE i(n) AS (SELECT %[4]d UNION ALL SELECT n+1 FROM i WHERE n < %[4]d + %[3]d) INSERT INTO lists (id, board_id, name) SELECT n, n AS board, 'List ' || n FROM i;
`, largeBoard, largeRows, coldBoards, firstCold)

// measureLarge opens a large anchor, and makes a large transaction of rows
// that nobody shows, while boards are opened and, once it has committed, others
// commit. SQLite lets nobody else commit before.
func (p *plan) measureLarge(cores [2]int, dir string) error {
	s, err := startStage(cores, settings{db: filepath.Join(dir, "bigtx.db")}, false, 1)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.writer.Call("Server.Exec", largeTables, &struct{}{}); err != nil {
		return err
	}
	var opened Opened
	if err := s.clients.Call("Clients.Time", TimeArgs{Addr: s.addrs[0], Board: largeBoard}, &opened); err != nil {
		return err
	}
	fmt.Printf("bigtx: an anchor of %d rows opens in %.0f ms, its first part after %.0f ms\n", largeRows, opened.Whole, opened.First)
	if err := s.clients.Call("Clients.Open", OpenArgs{Addr: s.addrs[0], Count: p.clients}, &struct{}{}); err != nil {
		return err
	}
	writer, err := s.start(cores[1], "writer", settings{db: filepath.Join(dir, "bigtx.db")})
	if err != nil {
		return err
	}
	before, err := peak(s.writer)
	if err != nil {
		return err
	}
	var took float64
	done := writer.Go("Writer.Fill", p.rows, &took, nil)
	opens, err := s.opensUntil(done.Done)
	if err != nil {
		return err
	}
	if done.Error != nil {
		return done.Error
	}
	args := CommitArgs{From: 1, Count: commitsAfter * 10, Rate: commitsAfter}
	if err := s.writer.Call("Server.Commit", args, &struct{}{}); err != nil {
		return err
	}
	var last []float64
	if err := s.clients.Call("Clients.Last", args, &last); err != nil {
		return err
	}
	after, err := peak(s.writer)
	if err != nil {
		return err
	}
	slices.Sort(last)
	slices.Sort(opens)
	fmt.Printf("bigtx: %d rows in one transaction of %.1f s; %d opens of other anchors meanwhile: p50 %.1f  p99 %.1f ms; commits of others after it: p50 %.1f, most %.0f ms; the server's peak memory %.0f MB, %.0f before\n",
		p.rows, took/1e3, len(opens), at(opens, 0.5), at(opens, 0.99), at(last, 0.5), last[len(last)-1], after, before)
	p.results = append(p.results,
		fmt.Sprintf("RESULT bigtx.peak_mb %.0f MB", after),
		fmt.Sprintf("RESULT bigtx.grown_mb %.0f MB", after-before),
		fmt.Sprintf("RESULT bigtx.p99_ms_opens %.1f ms", at(opens, 0.99)),
		fmt.Sprintf("RESULT bigtx.delay_ms_others %.0f ms", last[len(last)-1]),
		fmt.Sprintf("RESULT open.large_first_ms %.0f ms", opened.First),
		fmt.Sprintf("RESULT open.large_whole_ms %.0f ms", opened.Whole))
	return nil
}

// opensUntil opens anchors that nobody shows, one after the other, until done.
func (s *stage) opensUntil(done <-chan *rpc.Call) ([]float64, error) {
	var took []float64
	for board := firstCold; ; board++ {
		select {
		case <-done:
			return took, nil
		case <-time.After(openWhile):
		}
		var o Opened
		if err := s.clients.Call("Clients.Time", TimeArgs{Addr: s.addrs[0], Board: board}, &o); err != nil {
			return nil, fmt.Errorf("open board %d: %w", board, err)
		}
		took = append(took, o.Whole)
	}
}

// peak is the most memory that a process has had, in MB.
func peak(p *process) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(size)[0], 64)
			return kb / 1e3, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status tells no VmHWM", p.cmd.Process.Pid)
}

// Exec runs statements.
func (s *Server) Exec(statements string, _ *struct{}) error {
	_, err := s.db.ExecContext(context.Background(), statements)
	return err
}

// Fill inserts rows in one transaction, and tells the milliseconds that it
// took.
func (w *Writer) Fill(rows int, took *float64) error {
	start := now()
	_, err := w.db.ExecContext(context.Background(), `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < ?)
		INSERT INTO cards SELECT 10000000 + n, ?, 'Card ' || n, 0, 0 FROM i`, rows, strangersList)
	*took = float64(now()-start) / 1e6
	return err
}

// TimeArgs name a board to open.
type TimeArgs struct {
	Addr  string
	Board int
}

// Opened is the milliseconds from dialing to the first part of a board's
// snapshot, and to its last.
type Opened struct{ First, Whole float64 }

// Time opens a board on a connection of its own, and closes it.
func (*Clients) Time(args TimeArgs, o *Opened) error {
	start := now()
	c, err := connect(args.Addr, args.Board)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	var buf []byte
	for {
		if buf, err = c.read(buf[:cap(buf)]); err != nil {
			return err
		}
		if o.First == 0 && bytes.Contains(buf, []byte(`"snapshot":`)) {
			o.First = float64(now()-start) / 1e6
		}
		if bytes.Contains(buf, []byte(`"snapshot":"only"`)) || bytes.Contains(buf, []byte(`"snapshot":"last"`)) {
			o.Whole = float64(now()-start) / 1e6
			return nil
		}
		if bytes.Contains(buf, []byte(`"type":"error"`)) {
			return fmt.Errorf("the server answers %s", buf)
		}
	}
}
