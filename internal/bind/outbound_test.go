package bind_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// TestEachConnectionGetsOneMessage where old are the groups of a row before the
// commit, and new those after it. All are connected each time.
func TestEachConnectionGetsOneMessage(t *testing.T) {
	const update = `{"action":"update","pk":1,"data":{"rooms":"blue green","text":"b"}}`
	members := []struct {
		statement string
		groups    []string
		want      string
	}{
		{"delete if it was only in old", []string{"red"}, `{"action":"delete","pk":1}`},
		{"create if only in new", []string{"green"}, `{"action":"create","pk":1,"data":{"rooms":"blue green","text":"b"}}`},
		{"update if in both", []string{"blue"}, update},
		{"update if in both by different groups", []string{"red", "green"}, update},
		{"update if in both by several", []string{"blue", "green", "red"}, update},
		{"nothing if in neither", []string{"grey"}, ""},
		{"nothing if in no group", nil, ""},
	}
	for i, m := range members {
		t.Run(m.statement, func(t *testing.T) {
			inBubble(t, noteSpec(), func(h *harness) {
				h.write(h.note(1, "red blue", "a"))
				var all []*client
				for _, other := range members {
					all = append(all, h.connect(other.groups...))
				}
				h.write(h.note(1, "blue green", "b"))
				h.expect("told", all[i].told(), m.want)
			})
		})
	}
}

// TestCreateUpdateAndDeleteAreTold of a row that stays where it is.
func TestCreateUpdateAndDeleteAreTold(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		c := h.connect("red")
		h.write(h.note(1, "red", "a"))
		h.write(h.note(1, "red", "b"))
		h.write(h.gone(1))
		h.expect("told", c.told(), `{"action":"create","pk":1,"data":{"rooms":"red","text":"a"}}
{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}
{"action":"delete","pk":1}`)
	})
}

// TestOncePerRowAndCommitWithTheRowsFinalValues nets what one commit does.
func TestOncePerRowAndCommitWithTheRowsFinalValues(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string
		commit func(h *harness) []feed.Change
		want   string
	}{
		{"create and update", "", func(h *harness) []feed.Change {
			return []feed.Change{h.note(1, "red", "a"), h.note(2, "red", "x"), h.note(1, "red", "b")}
		}, `{"action":"create","pk":1,"data":{"rooms":"red","text":"b"}}
{"action":"create","pk":2,"data":{"rooms":"red","text":"x"}}`},
		{"create and delete", "", func(h *harness) []feed.Change {
			return []feed.Change{h.note(1, "red", "a"), h.note(1, "red", "b"), h.gone(1)}
		}, ""},
		{"delete and create", "red", func(h *harness) []feed.Change {
			return []feed.Change{h.gone(1), h.note(1, "red", "b")}
		}, `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`},
		{"away and back", "red", func(h *harness) []feed.Change {
			return []feed.Change{h.note(1, "blue", "b"), h.note(1, "red", "c")}
		}, `{"action":"update","pk":1,"data":{"rooms":"red","text":"c"}}`},
		{"update and delete", "red", func(h *harness) []feed.Change {
			return []feed.Change{h.note(1, "blue", "b"), h.gone(1)}
		}, `{"action":"delete","pk":1}`},
		{"a change of the key", "red", func(h *harness) []feed.Change {
			return []feed.Change{h.gone(1), h.note(7, "red", "a")}
		}, `{"action":"delete","pk":1}
{"action":"create","pk":7,"data":{"rooms":"red","text":"a"}}`},
		{"nothing", "red", func(h *harness) []feed.Change {
			same := h.db.row(h.model.Table, schema.IntValue(1))
			return []feed.Change{put(h.model.Table, same)}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, noteSpec(), func(h *harness) {
				if tt.before != "" {
					h.write(h.note(1, tt.before, "before"))
				}
				c := h.connect("red")
				h.write(tt.commit(h)...)
				h.expect("told", c.told(), tt.want)
			})
		})
	}
}

// TestOneCommitInParts tells of a large commit once all of it is there.
func TestOneCommitInParts(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		c := h.connect("red")
		one, other, last := h.note(1, "red", "a"), h.note(2, "red", "a"), h.note(1, "red", "b")
		last.Old = one.New
		h.pipe.Commit(&feed.Commit{Position: 1, Transaction: 1, Changes: []feed.Change{one}, More: true})
		h.pipe.Commit(&feed.Commit{Position: 1, Transaction: 1, Changes: []feed.Change{other}, More: true})
		h.expect("before its end", c.told(), "")
		h.pipe.Commit(&feed.Commit{Position: 1, Transaction: 1, Changes: []feed.Change{last}})
		h.expect("told", c.told(), `{"action":"create","pk":1,"data":{"rooms":"red","text":"b"}}
{"action":"create","pk":2,"data":{"rooms":"red","text":"a"}}`)
	})
}

// TestTwoStreamsOfOneConnection are told each, and others of it are not.
func TestTwoStreamsOfOneConnection(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		one := h.connect("red")
		other := &client{h: h, conn: one.conn, room: make(chan struct{})}
		other.line = h.Open(h.model, one.conn, other)
		h.write(h.note(1, "red", "a"))
		const created = `{"action":"create","pk":1,"data":{"rooms":"red","text":"a"}}`
		h.expect("one", one.told(), created)
		h.expect("the other", other.told(), created)
		other.line.Close()
		h.write(h.gone(1))
		h.expect("one", one.told(), `{"action":"delete","pk":1}`)
		if h.expect("the other, closed", other.told(), ""); other.calls.Load() != 1 {
			t.Errorf("%d calls of a member, want one: it was closed after that", other.calls.Load())
		}
	})
}

