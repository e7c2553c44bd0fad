package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheEndOfALogTellsTheCause cuts a log to its last lines.
func TestTheEndOfALogTellsTheCause(t *testing.T) {
	var rows []string
	for i := range 500 {
		rows = append(rows, fmt.Sprintf("row %d", i))
	}
	d := &divergenceError{
		client: 3, user: "2", route: "c0", what: "went back " + strings.Repeat("and back ", 1000),
		shows: `"` + strings.Join(rows, `","`) + `"`, want: "null",
	}
	text := failure{7, d}.brief("SIM_FAULT=drop-change make sim-replay SEED=7")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	end := strings.Join(lines[max(0, len(lines)-5):], "\n")
	for _, want := range []string{`seed 7: client 3 (user "2"), c0: went back`, "replay it by: SIM_FAULT=drop-change make sim-replay SEED=7"} {
		if !strings.Contains(end, want) {
			t.Errorf("no %q at the end of\n%s", want, text)
		}
	}
	if len(lines) > briefLines+5 || len(text) > (briefLines+5)*(briefBytes+100) {
		t.Errorf("%d lines with %d bytes", len(lines), len(text))
	}
	if strings.Contains(text, "in vain") {
		t.Errorf("what was seen passes for waited for in\n%s", text)
	}
	d.waited = fmt.Errorf("%w: 10s", errPatience)
	if text := (failure{7, d}).brief(""); !strings.Contains(text, "it was waited for in vain") {
		t.Errorf("what was waited for passes for seen in\n%s", text)
	}
}

// TestPatience runs out where nothing stands still.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, cancel := patient(t.Context(), time.Second)
		defer cancel()
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, errPatience) || time.Since(begun) != time.Second {
			t.Errorf("it ended by %v, after %v", err, time.Since(begun))
		}
		ctx, cancel = patient(t.Context(), time.Second)
		cancel()
		synctest.Wait()
		if err := context.Cause(ctx); errors.Is(err, errPatience) {
			t.Errorf("what was given up ended by %v", err)
		}
	})
}

// TestTimeInWhichTheProcessStands does not count.
func TestTimeInWhichTheProcessStands(t *testing.T) {
	now := time.Unix(0, 0)
	m := meter{last: now}
	for _, passed := range []time.Duration{pulse, 3 * time.Second, pulse, time.Hour} {
		now = now.Add(passed)
		m.look(now)
	}
	if want := 2*pulse + 2*mostOfPulse; m.ran != want {
		t.Errorf("it ran %v, want %v", m.ran, want)
	}
	if want := time.Hour + 3*time.Second - 2*mostOfPulse; m.stood != want {
		t.Errorf("it stood %v, want %v", m.stood, want)
	}
}
