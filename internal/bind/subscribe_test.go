package bind_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// snapshot is a snapshot of one part.
func snapshot(rows ...string) string {
	return `{"action":"snapshot","rows":[` + strings.Join(rows, ",") + `]}`
}

func row(id int64, rooms, text string) string {
	return fmt.Sprintf(`{"pk":%d,"data":{"rooms":%q,"text":%q}}`, id, rooms, text)
}

// subscribed subscribes, and fails the test where that does.
func (c *client) subscribed() {
	c.h.t.Helper()
	done := c.subscribe()
	synctest.Wait()
	select {
	case err := <-done:
		if err != nil {
			c.h.t.Fatal(err)
		}
	default:
		c.h.t.Fatal("the subscription has not begun")
	}
}

// TestASubscriptionBeginsWithTheRowsOfTheConnectionsGroups and goes on with what
// changes; who is not subscribed never sees a snapshot.
func TestASubscriptionBeginsWithTheRowsOfTheConnectionsGroups(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"), h.note(2, "blue", "b"), h.note(3, "blue red", "c"), h.note(4, "", "d"))
		c, both, none, plain := h.connect("red"), h.connect("red", "blue"), h.connect("grey"), h.connect("red")
		c.subscribed()
		both.subscribed()
		none.subscribed()
		h.expect("one group", c.told(), snapshot(row(1, "red", "a"), row(3, "blue red", "c")))
		h.expect("two groups", both.told(), snapshot(row(1, "red", "a"), row(2, "blue", "b"), row(3, "blue red", "c")))
		h.expect("no rows", none.told(), snapshot())
		h.write(h.note(1, "red", "x"))
		const updated = `{"action":"update","pk":1,"data":{"rooms":"red","text":"x"}}`
		h.expect("then", c.told(), updated)
		h.expect("who is not subscribed", plain.told(), updated)
		c.subscribed()
		h.expect("who subscribes again", c.told(), snapshot(row(1, "red", "x"), row(3, "blue red", "c")))
	})
}

// TestOrderAndLimitOfASubscription looks at rows page by page.
func TestOrderAndLimitOfASubscription(t *testing.T) {
	spec := noteSpec()
	spec.OrderBy, spec.Limit = []string{"-text"}, 2
	inBubble(t, spec, func(h *harness) {
		for i := range int64(3000) {
			rooms := "blue"
			if i < 3 {
				rooms = "red"
			}
			h.db.commit(false, h.note(i, rooms, fmt.Sprintf("%04d", i)))
		}
		h.db.deliver(-1)
		c := h.connect("red")
		c.subscribed()
		h.expect("the first two", c.told(), snapshot(row(2, "red", "0002"), row(1, "red", "0001")))
		if n := h.db.queries(); n != 3 {
			t.Errorf("%d queries, want 3: pages of a thousand", n)
		}
		blue := h.connect("blue")
		blue.subscribed()
		h.expect("the first two", blue.told(), snapshot(row(2999, "blue", "2999"), row(2998, "blue", "2998")))
		if n := h.db.queries(); n != 4 {
			t.Errorf("%d queries, want one more: the rows are on the first page", n)
		}
	})
}

// TestASnapshotComesInParts of at most 256 KiB, of which all but the last say more.
func TestASnapshotComesInParts(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		for i := range int64(100) {
			h.db.commit(false, h.note(i, "red", strings.Repeat("x", 9000)))
		}
		h.db.deliver(-1)
		c := h.connect("red")
		c.bound = 1
		c.subscribed()
		synctest.Wait()
		rows, parts, last := 0, 0, false
		for range 10 {
			for _, m := range c.read() {
				var part struct {
					Action, Model string
					Rows          []json.RawMessage
					More          bool
				}
				if err := json.Unmarshal(m, &part); err != nil || part.Action != "snapshot" || part.Model != "bind.note" || last {
					t.Fatalf("part %d is %.100s, %v; behind the last: %v", parts, m, err, last)
				}
				if len(m) > 256<<10 {
					t.Errorf("part %d has %d bytes", parts, len(m))
				}
				parts++
				rows += len(part.Rows)
				last = !part.More
			}
			synctest.Wait()
		}
		if rows != 100 || parts != 4 || !last {
			t.Errorf("%d rows in %d parts, last %v; want 100 in 4", rows, parts, last)
		}
	})
}

// TestSubscribersShareOneRead and what is encoded.
func TestSubscribersShareOneRead(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"), h.note(2, "blue", "b"))
		first := h.connect("red")
		first.subscribed()
		before := h.db.queries()
		h.db.refused(errors.New("not now"))
		var clients []*client
		var done []<-chan error
		for range 50 {
			c := h.connect("red")
			clients, done = append(clients, c), append(done, c.subscribe())
		}
		synctest.Wait()
		h.db.refused(nil)
		h.pass(5 * time.Second)
		for i, c := range clients {
			if err := <-done[i]; err != nil {
				t.Fatal(err)
			}
			h.expect("each", c.told(), snapshot(row(1, "red", "a")))
		}
		if n := h.db.queries() - before; n != 1 {
			t.Errorf("%d queries for 50, want one", n)
		}
	})
}

