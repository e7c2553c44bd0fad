package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errPatience is why a context of patient has ended.
var errPatience = errors.New("the patience ran out")

// A pulse is how often the time is looked at, and mostOfPulse what of it counts
// at most.
const (
	pulse       = 50 * time.Millisecond
	mostOfPulse = 2 * pulse
)

// patient returns a context that ends by errPatience once the process has run
// for d. While it stands still, as on a machine that stalls, nothing could have
// come, and nothing is waited for.
func patient(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(pulse)
		defer tick.Stop()
		m := meter{last: time.Now()}
		for m.ran < d {
			select {
			case <-tick.C:
				m.look(time.Now())
			case <-ctx.Done():
				return
			}
		}
		cancel(fmt.Errorf("%w: %v, beside %v in which the process stood still", errPatience, d, m.stood.Round(time.Millisecond)))
	}()
	return ctx, func() { cancel(nil) }
}

// meter tells the time in which the process ran from that in which it stood
// still, if it looks with every pulse.
type meter struct {
	last       time.Time
	ran, stood time.Duration
}

func (m *meter) look(now time.Time) {
	passed := now.Sub(m.last)
	ran := min(passed, mostOfPulse)
	m.last, m.ran, m.stood = now, m.ran+ran, m.stood+passed-ran
}
