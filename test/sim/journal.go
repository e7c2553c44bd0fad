package main

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// journal is what happened in a seed, line by line. It is safe for concurrent
// use.
type journal struct {
	mu    sync.Mutex // guards what follows
	lines []string
	live  io.Writer // gets each line at once, nil for none
}

func (j *journal) logf(format string, args ...any) {
	j.Write(fmt.Appendf(nil, format, args...))
}

// Write implements io.Writer: a line comes in one call.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := strings.TrimSuffix(string(line), "\n")
	j.lines = append(j.lines, text)
	if j.live != nil {
		fmt.Fprintln(j.live, text)
	}
	return len(line), nil
}

// logger logs into the journal.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// save writes all to a file, and says where it is.
func (j *journal) save(seed uint64) string {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("pando-sim-%d.log", seed))
	if err := os.WriteFile(path, []byte(j.tail(math.MaxInt)), 0o600); err != nil {
		return err.Error()
	}
	return "all of it is in " + path
}

// tail is the last lines.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}
