package sqlitefeed

import (
	"context"
	"runtime"
	"time"
)

// How often the database is looked at.
const (
	// busyLook is the interval shortly after a commit or a hint. Timers of an
	// idle process are no finer than a millisecond.
	busyLook = time.Millisecond
	// Without trust in hints, looking often is what finds a commit.
	idleLook = 4 * time.Millisecond
	busyFor  = time.Second
	// With it, a commit that was announced is looked for, and looking
	// otherwise only guards against a hint that fails to come.
	trustedLook = 25 * time.Millisecond
	expectFor   = 50 * time.Millisecond
	// Trust ends with this many commits in a row that no hint announced
	// within hintWindow.
	missesAllowed = 3
	hintWindow    = 100 * time.Millisecond
	// A hint comes shortly before the commit that it announces is visible:
	// these are how long to look without a pause. A commit hook runs before
	// the log is written; the log's write is nearly the end.
	hookSpin  = 400 * time.Microsecond
	writeSpin = 80 * time.Microsecond
	// A write that is told of within echo of a commit is mostly that commit's
	// own, and gets two looks without haste.
	echo    = 500 * time.Microsecond
	echoFor = 1500 * time.Microsecond
)

// pace decides when to look next. Used by one goroutine.
//
//	idle ──hint──► spinning ──spin over──► busy ──time over──► idle
//	  └──commit seen──► busy ◄──commit seen──┘
type pace struct {
	// written gives a hint whenever a process writes the write-ahead log; nil
	// where that cannot be watched.
	written <-chan struct{}

	spinUntil, busyEnd  time.Time
	lastHint, lastFound time.Time
	// missed counts the latest commits that no hint announced.
	missed int
	timer  *time.Timer
}

// wait returns when it is time to look, or ctx ended. moved tells whether the
// last look found a commit.
func (p *pace) wait(ctx context.Context, wake <-chan struct{}, moved bool) {
	now := time.Now()
	if moved {
		p.found(now)
	}
	if now.Before(p.spinUntil) && ctx.Err() == nil {
		runtime.Gosched()
		return
	}
	p.setTimer(p.interval(now))
	select {
	case <-ctx.Done():
	case <-p.timer.C:
	case <-wake:
		p.hinted(time.Now(), hookSpin)
	case <-p.written:
		p.wrote(time.Now())
	}
}

// trusts tells whether every commit is announced by a hint.
func (p *pace) trusts() bool { return p.written != nil && p.missed < missesAllowed }

func (p *pace) found(now time.Time) {
	if now.Sub(p.lastHint) > hintWindow {
		p.missed++
	}
	p.lastFound, p.spinUntil = now, time.Time{}
	p.busyEnd = now.Add(busyFor)
	if p.trusts() {
		p.busyEnd = now
	}
}

// hinted prepares for a commit that is near.
func (p *pace) hinted(now time.Time, spin time.Duration) {
	p.lastHint, p.missed = now, 0
	p.spinUntil = now.Add(spin)
	p.expect(now.Add(expectFor))
}

// wrote prepares for a commit whose write was seen.
func (p *pace) wrote(now time.Time) {
	if now.Sub(p.lastFound) > echo {
		p.hinted(now, writeSpin)
		return
	}
	p.lastHint, p.missed = now, 0
	p.expect(now.Add(echoFor))
}

// expect keeps looking often until end at least.
func (p *pace) expect(end time.Time) {
	if end.After(p.busyEnd) {
		p.busyEnd = end
	}
}

func (p *pace) interval(now time.Time) time.Duration {
	switch {
	case now.Before(p.busyEnd):
		return busyLook
	case p.trusts():
		return trustedLook
	}
	return idleLook
}

func (p *pace) setTimer(d time.Duration) {
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
}
