package pando_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando"
)

// room opens a room on a socket of its own.
func (h *hall) room(t *testing.T, user, doc string) *reader {
	t.Helper()
	r := &reader{socket: dial(t, h.server, nil)}
	r.connect(user)
	r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"rooms/%s"}}`, doc)
	r.until(`"snapshot":"only"`)
	return r
}

// notices are those that a reader has got, without their frames.
func (r *reader) notices() []string {
	var all []string
	for line := range strings.Lines(r.got.String()) {
		if _, notice, ok := strings.Cut(line, `"type":"notice",`); ok {
			all = append(all, strings.TrimSuffix(strings.TrimSpace(notice), "}}"))
		}
	}
	return all
}

// TestNotify sends notices to some of several streams. Each gets a last one, so
// that it is known what did not come.
func TestNotify(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			halls, _ := openHalls(t, nodes)
			one, two := halls[0], halls[nodes-1]
			readers := map[string]*reader{"ada 1": one.room(t, "ada", "1"), "ada 2": two.room(t, "ada", "2"), "grace 1": two.room(t, "grace", "1")}
			type send struct {
				at      pando.Target
				options []pando.NotifyOption
			}
			for i, s := range []send{
				{at: pando.At[*HallChannel](1)},
				{pando.At[*HallChannel](2), []pando.NotifyOption{pando.ToUser("ada")}},
				{pando.At[*HallChannel](2), []pando.NotifyOption{pando.ToUser("grace")}},
				{pando.At[*HallChannel](), []pando.NotifyOption{pando.ToUser("grace")}},
				{at: pando.At[*HallChannel]("3")},
				{at: pando.At[*HallChannel]()},
			} {
				if err := one.app.Notify(t.Context(), s.at, "n", i, s.options...); err != nil {
					t.Fatal(err)
				}
			}
			for name, want := range map[string]string{"ada 1": "0 5", "ada 2": "1 5", "grace 1": "0 3 5"} {
				r := readers[name]
				r.until(`"value":5`)
				var got []string
				for _, n := range r.notices() {
					if value, ok := strings.CutPrefix(n, `"name":"n","value":`); ok {
						got = append(got, value)
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%s got the notices %q, want %s", name, got, want)
				}
			}
		})
	}
}

// TestOwnNotice has OnConnect notify: the notice comes behind the answer to open.
func TestOwnNotice(t *testing.T) {
	halls, _ := openHalls(t, 1)
	r := &reader{socket: dial(t, halls[0].server, nil)}
	r.connect("ada")
	r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"rooms/1"}}`)
	if got := r.until("welcome"); got != `{"stream":"s1","payload":{"type":"notice","name":"welcome","value":"ada"}}` {
		t.Errorf("got %s", got)
	}
	if before, _, _ := strings.Cut(r.got.String(), "welcome"); !strings.Contains(before, `"opened"`) {
		t.Error("the notice came before opened")
	}
}

// TestNoticeInDoubt notifies streams while their permission is asked again: who
// keeps it is told afterwards, who loses it is told nothing.
func TestNoticeInDoubt(t *testing.T) {
	o := openOffice(t)
	for _, c := range []struct {
		refuse bool
		change string
	}{
		{false, "INSERT INTO members VALUES (9, 1, 9)"},
		{true, "DELETE FROM members WHERE doc_id = 1 AND user_id = 1"},
	} {
		r := o.dial("1")
		r.open("s1", "1")
		r.until(`"snapshot":"only"`)
		done := make(chan struct{})
		step := sync.OnceFunc(func() {
			defer close(done)
			if err := o.app.Notify(context.Background(), pando.At[*DocChannel](1), "secret", 1); err != nil {
				t.Error(err)
			}
			r.Sendf(`{"stream":"@","id":8,"payload":{"type":"ping"}}`)
			r.until(`"pong"`) // would come behind it
			if len(r.notices()) > 0 {
				t.Errorf("refuse %t: a notice came in doubt", c.refuse)
			}
		})
		o.between.Store(&step)
		exec(t, o.db, c.change)
		<-done // until then the hook is the reader's only user
		if c.refuse {
			r.until(`"denied"`)
		} else {
			r.until(`"secret"`)
		}
		o.between.Store(nil)
		r.flush()
		if got := len(r.notices()); got > 0 == c.refuse {
			t.Errorf("refuse %t: %d notices came", c.refuse, got)
		}
	}
}

// TestBroadcastInstance tells of rows as they are committed, and only those who
// show them.
func TestBroadcastInstance(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			halls, db := openHalls(t, nodes)
			one, two := halls[0], halls[nodes-1]
			first, second := two.room(t, "ada", "1"), two.room(t, "ada", "2")
			exec(t, db, "UPDATE docs SET body = 'new' WHERE id = 1")
			first.until(`"new"`)
			for _, key := range []any{7, 1} {
				if err := one.app.BroadcastInstance(t.Context(), pando.At[*HallChannel](), pando.Ref[Doc](key)); err != nil {
					t.Fatal(err)
				}
			}
			const want = `{"stream":"s1","payload":{"type":"notice","name":"instance","value":{"type":"Doc","instance":{"id":"1","body":"new"}}}}`
			if got := first.until(`"name":"instance"`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if err := one.app.BroadcastInstance(t.Context(), pando.At[*HallChannel](2), pando.Ref[Doc](2)); err != nil {
				t.Fatal(err)
			}
			if got := second.until(`"name":"instance"`); !strings.Contains(got, `"body":"two"`) {
				t.Errorf("who shows another row was told %s", got)
			}
		})
	}
}

// TestBroadcastInstanceToItsAudience tells of rows that only some users see, and
// of a list whose rows are judged.
func TestBroadcastInstanceToItsAudience(t *testing.T) {
	d := openDesk(t)
	d.judge.hide("three")
	open := func(user, route, first string) *reader {
		t.Helper()
		r := &reader{socket: dial(t, d.server, nil)}
		r.connect(user)
		r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":%q}}`, route)
		r.until(first)
		return r
	}
	told := func(r *reader, at pando.Target, instances ...pando.Instance) string {
		t.Helper()
		for _, i := range instances {
			if err := d.app.BroadcastInstance(t.Context(), at, i); err != nil {
				t.Fatal(err)
			}
		}
		r.until(`"name":"instance"`)
		return strings.Join(r.notices(), " ")
	}
	judged := open("1", "judged", "two")
	// The task, its tag, and then what is shown.
	got := told(judged, pando.At[*JudgedChannel](), pando.Ref[Task](3), pando.Ref[Tag](2), pando.Ref[Tag](1))
	if want := `"name":"instance","value":{"type":"Tag","instance":{"id":"1","name":"red"}}`; got != want {
		t.Errorf("of a judged list came %s, want %s", got, want)
	}
	mine := open("1", "mine", "one")
	got = told(mine, pando.At[*MineChannel](), pando.Ref[Task](2), pando.Ref[Task](3), pando.Ref[Task](1))
	if want := `"name":"instance","value":{"type":"Task","instance":{"id":"1","title":"one","done":false}}`; got != want {
		t.Errorf("of a user's list came %s, want %s", got, want)
	}
}
