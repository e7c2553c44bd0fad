package sqlitefeed

import (
	"context"
	"runtime"
	"time"
)

// How often the database is looked at.
const (
	// idleLook is the interval when nothing happened lately.
	idleLook = 4 * time.Millisecond
	// busyLook is the interval within busyFor of a commit or a hint. Timers
	// of an idle process are no finer than a millisecond.
	busyLook = time.Millisecond
	busyFor  = time.Second
	// A hint comes shortly before the commit that it announces is visible:
	// these are how long to look without a pause. A commit hook runs before
	// the log is written; the log's write is nearly the end.
	hookSpin  = 400 * time.Microsecond
	writeSpin = 80 * time.Microsecond
)

// pace decides when to look next. Used by one goroutine, but for hint.
//
//	idle ──hint──► spinning ──spin over──► busy ──busyFor──► idle
//	  └──commit seen──► busy ◄──commit seen──┘
type pace struct {
	// written holds at most one hint that a process writes the log.
	written            chan struct{}
	spinUntil, busyEnd time.Time
	timer              *time.Timer
}

// hint returns the channel that takes hints of writes.
func (p *pace) hint() chan<- struct{} {
	if p.written == nil {
		p.written = make(chan struct{}, 1)
	}
	return p.written
}

// wait returns when it is time to look, or ctx ended. moved tells whether the
// last look found a commit.
func (p *pace) wait(ctx context.Context, wake <-chan struct{}, moved bool) {
	now := time.Now()
	if moved {
		p.spinUntil, p.busyEnd = time.Time{}, now.Add(busyFor)
	}
	if now.Before(p.spinUntil) && ctx.Err() == nil {
		runtime.Gosched()
		return
	}
	delay := idleLook
	if now.Before(p.busyEnd) {
		delay = busyLook
	}
	if p.timer == nil {
		p.timer = time.NewTimer(delay)
	} else {
		p.timer.Reset(delay)
	}
	select {
	case <-ctx.Done():
	case <-p.timer.C:
	case <-wake:
		p.spin(hookSpin)
	case <-p.written:
		p.spin(writeSpin)
	}
}

func (p *pace) spin(d time.Duration) {
	now := time.Now()
	p.spinUntil, p.busyEnd = now.Add(d), now.Add(busyFor)
}
