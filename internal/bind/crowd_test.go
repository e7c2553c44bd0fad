package bind_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
)

// TestACrowdInGroupsOfTheirOwnBegins has many lines, each in a group of its own,
// begin at once, as after the feed has begun anew: one of them has no rows, so that
// the whole table is looked at for it.
func TestACrowdInGroupsOfTheirOwnBegins(t *testing.T) {
	const crowd, rows = 1500, 60_000
	spec := noteSpec()
	spec.Limit = 1
	inBubble(t, spec, func(h *harness) {
		changes := make([]feed.Change, 0, rows)
		for i := range int64(rows) {
			changes = append(changes, h.note(i+1, fmt.Sprint("user", i%(crowd-1)), "hello"))
		}
		h.write(changes...)
		clients := make([]*client, crowd)
		for i := range clients {
			clients[i] = h.connect(fmt.Sprint("user", i))
			clients[i].subscribe()
		}
		synctest.Wait()
		h.pass(time.Second)
		for i, c := range clients {
			if got, want := strings.Count(c.told(), `"pk"`), min(1, crowd-1-i); got != want {
				t.Fatalf("line %d begins with %d rows, want %d", i, got, want)
			}
		}
	})
}
