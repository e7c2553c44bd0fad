package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
)

const guide = "Write the upgrade guide" // the first card of list 2, board 1

type fields map[string]any

func TestMoveShowsEverywhere(t *testing.T) { everywhere(t, testMoveShowsEverywhere) }

func testMoveShowsEverywhere(t *testing.T, d *demo) {
	ada, grace := d.board(t, "ada", 1), d.board(t, "grace", 1)
	_, card := find(ada.State(), guide)
	must(t, ada.Save(t.Context(), "Card", card.ID, fields{"list_id": "3", "position": 1.5}))

	moved := func(b *Board) bool {
		list, _ := find(b, guide)
		return list.Name == "In progress" && list.Cards[1].Title == guide
	}
	if !moved(ada.State()) {
		t.Errorf("the mover does not see it when the write is confirmed: %s", ada.JSON())
	}
	grace.Wait(t, "the card between two others", moved)
}

func TestCards(t *testing.T) { everywhere(t, testCards) }

func testCards(t *testing.T, d *demo) {
	board := d.board(t, "ada", 1)
	_, card := find(board.State(), guide)
	alan := d.user(t, "alan")
	for _, step := range []struct {
		data fields
		want func(*Card) bool
	}{
		{fields{"title": "Guide"}, func(c *Card) bool { return c.Title == "Guide" }},
		{fields{"done": true}, func(c *Card) bool { return c.Done }},
		{fields{"assignee": alan}, func(c *Card) bool { return c.Assignee.Username == "alan" }},
		{fields{"assignee": nil}, func(c *Card) bool { return c.Assignee == nil }},
	} {
		must(t, board.Save(t.Context(), "Card", card.ID, step.data))
		if got := &board.State().Lists[1].Cards[0]; !step.want(got) {
			t.Errorf("%v: the card is %+v", step.data, got)
		}
	}
	must(t, board.Delete(t.Context(), "Card", card.ID))
	if got := board.State().Lists[1].Cards[0].ID; got == card.ID {
		t.Error("the deleted card is still there")
	}
	key, err := board.Create(t.Context(), "Card", fields{"title": "Last of all", "position": 100}, "List", 2, "cards")
	must(t, err)
	cards := board.State().Lists[1].Cards
	if last := cards[len(cards)-1]; last.Title != "Last of all" || strconv.FormatInt(last.ID, 10) != key {
		t.Errorf("the new card is %+v, its key %s", last, key)
	}
}

func TestRefusals(t *testing.T) { everywhere(t, testRefusals) }

func testRefusals(t *testing.T, d *demo) {
	board, notebook := d.board(t, "ada", 1), d.board(t, "ada", 2)
	foreignList := notebook.State().Lists[0].ID
	foreign := notebook.State().Lists[0].Cards[0].ID
	_, card := find(board.State(), guide)
	d.exec(t, `INSERT INTO users (username, name) VALUES ('charles', 'Charles Babbage')`)
	d.exec(t, `INSERT INTO comments (card_id, author_id, body) VALUES (1, $1, 'Once I was a member.')`, d.user(t, "charles"))
	board.Wait(t, "the comment", func(b *Board) bool { return len(b.Lists[0].Cards[0].Comments) == 1 })
	before := string(board.JSON())
	for _, c := range []struct {
		name        string
		write       func(s *pandotest.Stream[Board]) error
		code, field string
	}{
		{"title of another board", save("Card", foreign, fields{"title": "Mine"}), "denied", ""},
		{"to another board", save("Card", card.ID, fields{"list_id": strconv.FormatInt(foreignList, 10)}), "denied", ""},
		{"position", save("Card", card.ID, fields{"position": 1e10}), "invalid", "position"},
		{"empty title", save("Card", card.ID, fields{"title": " \n "}), "invalid", "title"},
		{"long title", save("Card", card.ID, fields{"title": strings.Repeat("ä", maxTitle+1)}), "invalid", "title"},
		{"stranger", save("Card", card.ID, fields{"assignee": "99"}), "invalid", "assignee"},
		{"former member", save("Card", card.ID, fields{"assignee": d.user(t, "charles")}), "invalid", "assignee"},
		{"archive", save("Card", card.ID, fields{"archived": true}), "unknown_write", ""},
		{"delete of another board", remove("Card", foreign), "denied", ""},
		{"card in another list", create("Card", fields{"title": "Here"}, "List", foreignList, "cards"), "denied", ""},
		{"empty comment", create("Comment", fields{"body": ""}, "Card", card.ID, "comments"), "invalid", "body"},
		{"author", create("Comment", fields{"body": "Hm", "author": "2"}, "Card", card.ID, "comments"), "unknown_write", ""},
		{"comment elsewhere", create("Comment", fields{"body": "Hello"}, "Card", foreign, "comments"), "denied", ""},
		{"empty list", create("List", fields{"name": ""}, "Board", 1, "lists"), "invalid", "name"},
		{"empty board", save("Board", 1, fields{"name": ""}), "invalid", "name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.write(board)
			wantCode(t, err, c.code)
			if coded := (*pando.Error)(nil); c.field != "" && errors.As(err, &coded) && coded.Fields[c.field] == "" {
				t.Errorf("fields %v say nothing of %s: %s", coded.Fields, c.field, coded.Message)
			}
		})
	}
	if after := string(board.JSON()); after != before {
		t.Errorf("a refused write changed the board:\n%s\nbefore:\n%s", after, before)
	}
}

