package pipe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

// unseen opens snapshots that see every commit which was delivered before: some
// databases tell of a commit before those who read can see it. What is delivered
// after a snapshot was asked for is the router's to keep, see route.Router. It is
// safe for concurrent use.
type unseen struct {
	source feed.Source

	mu sync.Mutex // guards what follows
	// commits are those that no snapshot is known to see, by their places and
	// numbers. A database has as many at most as it has writers; the others wait
	// here to be asked about.
	commits []feed.Commit
}

// askAgain is after how many commits it is asked which of them are seen, while
// nobody reads.
const askAgain = 4096

// note notes a commit that was delivered, and tells whether it is time for look.
func (u *unseen) note(c *feed.Commit) (due bool) {
	if c.Transaction == 0 || c.More {
		return false // its place tells who sees it, or the rest does
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.commits = append(u.commits, feed.Commit{Position: c.Position, Transaction: c.Transaction})
	return len(u.commits)%askAgain == 0
}

// look forgets what is seen by now.
func (u *unseen) look(ctx context.Context) {
	if snap, err := u.source.Snapshot(ctx); err == nil {
		u.forget(snap)
		snap.Close()
	}
}

// forget forgets what a snapshot sees, and so does every one after it.
func (u *unseen) forget(snap feed.Snapshot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.commits = slices.DeleteFunc(u.commits, func(c feed.Commit) bool { return snap.Saw(&c) })
}

// The pauses before another snapshot is opened in the place of one that has not
// seen all.
const (
	firstPause = time.Millisecond
	mostPause  = 100 * time.Millisecond
)

// Snapshot implements snapshot.Opener.
func (u *unseen) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	u.mu.Lock()
	due := slices.Clone(u.commits)
	u.mu.Unlock()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		snap, err := u.source.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if due = slices.DeleteFunc(due, func(c feed.Commit) bool { return snap.Saw(&c) }); len(due) == 0 {
			u.forget(snap)
			return snap, nil
		}
		snap.Close()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
