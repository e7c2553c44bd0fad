package sqlitefeed

import (
	"testing"
	"time"
)

// TestPace walks through what pace is told, on a clock of its own.
func TestPace(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		name string
		// blind tells that writes cannot be watched.
		blind bool
		do    func(p *pace, now time.Time)
		at    time.Duration
		want  time.Duration
	}{
		{"at rest", false, func(*pace, time.Time) {}, 0, trustedLook},
		{"at rest, blind", true, func(*pace, time.Time) {}, 0, idleLook},
		{"hinted", false, func(p *pace, now time.Time) { p.hinted(now, hookSpin) }, 10 * time.Millisecond, busyLook},
		{"hinted in vain", false, func(p *pace, now time.Time) { p.hinted(now, hookSpin) }, expectFor + 1, trustedLook},
		{"hinted and found", false, func(p *pace, now time.Time) { p.hinted(now, hookSpin); p.found(now) }, 0, trustedLook},
		{"echo", false, func(p *pace, now time.Time) { p.hinted(now, hookSpin); p.found(now); p.wrote(now) }, 0, busyLook},
		{"echo over", false, func(p *pace, now time.Time) { p.hinted(now, hookSpin); p.found(now); p.wrote(now) }, echoFor + 1, trustedLook},
		{"write", false, func(p *pace, now time.Time) { p.wrote(now) }, 10 * time.Millisecond, busyLook},
		{"found, blind", true, func(p *pace, now time.Time) { p.found(now) }, 900 * time.Millisecond, busyLook},
		{"found long ago, blind", true, func(p *pace, now time.Time) { p.found(now) }, busyFor + 1, idleLook},
		{"one hint failed", false, func(p *pace, now time.Time) { p.found(now) }, 0, trustedLook},
		{"hints fail", false, func(p *pace, now time.Time) { p.found(now); p.found(now); p.found(now) }, busyFor + 1, idleLook},
		{"hints came late", false, func(p *pace, now time.Time) { p.found(now); p.found(now); p.found(now); p.wrote(now) }, busyFor + 1, trustedLook},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pace{}
			if !c.blind {
				p.written = make(chan struct{})
			}
			c.do(p, start)
			if got := p.interval(start.Add(c.at)); got != c.want {
				t.Errorf("the next look is in %v, want %v", got, c.want)
			}
		})
	}
}