func save(of string, id int64, data fields) func(*pandotest.Stream[Board]) error {
	return func(s *pandotest.Stream[Board]) error { return s.Save(context.Background(), of, id, data) }
}

func create(of string, data fields, in ...any) func(*pandotest.Stream[Board]) error {
	return func(s *pandotest.Stream[Board]) error {
		_, err := s.Create(context.Background(), of, data, in...)
		return err
	}
}

func remove(of string, id int64) func(*pandotest.Stream[Board]) error {
	return func(s *pandotest.Stream[Board]) error { return s.Delete(context.Background(), of, id) }
}

func TestSpreadCards(t *testing.T) { everywhere(t, testSpreadCards) }

func testSpreadCards(t *testing.T, d *demo) {
	board := d.board(t, "ada", 1)
	d.exec(t, `UPDATE cards SET position = 1 + id / 1e9 WHERE list_id = 1`)
	d.exec(t, `UPDATE cards SET position = 5 WHERE list_id = 2`)
	order := func(l *List) (titles []string, apart bool) {
		apart = true
		for i, c := range l.Cards {
			titles = append(titles, c.Title)
			apart = apart && c.Position == float64(i+1)
		}
		return titles, apart
	}
	before, _ := order(&board.State().Lists[0])
	board.Call(t, nil, "spreadCards", 1)
	after, apart := order(&board.State().Lists[0])
	if !apart || strings.Join(after, "|") != strings.Join(before, "|") {
		t.Errorf("got %q at %+v, want %q one apart", after, board.State().Lists[0].Cards, before)
	}
	if _, apart := order(&board.State().Lists[1]); apart {
		t.Error("another list was numbered, too")
	}
}

func TestArchiveDone(t *testing.T) { everywhere(t, testArchiveDone) }

func testArchiveDone(t *testing.T, d *demo) {
	board, notebook := d.board(t, "grace", 1), d.board(t, "ada", 2)
	var n int64
	board.Call(t, &n, "archiveDone")
	if got := len(board.State().Lists[4].Cards); n != 3 || got != 0 {
		t.Errorf("archived %d, %d are left", n, got)
	}
	if got := len(notebook.State().Lists[2].Cards); got != 2 {
		t.Errorf("another board has %d cards that are done, want 2", got)
	}
}

func TestLists(t *testing.T) { everywhere(t, testLists) }

func testLists(t *testing.T, d *demo) {
	board := d.board(t, "grace", 1)
	key, err := board.Create(t.Context(), "List", fields{"name": "Some day", "position": 9}, "Board", 1, "lists")
	must(t, err)
	lists := board.State().Lists
	if last := lists[len(lists)-1]; last.Name != "Some day" {
		t.Fatalf("the new list is not the last: %+v", lists)
	}
	must(t, board.Save(t.Context(), "List", key, fields{"name": "Never", "position": 0}))
	if got := board.State().Lists[0].Name; got != "Never" {
		t.Errorf("the first list is called %q", got)
	}
	must(t, board.Delete(t.Context(), "List", 1))
	if got := board.State().Lists[1].Name; got != "Next" {
		t.Errorf("the list behind a deleted one is called %q", got)
	}
}

func TestUpdateOfManyIsOneFrame(t *testing.T) { everywhere(t, testUpdateOfManyIsOneFrame) }

func testUpdateOfManyIsOneFrame(t *testing.T, d *demo) {
	board := d.board(t, "ada", 1)
	before := board.Frames()
	d.exec(t, `UPDATE cards SET title = upper(title)`)
	board.Wait(t, "all titles", func(b *Board) bool { _, c := find(b, strings.ToUpper(guide)); return c != nil })
	if got := board.Frames() - before; got != 1 {
		t.Errorf("%d frames, want 1", got)
	}
}
