package client

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
	stable      = time.Minute
)

// backoff is full-jitter: every attempt waits a random time below a bound that
// doubles, so that clients who lost one server do not return as one. Only a
// stable minute starts it anew.
type backoff struct {
	first    time.Duration
	attempts int
	since    time.Time // when the connection began to stand, zero if it does not
}

// connected notes that the connection stands.
func (b *backoff) connected() { b.since = time.Now() }

// next is how long to wait before the next attempt; an eager one need not wait
// if none has failed.
func (b *backoff) next(eager bool) time.Duration {
	if !b.since.IsZero() && time.Since(b.since) >= stable {
		b.attempts = 0
	}
	b.since = time.Time{}
	bound := min(longestWait, b.first<<min(b.attempts, 10))
	b.attempts++
	if b.attempts == 1 && eager {
		return 0
	}
	return rand.N(bound + 1) //nolint:gosec // spreads load, keeps no secret
}
