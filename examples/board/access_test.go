package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/pandotest"
)

// get asks the server as a user, or as nobody.
func (d *demo) get(t *testing.T, username, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.server.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if username != "" {
		req.Header.Set("Authorization", "Token "+d.token(t, username))
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestStateOverHTTP(t *testing.T) {
	d := newDemo(t)
	for _, c := range []struct {
		username, path string
		status         int
		want           string // part of the body
	}{
		{"grace", "/state/boards/1", 200, `{"id":"1","name":"Autumn release"`},
		{"ada", "/state/users/1", 200, `"board":{"id":"2","name":"Ada’s notebook"}`},
		{"ada", "/api/me", 200, `{"id":"1"}`},
		{"", "/", 200, "not built yet"},
		{"", "/boards/1", 200, "not built yet"},
		{"", "/state/boards/1", 401, `"code":"unauthenticated"`},
		{"", "/api/me", 401, `"code":"unauthenticated"`},
		{"grace", "/state/boards/2", 403, `"code":"denied"`},
		{"grace", "/state/users/1", 403, `"code":"denied"`},
		{"ada", "/state/boards/99", 404, `"code":"not_found"`},
		{"ada", "/state/cards/1", 404, `"code":"unknown_channel"`},
	} {
		status, body := d.get(t, c.username, c.path)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s as %q: got %d %.200s, want %d %s", c.path, c.username, status, body, c.status, c.want)
		}
		if strings.Contains(body, "argon2") {
			t.Errorf("%s shows a password", c.path)
		}
	}
}

func TestStreamsAreRefused(t *testing.T) {
	d := newDemo(t)
	grace := d.connect(t, "grace")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/2"), "denied")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/99"), "denied")
	wantCode(t, pandotest.Refused[Me](t, grace, "users/1"), "denied")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/one"), "bad_argument")
}

func TestInvitation(t *testing.T) {
	d := newDemo(t)
	grace := d.connect(t, "grace")
	me := pandotest.Open[Me](t, grace, "users/2")
	notebook := d.board(t, "ada", 2)
	notebook.Call(t, nil, "addMember", " grace ")
	notebook.Call(t, nil, "addMember", "grace") // who is one already stays one
	me.Wait(t, "the shared board", func(m *Me) bool {
		return len(m.Memberships) == 2 && m.Memberships[1].Board.Name == "Ada’s notebook"
	})
	pandotest.Open[Board](t, grace, "boards/2").Call(t, nil, "renameBoard", "Our notebook")
	me.Wait(t, "the new name", func(m *Me) bool { return m.Memberships[1].Board.Name == "Our notebook" })
	if got := len(notebook.State().Members); got != 2 {
		t.Errorf("the board has %d members", got)
	}
}

func TestFormerMembersChangeNothing(t *testing.T) {
	d := newDemo(t)
	board := d.board(t, "grace", 1)
	d.exec(t, `DELETE FROM board_members WHERE user_id = 2`)
	wantCode(t, board.Try(t.Context(), nil, "renameBoard", "Mine"), "denied")
}

func TestAddBoard(t *testing.T) {
	d := newDemo(t)
	grace := d.connect(t, "grace")
	me := pandotest.Open[Me](t, grace, "users/2")
	var id int64
	me.Call(t, &id, "addBoard", "Navy")
	if got := me.State().Memberships[1].Board; got.ID != id || got.Name != "Navy" {
		t.Errorf("the new board is %+v, its key %d", got, id)
	}
	wantCode(t, me.Try(t.Context(), nil, "addBoard", ""), "invalid")
	if got := d.board(t, "grace", id).State(); got.Owner.Username != "grace" || len(got.Lists) != 0 {
		t.Errorf("the new board is %+v", got)
	}
}

func TestViewers(t *testing.T) {
	d := newDemo(t)
	ada := d.board(t, "ada", 1)
	windows := []*pandotest.Client{d.connect(t, "grace"), d.connect(t, "grace")}
	for _, window := range windows {
		pandotest.Open[Board](t, window, "boards/1")
	}
	d.board(t, "ada", 2) // another board has viewers of its own
	waitViewers(t, ada, "Ada Lovelace", "Grace Hopper")
	for _, window := range windows {
		window.Drop()
	}
	waitViewers(t, ada, "Ada Lovelace")
}

// waitViewers waits until a board is seen to be looked at by these people.
func waitViewers(t *testing.T, s *pandotest.Stream[Board], names ...string) {
	t.Helper()
	s.Wait(t, "viewers "+strings.Join(names, ", "), func(*Board) bool {
		var r BoardRuntime
		if err := s.Runtime(&r); err != nil {
			t.Error(err)
		}
		var got []string
		for _, v := range r.Viewers {
			got = append(got, v.Name)
		}
		return cmp.Equal(got, names)
	})
}

func TestSeedOnce(t *testing.T) {
	d := newDemo(t)
	d.exec(t, `UPDATE boards SET name = 'Kept' WHERE id = 1`)
	if err := seed(t.Context(), d.db, d.users); err != nil {
		t.Fatal(err)
	}
	var boards, lists int
	var name string
	err := d.db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM boards), (SELECT count(*) FROM lists), name
		FROM boards WHERE id = 1`).Scan(&boards, &lists, &name)
	if err != nil || boards != 2 || lists != 8 || name != "Kept" {
		t.Errorf("%d boards, %d lists, %q, %v", boards, lists, name, err)
	}
}

func TestLoginByPassword(t *testing.T) {
	d := newDemo(t)
	ada := d.server.Login(t, "ada", "lovelace")
	pandotest.Open[Board](t, d.server.Connect(t, ada), "boards/2")
	resp, err := http.Post(d.server.URL+"/api/token", "application/json", strings.NewReader(`{"username":"alan","password":""}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a person without a password: %d %v, %v", resp.StatusCode, body, err)
	}
}
