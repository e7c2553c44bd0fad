package bind_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestWhatIsSentBehindAGapIsOfAnotherSnapshot has a gap come while the parts of one
// are sent.
func TestWhatIsSentBehindAGapIsOfAnotherSnapshot(t *testing.T) {
	for name, cut := range map[string]func(h *harness, c *client){
		"a row that cannot be told": func(h *harness, _ *client) { h.write(h.note(999, "panic", "")) },
		"a gap of the broker":       func(_ *harness, c *client) { c.line.Gap() },
		"a gap of the member's own": func(_ *harness, c *client) { c.Gap(); c.line.Gapped() },
		"subscribing again":         func(_ *harness, c *client) { c.subscribe() },
		"unsubscribing": func(_ *harness, c *client) {
			go c.line.Receive(c.h.t.Context(), json.RawMessage(`{"action":"unsubscribe"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, noteSpec(), func(h *harness) {
				for i := range int64(100) {
					h.db.commit(false, h.note(i, "red", strings.Repeat("x", 9000)))
				}
				h.db.deliver(-1)
				c := h.connect("red")
				c.bound = 1
				c.subscribed()
				synctest.Wait()
				parts := c.read() // the first one
				synctest.Wait()   // the second one is in line
				c.mu.Lock()
				c.bound = 0 // there is room for all that follows
				c.mu.Unlock()
				cut(h, c)
				for range 10 {
					synctest.Wait()
					parts = append(parts, c.read()...)
				}
				before, after, _ := strings.Cut(strings.TrimSpace(rowsOf(t, parts)), "gap")
				if want := " 28+ 28+ 28+ 16"; name != "unsubscribing" && after != want || name == "unsubscribing" && after != "" {
					t.Errorf("behind the gap come parts of%s rows, want%s; before it %s", after, want, before)
				}
			})
		})
	}
}

// rowsOf are the numbers of rows of parts, with a plus where more follow.
func rowsOf(t *testing.T, messages []json.RawMessage) string {
	t.Helper()
	var all strings.Builder
	for _, m := range messages {
		if string(m) == gapText {
			all.WriteString("gap ")
			continue
		}
		n := bytes.Count(m, []byte(`"pk"`))
		if n == 0 {
			t.Errorf("got %.100s", m)
		}
		fmt.Fprint(&all, n)
		if bytes.Contains(m, []byte(`"more":true`)) {
			all.WriteByte('+')
		}
		all.WriteByte(' ')
	}
	return all.String()
}