// TestNothingIsMissedBetweenTheRowsAndTheStream has a commit come at each moment
// of a subscription, seen by its read or not.
func TestNothingIsMissedBetweenTheRowsAndTheStream(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		for _, tt := range []struct {
			name                  string
			deliver, thenDelivers bool
		}{
			{"delivered before the read", true, false},
			{"delivered while it is waited for", false, true},
		} {
			t.Run(fmt.Sprintf("%s, seen %v", tt.name, !hidden), func(t *testing.T) {
				inBubble(t, noteSpec(), func(h *harness) {
					h.write(h.note(1, "red", "old"), h.note(2, "red", "old"))
					c := h.connect("red")
					commit := h.db.commit(hidden, h.note(1, "red", "new"), h.gone(2), h.note(3, "red", "new"))
					if tt.deliver {
						h.db.deliver(-1)
						synctest.Wait()
						h.expect("told at once", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"new"}}
{"action":"delete","pk":2}
{"action":"create","pk":3,"data":{"rooms":"red","text":"new"}}`)
					}
					done := c.subscribe()
					synctest.Wait()
					if tt.thenDelivers {
						h.expect("before it was told", c.told(), "")
						h.db.deliver(-1)
					}
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					h.expect("told", c.told(), snapshot(row(1, "red", "new"), row(3, "red", "new")))
					h.db.show(commit.Transaction)
					h.write(h.note(3, "red", "last"))
					h.expect("then", c.told(), `{"action":"update","pk":3,"data":{"rooms":"red","text":"last"}}`)
				})
			})
		}
	}
}

// TestARowThatIsReadBetweenTwoTransactionsOfOneCommitComesOnce where the source puts
// transactions together.
func TestARowThatIsReadBetweenTwoTransactionsOfOneCommitComesOnce(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		c := h.connect("red")
		h.db.commit(false, h.note(1, "red", "a"), h.note(2, "red", "a"))
		done := c.subscribe()
		synctest.Wait()
		h.db.commit(false, h.note(1, "red", "b"), h.gone(2), h.note(3, "red", "b"))
		h.db.merge(2)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.expect("told", c.told(), snapshot(row(1, "red", "b"), row(3, "red", "b")))
	})
}

// TestAfterAGapThereIsANewSnapshot by itself, and after a change of groups.
func TestAfterAGapThereIsANewSnapshot(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"), h.note(2, "blue", "b"))
		c, plain := h.connect("red"), h.connect("red")
		c.subscribed()
		c.told()
		h.write(h.note(9, "panic", ""))
		h.expect("after a gap", c.told(), gapText+"\n"+snapshot(row(1, "red", "a")))
		h.expect("who is not subscribed", plain.told(), gapText)
		c.line.Gapped()
		h.expect("after one that the member told of", c.told(), snapshot(row(1, "red", "a")))
		h.join(c, "blue")
		h.expect("after joining a group", c.told(), snapshot(row(1, "red", "a"), row(2, "blue", "b")))
		h.leave(c, "red")
		h.expect("after leaving one", c.told(), snapshot(row(2, "blue", "b")))
		c.bound = 1
		for i := range int64(3) {
			h.write(h.note(2, "blue", strconv.FormatInt(i, 10)))
		}
		h.expect("what fits", c.told(), `{"action":"update","pk":2,"data":{"rooms":"blue","text":"0"}}`+"\n"+gapText)
		h.expect("after the member's own gap", c.told(), snapshot(row(2, "blue", "2")))
		c.bound = 0
		h.db.restart()
		h.expect("after the feed began anew", c.told(), gapText+"\n"+snapshot(row(2, "blue", "2")))
	})
}

// TestUnsubscribing ends the promise and nothing else.
func TestUnsubscribing(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c := h.connect("red")
		c.subscribed()
		c.told()
		if _, taken, err := c.line.Receive(t.Context(), json.RawMessage(`{"action":"unsubscribe"}`)); !taken || err != nil {
			t.Errorf("taken %v, %v", taken, err)
		}
		c.line.Gapped()
		h.write(h.note(1, "red", "b"))
		h.expect("then", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`)
		for _, other := range []string{`{"action":"create","data":{}}`, `{}`, `{"action":5}`, `[]`, `{"action":"Subscribe"}`} {
			if _, taken, err := c.line.Receive(t.Context(), json.RawMessage(other)); taken || err != nil {
				t.Errorf("%s: taken %v, %v", other, taken, err)
			}
		}
	})
}

// TestWhileRowsCannotBeRead has who subscribes be told that they are not available,
// in time, and loses nothing meanwhile.
func TestWhileRowsCannotBeRead(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c, live := h.connect("red"), h.connect("red")
		live.subscribed()
		live.told()
		h.db.refused(errors.New("not now"))
		live.line.Gapped()
		done := c.subscribe()
		synctest.Wait()
		h.write(h.note(1, "red", "b"))
		h.pass(time.Minute)
		var coded *rpc.Error
		if err := <-done; !errors.As(err, &coded) || coded.Code != "unavailable" {
			t.Errorf("subscribing: %v", err)
		}
		const updated = `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`
		h.expect("who gave up", c.told(), updated)
		h.expect("who waits for another snapshot", live.told(), updated)
		h.db.refused(nil)
		h.pass(10 * time.Second)
		h.expect("who gave up", c.told(), "")
		h.expect("who waited", live.told(), snapshot(row(1, "red", "b")))
	})
}

