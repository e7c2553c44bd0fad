package pipe_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

type Note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// silent is a subscriber that is never asked anything.
type silent struct{}

func (silent) Ready() {}

// TestOpenShowsThePresent opens a scope whose encoded state is of the past: what
// was said since comes enclosed with it, so that the past is not shown.
func TestOpenShowsThePresent(t *testing.T) {
	reg := schema.NewRegistry()
	tree, err := reg.Tree(reflect.TypeFor[Note]())
	if err != nil {
		t.Fatal(err)
	}
	notes := tree.Root.Type.Table
	db := memdb.New(reg)
	p := pipe.New(pipe.Config{Source: db, Registry: reg})
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	db.Started()
	write := func(text string) {
		db.Commit(memdb.Put(notes, schema.Row{schema.IntValue(1), schema.TextValue(text)}))
		db.Deliver()
	}
	open := func() string {
		a, err := p.Open(ctx, pipe.Request{Key: route.Key{Tree: tree, Anchor: schema.IntValue(1)}, Subscriber: silent{}})
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := a.Parts[0].Cursor.Peek(a.Hub.Watermark()); f != nil {
			t.Errorf("%s comes after what the open brought", f.Bytes)
		}
		var all strings.Builder
		for _, f := range a.Frames {
			_, text, _ := strings.Cut(string(f.Bytes), `"payload":`)
			text = strings.Replace(text, `"only" ,`, `"only",`, 1) // room for a longer word
			all.WriteString(strings.TrimSuffix(text, "}") + "\n")
		}
		return all.String()
	}

	write("a first text, longer than what changes it")
	const first = `{"v":1,"snapshot":"only","set":[[0,["1","a first text, longer than what changes it"]]]}` + "\n"
	if got := open(); got != first {
		t.Errorf("the first open brings\n%s, want\n%s", got, first)
	}
	write("b")
	want := `{"type":"begin","v":2}` + "\n" + first + `{"v":2,"upd":[[0,"1",1,"b"]]}` + "\n" + `{"type":"end","v":2}` + "\n"
	if got := open(); got != want {
		t.Errorf("the second open brings\n%s, want\n%s", got, want)
	}
}
