package main

import (
	"fmt"
	"io"
	"log/slog"
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

// tail is the last lines.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}
