package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/pando-sync/pando/client"
)

// TestNodes runs the board as two processes, whose clients see, meet and act upon
// each other as if there were one.
func TestNodes(t *testing.T) {
	onBrokers(t, "nodes", func(c *cluster) {
		// Both migrate and seed the empty database at once.
		first, second := c.begin(), c.begin()
		first.await(200)
		second.await(200)
		p := &pair{c: c, adaToken: c.token("ada"), graceToken: c.token("grace"), graceURL: second.url}
		p.adaClient, p.graceClient = c.connect(first.url, p.adaToken), c.connect(second.url, p.graceToken)
		p.ada, p.grace = follow[Board](c.t, p.adaClient, "boards/1"), follow[Board](c.t, p.graceClient, "boards/1")
		for _, step := range []struct {
			name string
			run  func(*testing.T, *pair)
		}{
			{"rows", rowsCross}, {"presence", presenceCrosses}, {"events", eventsCross}, {"notices", noticesCross},
			{"once", onceIsOnce}, {"revocation", revocationCrosses}, {"logout", logoutCrosses},
		} {
			c.t.Run(step.name, func(t *testing.T) { step.run(t, p) })
		}
	})
}

// pair is Ada at one node and Grace at another.
type pair struct {
	c                      *cluster
	adaToken, graceToken   string
	graceURL               string
	adaClient, graceClient *client.Client
	ada, grace             *client.Stream[Board]
}

// rowsCross: a page at one node sees what a client of the other writes, and what
// SQL does.
func rowsCross(t *testing.T, p *pair) {
	_, card := find(new(p.grace.State()), guide)
	must(t, p.grace.Save(t.Context(), "Card", card.ID, fields{"title": "Crossed"}))
	crossed := func(b Board) bool { _, card := find(&b, "Crossed"); return card != nil }
	if !crossed(p.grace.State()) {
		t.Error("the writer does not see what was confirmed")
	}
	eventually(t, p.ada, "the other node's write", crossed)
	_, err := p.c.db.ExecContext(t.Context(), `UPDATE cards SET title = $1 WHERE id = $2`, guide, card.ID)
	must(t, err)
	for _, s := range []*client.Stream[Board]{p.ada, p.grace} {
		eventually(t, s, "what SQL did", func(b Board) bool { _, card := find(&b, guide); return card != nil })
	}
}

// told waits for a runtime state.
func told(t *testing.T, s *client.Stream[Board], what string, ok func(*BoardRuntime) bool) {
	t.Helper()
	eventually(t, s, what, func(Board) bool {
		var r BoardRuntime
		must(t, s.Runtime(&r))
		return ok(&r)
	})
}

// presenceCrosses: each sees that the other has the board open, and that a third
// comes and goes.
func presenceCrosses(t *testing.T, p *pair) {
	viewers := func(n int) func(*BoardRuntime) bool { return func(r *BoardRuntime) bool { return len(r.Viewers) == n } }
	told(t, p.ada, "two viewers", viewers(2))
	told(t, p.grace, "two viewers", viewers(2))
	third := p.c.connect(p.graceURL, p.c.token("mary"))
	follow[Board](t, third, "boards/1")
	told(t, p.ada, "three viewers", viewers(3))
	third.Close()
	told(t, p.ada, "two viewers again", viewers(2))
}

// eventsCross: what a stream does at one node changes the runtime state of those
// at the other.
func eventsCross(t *testing.T, p *pair) {
	_, err := client.Call[struct{}](t.Context(), p.ada, "typing", 5)
	must(t, err)
	told(t, p.grace, "Ada typing", func(r *BoardRuntime) bool { return len(r.Typing) == 1 && r.Typing[0].Card == 5 })
	_, err = p.grace.Create(t.Context(), "Comment", fields{"body": "From afar"}, client.In("Card", 5, "comments"))
	must(t, err)
	told(t, p.ada, "an unread comment", func(r *BoardRuntime) bool { return r.Unread == 1 })
}

// noticesCross: a mention reaches the user, at whichever node.
func noticesCross(t *testing.T, p *pair) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := p.ada.Create(ctx, "Comment", fields{"body": "@grace, look"}, client.In("Card", 5, "comments"))
	must(t, err)
	for notice, err := range p.grace.Notices(ctx) {
		must(t, err)
		var text string
		must(t, json.Unmarshal(notice.Value, &text))
		if want := "Ada Lovelace mentioned you: " + guide; notice.Name != "mention" || text != want {
			t.Errorf("the notice is %s %q, want %q", notice.Name, text, want)
		}
		return
	}
}

// onceIsOnce: a request that is asked again at another node is not applied again.
func onceIsOnce(t *testing.T, p *pair) {
	here := follow[Me](t, p.adaClient, "users/1")
	elsewhere := follow[Me](t, p.c.connect(p.graceURL, p.adaToken), "users/1")
	var ids []string
	for _, s := range []*client.Stream[Me]{here, elsewhere} {
		id, err := client.CallKeyed[json.RawMessage](t.Context(), s, "the-same", "addBoard", "Only one")
		must(t, err)
		ids = append(ids, string(id))
	}
	var boards int
	must(t, p.c.db.QueryRowContext(t.Context(), `SELECT count(*) FROM boards WHERE name = 'Only one'`).Scan(&boards))
	if ids[0] != ids[1] || boards != 1 {
		t.Errorf("the board is %s at one node and %s at the other; there are %d", ids[0], ids[1], boards)
	}
}

// revocationCrosses: who loses a membership by a write at one node is shown
// nothing more by the other.
func revocationCrosses(t *testing.T, p *pair) {
	var member int64
	must(t, p.c.db.QueryRowContext(t.Context(), `SELECT id FROM board_members WHERE board_id = 1 AND user_id = 2`).Scan(&member))
	must(t, p.ada.Delete(t.Context(), "Member", member))
	eventually(t, p.grace, "the end of Grace's stream", func(Board) bool { return p.grace.Err() != nil })
	wantClientCode(t, p.grace.Err(), "denied")
}

// logoutCrosses: a token that is revoked closes connections at every node.
func logoutCrosses(t *testing.T, p *pair) {
	elsewhere := follow[Board](t, p.c.connect(p.graceURL, p.adaToken), "boards/1")
	must(t, p.c.users.Revoke(t.Context(), p.adaToken))
	for _, s := range []*client.Stream[Board]{p.ada, elsewhere} {
		eventually(t, s, "the end of Ada's login", func(Board) bool { return s.Err() != nil })
		wantClientCode(t, s.Err(), "unauthenticated")
	}
}

func wantClientCode(t *testing.T, err error, code string) {
	t.Helper()
	coded := (*client.Error)(nil)
	if !errors.As(err, &coded) || coded.Code != code {
		t.Errorf("got %v, want an error %s", err, code)
	}
}
