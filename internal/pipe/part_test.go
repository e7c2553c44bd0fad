package pipe_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

type Memo struct {
	ID     int64  `json:"id"`
	Text   string `json:"text"`
	UserID int64  `json:"-"`
}

type Desk struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Memos []Memo `json:"memos" pando:"user_key:user_id"`
}

// desk is a pipe over a desk, on which everybody sees only the own memos.
type desk struct {
	*harness

	memos *schema.Table
}

func atDesk(t *testing.T, cfg pipe.Config, test func(*testing.T, *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		reg := schema.NewRegistry()
		tree, err := reg.Tree(reflect.TypeFor[Desk]())
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{harness: &harness{t: t, registry: reg, db: memdb.New(reg), tree: tree, pages: tree.Layers[0].Type.Table}}
		d.memos = tree.Layers[1].Type.Table
		cfg.Source, cfg.Registry = d.db, reg
		d.Pipe = pipe.New(cfg)
		ctx, stop := context.WithCancel(t.Context())
		d.ctx = ctx
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		d.db.Started()
		d.write(d.page(1, "desk"), d.memo(1, 7, "of seven"), d.memo(2, 8, "of eight"))
		test(t, d)
	})
}

func (d *desk) memo(id, user int64, text string) feed.Change {
	row := make(schema.Row, len(d.memos.Columns))
	for i, column := range d.memos.Columns {
		row[i] = map[string]schema.Value{
			"id": schema.IntValue(id), "text": schema.TextValue(text), "user_id": schema.IntValue(user), "desk_id": schema.IntValue(1),
		}[column.Name]
	}
	return memdb.Put(d.memos, row)
}

// at opens the desk for a user, 0 is nobody.
func (d *desk) at(user int64, held ...uint64) *pipe.Attachment {
	d.t.Helper()
	r := pipe.Request{Key: route.Key{Tree: d.tree, Anchor: schema.IntValue(1)}, Subscriber: silent{}, Epoch: d.Epoch(), Held: held}
	if user != 0 {
		r.User = schema.IntValue(user)
	}
	a, err := d.Open(d.ctx, r)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func TestAUserIsShownTwoParts(t *testing.T) {
	atDesk(t, pipe.Config{}, func(t *testing.T, d *desk) {
		seven, eight, nobody := d.at(7), d.at(8), d.at(0)
		const public = `{"v":1,"snapshot":"only","set":[[0,["1","desk"]]]}`
		begin, end := `{"type":"begin","v":1}`+"\n", "\n"+`{"type":"end","v":1}`
		d.expect("seven", payloads(t, seven.Frames), begin+public+"\n"+`{"v":1,"snapshot":"only","set":[[1,["1","of seven","1"]]]}`+end)
		d.expect("eight", payloads(t, eight.Frames), begin+public+"\n"+`{"v":1,"snapshot":"only","set":[[1,["2","of eight","1"]]]}`+end)
		d.expect("nobody", payloads(t, nobody.Frames), public)
		if len(nobody.Parts) != 1 || seven.Parts[0].ID != eight.Parts[0].ID || seven.Parts[1].ID == eight.Parts[1].ID {
			t.Errorf("the parts are %v, %v and %v", seven.Parts, eight.Parts, nobody.Parts)
		}
		// A memo that is handed over, and the desk itself.
		d.write(d.memo(1, 8, "handed over"), d.page(1, "renamed"))
		const renamed = `{"v":2,"upd":[[0,"1",1,"renamed"]]}`
		d.expect("seven", pending(t, seven), renamed+"\n"+`{"v":2,"del":[[1,"1"]]}`)
		d.expect("eight", pending(t, eight), renamed+"\n"+`{"v":2,"set":[[1,["1","handed over","1"]]]}`)
		d.expect("nobody", pending(t, nobody), renamed)
	})
}

// TestPartsComeBackTogether resumes two parts of different versions: what both
// have missed is shown at once, though one of them has nothing to say.
func TestPartsComeBackTogether(t *testing.T) {
	atDesk(t, pipe.Config{}, func(t *testing.T, d *desk) {
		d.at(7)
		d.write(d.page(1, "renamed"))
		d.write(d.memo(1, 7, "changed"))
		d.write(d.memo(1, 7, "again"))
		a := d.at(7, 2, 1)
		d.expect("both", payloads(t, a.Frames), strings.Join([]string{
			`{"type":"begin","v":4}`, `{"v":3,"upd":[[1,"1",1,"changed"]]}`, `{"v":4,"upd":[[1,"1",1,"again"]]}`, `{"type":"end","v":4}`,
		}, "\n"))
		d.expect("what follows", pending(t, a), "")
		if !a.Parts[0].Resumed || !a.Parts[1].Resumed {
			t.Errorf("resumed %v and %v", a.Parts[0].Resumed, a.Parts[1].Resumed)
		}
		if a := d.at(7, 2); !a.Parts[0].Resumed || a.Parts[1].Resumed {
			t.Error("a part of which nothing is held was resumed")
		}
	})
}

func TestPartsAreCaughtUpTogether(t *testing.T) {
	atDesk(t, pipe.Config{LogBytes: 1}, func(t *testing.T, d *desk) {
		a := d.at(7)
		for _, text := range []string{"a", "b", "c"} {
			d.write(d.memo(1, 7, text))
		}
		d.write(d.page(1, "renamed"))
		frames, ready := d.CatchUp(a, nil, func() {})
		if !ready {
			t.Fatal("no answer")
		}
		d.expect("missed", payloads(t, frames), strings.Join([]string{
			`{"type":"begin","v":5}`, `{"v":5,"set":[[0,["1","renamed"]]]}`, `{"v":5,"set":[[1,["1","c","1"]]]}`, `{"type":"end","v":5}`,
		}, "\n"))
		d.write(d.memo(1, 7, "d"), d.page(1, "once more"))
		d.expect("what follows", pending(t, a), `{"v":6,"upd":[[0,"1",1,"once more"]]}`+"\n"+`{"v":6,"upd":[[1,"1",1,"d"]]}`)
	})
}

// TestAPartIsForgottenAlone closes what nobody is shown while others look at
// the scope.
func TestAPartIsForgottenAlone(t *testing.T) {
	atDesk(t, pipe.Config{Linger: time.Minute}, func(t *testing.T, d *desk) {
		d.at(8)
		seven := d.at(7)
		d.Close(seven)
		d.write(d.memo(1, 7, "while away"))
		again := d.at(7, 1, 1)
		if !again.Parts[1].Resumed || again.Parts[1].ID != seven.Parts[1].ID {
			t.Error("a part that lingers was not resumed")
		}
		d.expect("missed", payloads(t, again.Frames), `{"v":2,"upd":[[1,"1",1,"while away"]]}`)
		d.Close(again)
		d.pass(2 * time.Minute)
		d.write(d.memo(1, 7, "while forgotten"))
		anew := d.at(7, 2, 2)
		if anew.Parts[1].Resumed || anew.Parts[1].ID == seven.Parts[1].ID || !anew.Parts[0].Resumed {
			t.Error("a part that was forgotten was resumed, or the public one was not")
		}
		if got := payloads(t, anew.Frames); !strings.Contains(got, `[1,["1","while forgotten","1"]]`) {
			t.Errorf("it shows %s", got)
		}
		if s := d.Stats(); s.Scopes != 1 {
			t.Errorf("%+v", s)
		}
	})
}
