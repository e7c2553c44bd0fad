package pando

import "time"

// Hasten has the app leave sooner than it would what does not end: streams after a
// moment, and then each part after a while.
func (a *App) Hasten(part time.Duration) {
	a.grace = grace{streams: 200 * time.Millisecond, cut: part, rest: part}
}
