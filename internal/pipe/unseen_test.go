package pipe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
)

// lagging is a database whose reads see a commit some time after it is told of.
type lagging struct {
	feed.Source

	visible map[uint64]time.Time
	opened  int
}

type laggingSnapshot struct {
	feed.Snapshot

	at  time.Time
	own *lagging
}

func (l *lagging) Snapshot(context.Context) (feed.Snapshot, error) {
	l.opened++
	return &laggingSnapshot{at: time.Now(), own: l}, nil
}

func (s *laggingSnapshot) Saw(c *feed.Commit) bool { return !s.own.visible[c.Transaction].After(s.at) }
func (*laggingSnapshot) Close() error              { return nil }

// TestSnapshotsSeeWhatWasDelivered has commits become visible in another order
// than they are delivered.
func TestSnapshotsSeeWhatWasDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		db := &lagging{visible: map[uint64]time.Time{1: now.Add(time.Second), 2: now, 3: now.Add(time.Hour)}}
		u := &unseen{source: db, limit: 100}
		u.note(&feed.Commit{Position: 10, Transaction: 1}, true)
		u.note(&feed.Commit{Position: 20, Transaction: 2}, true)
		u.note(&feed.Commit{Position: 30}, true) // told by its position
		snap, err := u.all(t.Context())
		if err != nil || !snap.Saw(&feed.Commit{Transaction: 1}) {
			t.Fatalf("got a snapshot that has not seen all, after %v, %v", time.Since(now), err)
		}
		if time.Since(now) > time.Second+mostPause || len(u.commits) > 0 {
			t.Errorf("after %v there are %v", time.Since(now), u.commits)
		}
		u.note(&feed.Commit{Position: 40, Transaction: 3}, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := u.all(ctx); err == nil {
			t.Error("got a snapshot that has not seen what was delivered")
		}
		if len(u.commits) != 1 {
			t.Errorf("what no snapshot sees is %v", u.commits)
		}
	})
}

// TestUnseenIsBounded asks now and then, while nobody reads.
func TestUnseenIsBounded(t *testing.T) {
	u := &unseen{source: &lagging{}}
	for n := range uint64(10 * askAgain) {
		if u.note(&feed.Commit{Transaction: n + 1}, true) {
			u.look(t.Context())
		}
	}
	if len(u.commits) > askAgain {
		t.Errorf("%d commits are held", len(u.commits))
	}
}

// TestLostCommits has nobody wait for what was delivered and then lost, as when a
// standby takes over that did not have it, once the feed has begun anew.
func TestLostCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unseen{source: &lagging{visible: map[uint64]time.Time{1: time.Now().Add(time.Hour)}}, limit: 100}
		u.note(&feed.Commit{Position: 10, Transaction: 1}, true)
		began := time.Now()
		time.AfterFunc(time.Second, u.reset)
		if _, err := u.all(t.Context()); err != nil || time.Since(began) > time.Second+mostPause {
			t.Errorf("got a snapshot after %v: %v", time.Since(began), err)
		}
	})
}
