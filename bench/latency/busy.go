//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the kernel's accounts.
const tick = 10 * time.Millisecond

// usage is processor time spent so far, by everybody and by a stage's
// processes.
type usage struct {
	at         time.Time
	all, stage time.Duration
}

// usage reads the machine's accounts.
func (s *stage) usage() (usage, error) {
	u := usage{at: time.Now()}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u, err
	}
	// cpu user nice system idle iowait irq softirq steal …
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("read /proc/stat: %w", err)
		}
		u.all += time.Duration(n) * tick
	}
	for _, p := range s.processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return u, err
		}
		// The name, which may hold anything, ends with the last parenthesis;
		// user and system time are the 12th and 13th field after it.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return u, fmt.Errorf("read /proc/%d/stat: %w", p.cmd.Process.Pid, err)
			}
			u.stage += time.Duration(n) * tick
		}
	}
	return u, nil
}

// others is how many cores others have kept busy since an earlier usage: a
// round in which that is much measures them.
func (u usage) others(since usage) float64 {
	return max(0, float64((u.all-since.all)-(u.stage-since.stage))/float64(u.at.Sub(since.at)))
}