// TestWhatHasWaitedIsTold when the rows cannot be read, or are not wanted any more.
func TestWhatHasWaitedIsTold(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c := h.connect("red")
		h.db.commit(false, h.note(1, "red", "b"))
		h.db.commit(false, h.note(1, "red", "c"))
		done := c.subscribe()
		synctest.Wait()
		h.db.deliver(1)
		h.expect("while the rows wait for the feed", c.told(), "")
		c.line.Receive(t.Context(), json.RawMessage(`{"action":"unsubscribe"}`))
		h.expect("unsubscribed", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`)
		if err := <-done; err == nil {
			t.Error("a subscription that was ended has begun")
		}
		h.db.deliver(-1)
		h.expect("then", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"c"}}`)

		h.db.onRead = func() error {
			h.db.commit(false, h.note(1, "red", "d"))
			h.db.deliver(-1)
			h.pass(time.Millisecond) // it is told meanwhile
			return errors.New("not now")
		}
		done = c.subscribe()
		h.pass(10 * time.Millisecond)
		h.expect("a read that failed", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"d"}}`)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.expect("then", c.told(), snapshot(row(1, "red", "d")))
	})
}

// TestTooMuchWhileItIsRead begins a subscription again.
func TestTooMuchWhileItIsRead(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c := h.connect("red")
		for i := range 5000 {
			h.db.commit(false, h.note(1, "red", strconv.Itoa(i)))
		}
		// The read sees all of them, and waits until they were told.
		done := c.subscribe()
		synctest.Wait()
		queries := h.db.queries()
		h.db.deliver(-1)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.expect("told", c.told(), snapshot(row(1, "red", "4999")))
		if n := h.db.queries() - queries; n != 1 {
			t.Errorf("%d more queries, want one", n)
		}
	})
}

// TestALineIsClosedAtAnyMoment calls nothing of its member after that, and ends
// what waits.
func TestALineIsClosedAtAnyMoment(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begin func(h *harness, c *client)
	}{
		{"while it waits for a read", func(h *harness, c *client) { h.db.refused(errors.New("not now")); c.subscribe() }},
		{"while it waits for the feed", func(h *harness, c *client) { h.db.commit(false, h.note(1, "red", "b")); c.subscribe() }},
		{"while it sends", func(_ *harness, c *client) {
			c.bound = 1
			c.Tell(bind.NewMessage(json.RawMessage(`{}`)))
			c.subscribe()
		}},
		{"while it is live", func(_ *harness, c *client) { c.subscribe() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, noteSpec(), func(h *harness) {
				h.write(h.note(1, "red", "a"))
				c := h.connect("red")
				tt.begin(h, c)
				synctest.Wait()
				c.line.Close()
				c.line.Close()
				calls := c.calls.Load()
				h.db.refused(nil)
				h.write(h.note(1, "red", "c"))
				h.pass(time.Minute)
				if n := c.calls.Load(); n != calls {
					t.Errorf("%d calls after it was closed", n-calls)
				}
				if _, taken, err := c.line.Receive(context.Background(), json.RawMessage(`{"action":"subscribe"}`)); !taken || err == nil {
					t.Errorf("subscribing after it was closed: taken %v, %v", taken, err)
				}
			})
		})
	}
}

// TestARowThatCannotBeToldIsLeftOut begins a subscription with all others, and
// says so in the log.
func TestARowThatCannotBeToldIsLeftOut(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"), h.note(2, "panic", "b"))
		c := h.connect("red")
		c.subscribed()
		h.expect("told", c.told(), snapshot(row(1, "red", "a")))
		if log := h.log.String(); !strings.Contains(log, "GroupNames") {
			t.Errorf("logged: %s", log)
		}
	})
}

// TestACommitThatReadsDoNotSeeAndTheFeedDoesNotTell has the rows wait until they are
// seen.
func TestACommitThatReadsDoNotSeeAndTheFeedDoesNotTell(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c := h.connect("red")
		lean := *h.db.commit(true, h.note(1, "red", "b"))
		lean.Changes = append(lean.Changes[:0:0], lean.Changes...)
		lean.Changes[0].Blind, lean.Changes[0].Old = true, nil
		for i, column := range h.model.Table.Columns {
			if column.Name == "text" {
				lean.Changes[0].New = append(schema.Row(nil), lean.Changes[0].New...)
				lean.Changes[0].New[i] = schema.Value{}
				lean.Changes[0].Missing = []int{i}
			}
		}
		h.pipe.Commit(&lean)
		synctest.Wait()
		done := c.subscribe()
		h.pass(time.Second)
		h.expect("meanwhile", c.told(), gapText)
		h.db.show(lean.Transaction)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.expect("then", c.told(), snapshot(row(1, "red", "b")))
	})
}
