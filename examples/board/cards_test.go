package main

import (
	"strings"
	"testing"
)

const guide = "Write the upgrade guide" // the first card of list 2, board 1

func TestMoveCardShowsEverywhere(t *testing.T) {
	d := newDemo(t)
	ada, grace := d.board(t, "ada", 1), d.board(t, "grace", 1)
	_, card := find(ada.State(), guide)
	ada.Call(t, nil, "moveCard", card.ID, 3, 1.5)

	moved := func(b *Board) bool {
		list, _ := find(b, guide)
		return list.Name == "In progress" && list.Cards[1].Title == guide
	}
	if !moved(ada.State()) {
		t.Errorf("the mover does not see it when the action returns: %s", ada.JSON())
	}
	grace.Wait(t, "the card between two others", moved)
}

func TestCardActions(t *testing.T) {
	d := newDemo(t)
	board := d.board(t, "ada", 1)
	_, card := find(board.State(), guide)
	for _, step := range []struct {
		action string
		args   []any
		want   func(*Card) bool
	}{
		{"renameCard", []any{card.ID, "  Guide "}, func(c *Card) bool { return c.Title == "Guide" }},
		{"setDone", []any{card.ID, true}, func(c *Card) bool { return c.Done }},
		{"assign", []any{card.ID, "4"}, func(c *Card) bool { return c.Assignee.Username == "alan" }},
		{"assign", []any{card.ID, nil}, func(c *Card) bool { return c.Assignee == nil }},
		{"addComment", []any{card.ID, "Begin with why."}, func(c *Card) bool {
			last := c.Comments[len(c.Comments)-1]
			return last.Body == "Begin with why." && last.Author.Username == "ada" && !last.CreatedAt.IsZero()
		}},
	} {
		board.Call(t, nil, step.action, step.args...)
		if got := &board.State().Lists[1].Cards[0]; !step.want(got) {
			t.Errorf("%s%v: the card is %+v", step.action, step.args, got)
		}
	}
	board.Call(t, nil, "deleteCard", card.ID)
	if got := board.State().Lists[1].Cards[0].ID; got == card.ID {
		t.Error("deleteCard: the card is still there")
	}
	board.Call(t, nil, "addCard", 2, "Last of all")
	if cards := board.State().Lists[1].Cards; cards[len(cards)-1].Title != "Last of all" {
		t.Errorf("addCard: the list is %+v", cards)
	}
}

func TestActionsRefuse(t *testing.T) {
	d := newDemo(t)
	board, notebook := d.board(t, "ada", 1), d.board(t, "ada", 2)
	foreignList := notebook.State().Lists[0].ID
	foreign := notebook.State().Lists[0].Cards[0].ID
	_, card := find(board.State(), guide)
	before := string(board.JSON())
	for _, c := range []struct {
		action string
		args   []any
		code   string
	}{
		{"moveCard", []any{foreign, 1, 1}, "conflict"},
		{"moveCard", []any{card.ID, foreignList, 1}, "conflict"},
		{"moveCard", []any{999, 1, 1}, "conflict"},
		{"moveCard", []any{card.ID, 1, 1e10}, "invalid"},
		{"moveCard", []any{card.ID, 1}, "bad_argument"},
		{"addCard", []any{foreignList, "Elsewhere"}, "conflict"},
		{"addCard", []any{1, " \n "}, "invalid"},
		{"addCard", []any{1, strings.Repeat("ä", maxTitle+1)}, "invalid"},
		{"renameCard", []any{foreign, "Mine"}, "conflict"},
		{"setDone", []any{foreign, true}, "conflict"},
		{"assign", []any{card.ID, 99}, "invalid"},
		{"deleteCard", []any{foreign}, "conflict"},
		{"addComment", []any{foreign, "Hello"}, "conflict"},
		{"addComment", []any{card.ID, ""}, "invalid"},
		{"renameList", []any{foreignList, "Mine"}, "conflict"},
		{"addList", []any{""}, "invalid"},
		{"renameBoard", []any{""}, "invalid"},
		{"addMember", []any{"nobody"}, "invalid"},
	} {
		t.Run(c.action+"/"+c.code, func(t *testing.T) {
			wantCode(t, board.Try(t.Context(), nil, c.action, c.args...), c.code)
		})
	}
	if after := string(board.JSON()); after != before {
		t.Errorf("a refused action changed the board:\n%s\nbefore:\n%s", after, before)
	}
}

// TestPositionsStayApart puts one card after another into the same gap, which
// halves it each time.
func TestPositionsStayApart(t *testing.T) {
	d := newDemo(t)
	board := d.board(t, "ada", 1)
	for range 60 {
		cards := board.State().Lists[0].Cards
		last := cards[len(cards)-1]
		middle := (cards[0].Position + cards[1].Position) / 2
		board.Call(t, nil, "moveCard", last.ID, 1, middle)
		now := board.State().Lists[0].Cards
		if now[1].ID != last.ID {
			t.Fatalf("the card is not the second: %+v", now)
		}
		for i := range now[1:] {
			if gap := now[i+1].Position - now[i].Position; gap < minGap {
				t.Fatalf("a gap of %g is left", gap)
			}
		}
	}
}

func TestLists(t *testing.T) {
	d := newDemo(t)
	board := d.board(t, "grace", 1)
	board.Call(t, nil, "addList", "Some day")
	lists := board.State().Lists
	last := lists[len(lists)-1]
	if last.Name != "Some day" {
		t.Fatalf("the new list is not the last: %+v", lists)
	}
	board.Call(t, nil, "renameList", last.ID, "Never")
	if got := board.State().Lists[len(lists)-1].Name; got != "Never" {
		t.Errorf("the list is called %q", got)
	}
	d.exec(t, `DELETE FROM lists WHERE id = 1`)
	board.Wait(t, "a list deleted with its cards", func(b *Board) bool { return b.Lists[0].Name == "Next" })
}

func TestUpdateOfManyIsOneFrame(t *testing.T) {
	d := newDemo(t)
	board := d.board(t, "ada", 1)
	before := board.Frames()
	d.exec(t, `UPDATE cards SET title = upper(title)`)
	board.Wait(t, "all titles", func(b *Board) bool { _, c := find(b, strings.ToUpper(guide)); return c != nil })
	if got := board.Frames() - before; got != 1 {
		t.Errorf("%d frames, want 1", got)
	}
}
