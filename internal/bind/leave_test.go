package bind_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoHasLeftAGroupIsToldNothingOfIt has a connection leave a group of two at each
// stage on which what is told of it may be.
func TestWhoHasLeftAGroupIsToldNothingOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		begin func(h *harness, c *client)
		want  string // what follows before what is written then
	}{
		"nothing is on its way": {func(*harness, *client) {}, ""},
		"a change is in line": {func(h *harness, c *client) {
			h.write(h.note(1, "red", "secret"))
		}, gapText},
		"changes are dropped already": {func(h *harness, c *client) {
			c.bound = 1
			h.write(h.note(1, "red", "secret"), h.note(2, "red", "secret"))
		}, gapText},
		"the parts of a snapshot are sent": {func(h *harness, c *client) {
			h.fill(100)
			c.bound = 1
			c.subscribed()
			synctest.Wait()
		}, gapText + " " + `{"action":"snapshot","rows":[{"pk":500,"data":{"rooms":"blue","text":"ours"`},
		"all parts of a snapshot are in line": {func(h *harness, c *client) {
			h.fill(100)
			c.subscribed()
			synctest.Wait()
		}, gapText + " " + `{"action":"snapshot","rows":[{"pk":500,"data":{"rooms":"blue","text":"ours"`},
		"changes wait for a snapshot": {func(h *harness, c *client) {
			h.fill(100)
			c.bound = 1
			c.subscribed()
			h.write(h.note(1, "red", "secret"))
		}, gapText + " " + `{"action":"snapshot","rows":[{"pk":500,"data":{"rooms":"blue","text":"ours"`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, noteSpec(), func(h *harness) {
				h.write(h.note(500, "blue", "ours"))
				c := h.connect("red", "blue")
				test.begin(h, c)
				h.leave(c, "red")
				var got []string
				for range 10 {
					synctest.Wait()
					got = append(got, short(c.read())...)
				}
				if text := strings.Join(got, " "); !strings.HasPrefix(text, test.want) || test.want == "" && text != "" {
					t.Errorf("got %s, want %s", text, test.want)
				}
				h.expectNothingOf("red", got)
				h.write(h.note(600, "red", "secret"), h.note(601, "blue", "theirs"))
				later := strings.Split(c.told(), "\n")
				h.expectNothingOf("red", later)
				if !strings.Contains(later[len(later)-1], `"pk":601`) {
					t.Errorf("it is not told of its other group: %s", later)
				}
			})
		})
	}
}

// TestWhoLeavesWhileACommitIsToldIsToldOfAGap has a connection leave a group when who
// is in it was found, and before they are told.
func TestWhoLeavesWhileACommitIsToldIsToldOfAGap(t *testing.T) {
	spec := noteSpec()
	var leave func()
	spec.Serialize = func(row any) (any, error) {
		if note, ok := row.(*Note); ok && note.Text == "leave" {
			leave()
		}
		return map[string]string{}, nil
	}
	for _, subscribed := range []bool{false, true} {
		t.Run(fmt.Sprint("subscribed ", subscribed), func(t *testing.T) {
			inBubble(t, spec, func(h *harness) {
				c, stays := h.connect("red", "blue"), h.connect("red")
				leave = func() { h.leave(c, "red") }
				if subscribed {
					c.subscribed()
					c.told()
				}
				h.write(h.note(1, "red", "leave"), h.note(2, "blue", "ours"))
				want := gapText
				if subscribed {
					want += "\n" + `{"action":"snapshot","rows":[{"pk":2,"data":{}}]}`
				}
				h.expect("who has left", strings.ReplaceAll(c.told(), gapText+"\n"+gapText, gapText), want)
				if got := stays.told(); !strings.Contains(got, `"pk":1`) || strings.Contains(got, "gap") {
					t.Errorf("who stays is told %s", got)
				}
			})
		})
	}
}

// TestWhoHasLeftAGroupIsNotToldWhatWaitedForARead has a read be in vain behind which a
// change waits.
func TestWhoHasLeftAGroupIsNotToldWhatWaitedForARead(t *testing.T) {
	const keep = 4
	inBubbleOf(t, noteSpec(), keep, func(h *harness) {
		c := h.connect("red", "blue")
		h.db.commit(false, h.note(1, "red", "secret"))
		for i := range int64(keep) {
			h.db.commit(false, h.note(2+i, "blue", "ours"))
		}
		begun := c.subscribe()
		synctest.Wait() // what is read is ahead of the feed
		h.db.deliver(1)
		synctest.Wait()
		h.leave(c, "red")
		for range keep { // more than is kept for the read
			h.db.deliver(1)
			synctest.Wait()
		}
		h.pass(time.Minute)
		if err := <-begun; err != nil {
			t.Error(err)
		}
		got := strings.Split(c.told(), "\n")
		h.expectNothingOf("red", got)
		if last := got[len(got)-1]; strings.Count(last, `"pk"`) != keep {
			t.Errorf("the snapshot is %s", last)
		}
	})
}

// fill writes rows of the group red that take several parts.
func (h *harness) fill(n int64) {
	for i := range n {
		h.db.commit(false, h.note(i, "red", strings.Repeat("secret ", 1300)))
	}
	h.db.deliver(-1)
	synctest.Wait()
}

func (h *harness) expectNothingOf(group string, told []string) {
	h.t.Helper()
	for _, one := range told {
		if strings.Contains(one, `"rooms":"`+group) || strings.Contains(one, "secret") {
			h.t.Errorf("it is told %.200s", one)
		}
	}
}

// short are messages without the model, cut.
func short(messages []json.RawMessage) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = fmt.Sprintf("%.200s", strings.ReplaceAll(string(m), `"model":"bind.note",`, ""))
	}
	return all
}
