package pipe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

// unseen knows the commits that were delivered and that reads may not see yet:
// some databases tell of a commit before they show it, and with a standby that
// does not answer long before. What is delivered after a read was wanted is the
// router's to keep, see route.Router. It is safe for concurrent use.
type unseen struct {
	source feed.Source
	// limit is the number of changes that are held.
	limit int

	mu sync.Mutex // guards what follows
	// commits are those that no snapshot is known to see, in order. A database has
	// as many at most as it has writers; the others wait here to be asked about.
	commits []undisclosed
	changes int
	// begun counts the beginnings of the feed.
	begun int
}

// undisclosed is a commit that reads may not see.
type undisclosed struct {
	id feed.Commit // its position and transaction
	// whole is the commit, nil where that was too large to be held.
	whole *feed.Commit
}

// askAgain is after how many commits it is asked which of them are seen, while
// nobody reads.
const askAgain = 4096

// note notes a commit that was delivered, whole or as the last of its parts, and
// tells whether it is time for look.
func (u *unseen) note(c *feed.Commit, whole bool) (due bool) {
	if c.Transaction == 0 || c.More {
		return false // its place tells who sees it, or the rest does
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	one := undisclosed{id: feed.Commit{Position: c.Position, Transaction: c.Transaction}}
	if whole && u.changes+len(c.Changes) <= u.limit {
		one.whole = c
		u.changes += len(c.Changes)
	}
	u.commits = append(u.commits, one)
	return len(u.commits)%askAgain == 0
}

// reset forgets all, since the feed begins where everything is seen.
func (u *unseen) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.commits, u.changes = nil, 0
	u.begun++
}

// since are the commits given, none where the feed has begun anew since then: it
// begins where all are seen, and some may be lost, as where a standby took over
// that did not have them.
func (u *unseen) since(begun int, missed []undisclosed) []undisclosed {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.begun != begun {
		return nil
	}
	return missed
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
	u.commits = slices.DeleteFunc(u.commits, func(c undisclosed) bool {
		saw := snap.Saw(&c.id)
		if saw && c.whole != nil {
			u.changes -= len(c.whole.Changes)
		}
		return saw
	})
}

// The pauses before another snapshot is opened in the place of one that has not
// seen enough.
const (
	firstPause = time.Millisecond
	mostPause  = 100 * time.Millisecond
)

// open opens a snapshot, and returns the commits that were delivered before and
// that it does not see. Where one of them was too large to be held it waits until
// that is seen.
func (u *unseen) open(ctx context.Context) (snap feed.Snapshot, before []*feed.Commit, err error) {
	return u.until(ctx, func(missed []undisclosed) bool {
		return !slices.ContainsFunc(missed, func(c undisclosed) bool { return c.whole == nil })
	})
}

// all opens a snapshot that sees every commit which was delivered before.
func (u *unseen) all(ctx context.Context) (feed.Snapshot, error) {
	snap, _, err := u.until(ctx, func(missed []undisclosed) bool { return len(missed) == 0 })
	return snap, err
}

// until opens snapshots until one misses no more than it may.
func (u *unseen) until(ctx context.Context, enough func(missed []undisclosed) bool) (feed.Snapshot, []*feed.Commit, error) {
	u.mu.Lock()
	missed, begun := slices.Clone(u.commits), u.begun
	u.mu.Unlock()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		snap, err := u.source.Snapshot(ctx)
		if err != nil {
			return nil, nil, err
		}
		missed = u.since(begun, slices.DeleteFunc(missed, func(c undisclosed) bool { return snap.Saw(&c.id) }))
		if enough(missed) {
			u.forget(snap)
			var before []*feed.Commit
			for _, c := range missed {
				before = append(before, c.whole)
			}
			return snap, before, nil
		}
		snap.Close()
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// some tells whether there are commits that reads may not see.
func (u *unseen) some() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.commits) > 0
}

// Unseen tells whether commits were told that reads may not see yet, Visible waits
// until reads see all that were told before the call.
func (p *Pipe) Unseen() bool { return p.unseen.some() }

// Visible is described with Unseen.
func (p *Pipe) Visible(ctx context.Context) error {
	snap, err := p.unseen.all(ctx)
	if err != nil {
		return err
	}
	return snap.Close()
}

// opener opens one snapshot for a read, and keeps what that does not see.
type opener struct {
	unseen *unseen
	before []*feed.Commit
}

// Snapshot implements snapshot.Opener.
func (o *opener) Snapshot(ctx context.Context) (snap feed.Snapshot, err error) {
	snap, o.before, err = o.unseen.open(ctx)
	return snap, err
}