// TestAPanicOfOneRowSkipsNothingElse has GroupNames and Serialize fail: those
// concerned are told of a gap, and all else as ever.
func TestAPanicOfOneRowSkipsNothingElse(t *testing.T) {
	spec := noteSpec()
	spec.Serialize = func(row any) (any, error) {
		note, _ := row.(*Note)
		if note.Text == "panic" {
			panic("Serialize")
		}
		return note.Text, nil
	}
	inBubble(t, spec, func(h *harness) {
		red, blue := h.connect("red"), h.connect("blue")
		h.write(h.note(1, "red", "a"), h.note(2, "blue", "panic"), h.note(3, "red", "c"))
		h.expect("red", red.told(), `{"action":"create","pk":1,"data":"a"}
{"action":"create","pk":3,"data":"c"}`)
		h.expect("blue, whose row has no data", blue.told(), gapText)
		h.write(h.note(4, "red", "d"), h.note(5, "panic", "e"), h.note(6, "red", "f"))
		h.expect("red", red.told(), `{"action":"create","pk":4,"data":"d"}
{"action":"create","pk":6,"data":"f"}
`+gapText)
		h.expect("blue, too: nobody knows whose the row is", blue.told(), gapText)
		if log := h.log.String(); strings.Count(log, "level=ERROR") != 2 || !strings.Contains(log, "GroupNames") || !strings.Contains(log, "Serialize") {
			t.Errorf("logged: %s", log)
		}
	})
}

// TestOldIsOfTheFeedNeverOfALoadedObject: what the feed does not carry is a gap, as
// nothing is told that may be wrong.
func TestOldIsOfTheFeedNeverOfALoadedObject(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		h.write(h.note(1, "red", "a"))
		c := h.connect("blue")
		lean := memdb.Lean(h.db.commit(false, h.note(1, "blue", "b")))
		h.pipe.Commit(lean)
		h.expect("a row that comes from nobody knows where", c.told(), gapText)
		lean = memdb.Lean(h.db.commit(false, h.gone(1)))
		h.pipe.Commit(lean)
		h.expect("a row that goes", c.told(), gapText)
		h.db.commit(false, h.note(5, "blue", "a"))
		h.pipe.Commit(&feed.Commit{Position: 1000, Transaction: 1000, Changes: []feed.Change{h.gone(5), h.note(5, "blue", "b")}})
		h.expect("a row of which only what it is now is known", c.told(), gapText)
		// What the old row has is not missing.
		row := h.note(2, "blue", "a")
		h.db.commit(false, row)
		next := h.note(2, "blue", "a")
		c2 := h.db.commit(false, next)
		change := c2.Changes[0]
		change.New, change.Missing = change.New[:], nil
		for i, column := range h.model.Table.Columns {
			if column.Name == "text" {
				short := append(schema.Row(nil), change.New...)
				short[i] = schema.Value{}
				change.New, change.Missing = short, []int{i}
			}
		}
		h.pipe.Commit(&feed.Commit{Position: c2.Position, Transaction: c2.Transaction, Changes: []feed.Change{change}})
		h.expect("a value that did not change", c.told(), `{"action":"update","pk":2,"data":{"rooms":"blue","text":"a"}}`)
	})
}

// TestTooMuchAtOnceIsAGap has more changes wait than are kept, by one commit and by
// many, and goes on after that.
func TestTooMuchAtOnceIsAGap(t *testing.T) {
	inBubbleOf(t, noteSpec(), 10, func(h *harness) {
		c := h.connect("red")
		var many []feed.Change
		for i := range int64(11) {
			many = append(many, h.note(i, "red", "a"))
		}
		h.write(many...)
		h.expect("one large commit", c.told(), gapText)
		h.write(h.note(1, "red", "b"))
		h.expect("after that", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`)
	})
}

// TestAMemberThatTakesNothingMoreIsToldOnceItHasToldOfTheGap has no message come
// between.
func TestAMemberThatTakesNothingMoreIsToldOnceItHasToldOfTheGap(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		c := h.connect("red")
		c.bound = 2
		for i := range int64(5) {
			h.write(h.note(i, "red", "a"))
		}
		h.expect("what fits, and a gap", c.told(), `{"action":"create","pk":0,"data":{"rooms":"red","text":"a"}}
{"action":"create","pk":1,"data":{"rooms":"red","text":"a"}}
`+gapText)
		h.write(h.note(7, "red", "b"))
		h.expect("after that", c.told(), `{"action":"create","pk":7,"data":{"rooms":"red","text":"b"}}`)
		if n := c.calls.Load(); n != 4 {
			t.Errorf("%d calls of the member, want 2 and 1 refused and 1", n)
		}
	})
}

// TestAFeedThatStartsAnewIsAGap tells nothing of what is void.
func TestAFeedThatStartsAnewIsAGap(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		synctest.Wait()
		c := h.connect("red")
		h.db.commit(false, h.note(1, "red", "a"))
		h.db.restart()
		h.expect("told", c.told(), gapText)
		h.write(h.note(1, "red", "b"))
		h.expect("after that", c.told(), `{"action":"update","pk":1,"data":{"rooms":"red","text":"b"}}`)
	})
}
