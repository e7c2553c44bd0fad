package pando_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

func TestOneCommitOnTwoStreamsIsEnclosed(t *testing.T) {
	server, db := serve(t)
	s := dial(t, server, nil)
	s.connect("grace")
	for i, board := range []string{"1", "2"} {
		if got := s.ask(fmt.Sprintf(`{"stream":"s%s","id":%d,"payload":{"type":"open","route":"boards/%s"}}`, board, i+2, board)); !strings.HasSuffix(got, "opened") {
			t.Fatal(got)
		}
		s.Read() // runtime state
		s.Read() // snapshot
	}
	exec(t, db, "UPDATE boards SET name = name || '!'")
	kinds := make([]string, 0, 4)
	for range 4 {
		m := s.Read()
		switch {
		case strings.Contains(m, `"begin"`), strings.Contains(m, `"end"`):
			kinds = append(kinds, strings.Fields(short(m))[2])
		case strings.HasPrefix(m, `{"stream":"#`):
			kinds = append(kinds, "state")
		default:
			t.Fatalf("unexpected %s", m)
		}
	}
	if got := strings.Join(kinds, " "); got != strings.Join([]string{"begin", "state", "state", "end"}, " ") {
		t.Errorf("the frames are %s", got)
	}
	exec(t, db, "UPDATE boards SET name = 'One' WHERE id = 1")
	if m := s.Read(); !strings.HasPrefix(m, `{"stream":"#`) {
		t.Errorf("a commit of one scope came as %s", m)
	}
}

func TestMarkFollowsTheFramesOfAnAction(t *testing.T) {
	server, _ := serve(t)
	s := dial(t, server, nil)
	s.connect("ada")
	s.ask(`{"stream":"s1","id":2,"payload":{"type":"open","route":"boards/1"}}`)
	s.Read()
	s.Read()
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"action","name":"rename","args":["New"]}}`)
	var kinds []string
	for range 3 {
		m := s.Read()
		switch {
		case strings.Contains(m, `"mark"`):
			kinds = append(kinds, "mark")
		case strings.HasPrefix(m, `{"stream":"#`):
			kinds = append(kinds, "state")
		default:
			kinds = append(kinds, strings.Fields(short(m))[2])
		}
	}
	if got := strings.Join(kinds, " "); got != "result state mark" && got != "state result mark" {
		t.Errorf("the frames are %s", got)
	}
}

func TestStalledClientIsCaughtUpAndDelaysNobody(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, LogBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} }))
	server := pandotest.Serve(t, app)
	client := server.Connect(t, "ada")
	slow := pandotest.Open[Board](t, client, "boards/1")
	quick := pandotest.Open[Board](t, server.Connect(t, "grace"), "boards/1")
	before := slow.Frames()
	wake := client.Stall()
	// Far more than the buffers of both kernels' sockets hold.
	const commits, size = 400, 64 << 10
	for i := range commits {
		exec(t, db, "UPDATE cards SET title = ? WHERE id = 1", fmt.Sprintf("%d %s", i, strings.Repeat("x", size)))
	}
	last := fmt.Sprintf("%d ", commits-1)
	quick.Wait(t, "the last title", func(b *Board) bool { return strings.HasPrefix(b.Lists[0].Cards[0].Title, last) })
	wake()
	slow.Wait(t, "the last title", func(b *Board) bool { return strings.HasPrefix(b.Lists[0].Cards[0].Title, last) })
	if got := slow.Frames() - before; got >= commits {
		t.Errorf("the stalled client read all %d frames: its log had no bound", got)
	}
}

func TestSilentConnectionGetsBeats(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, Heartbeat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} }))
	s := dial(t, pandotest.Serve(t, app), nil)
	for range 3 {
		if got := short(s.Read()); got != "@ 0 beat" {
			t.Fatal(got)
		}
	}
}
