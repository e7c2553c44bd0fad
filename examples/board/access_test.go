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

func TestStateOverHTTP(t *testing.T) { everywhere(t, testStateOverHTTP) }

func testStateOverHTTP(t *testing.T, d *demo) {
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

func TestStreamsAreRefused(t *testing.T) { everywhere(t, testStreamsAreRefused) }

func testStreamsAreRefused(t *testing.T, d *demo) {
	grace := d.connect(t, "grace")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/2"), "denied")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/99"), "denied")
	wantCode(t, pandotest.Refused[Me](t, grace, "users/1"), "denied")
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/one"), "bad_argument")
}

func TestInvitation(t *testing.T) { everywhere(t, testInvitation) }

func testInvitation(t *testing.T, d *demo) {
	grace := d.connect(t, "grace")
	me := pandotest.Open[Me](t, grace, "users/2")
	notebook := d.board(t, "ada", 2)
	notebook.Call(t, nil, "addMember", " grace ", RoleViewer)
	notebook.Call(t, nil, "addMember", "grace", RoleEditor) // who is one already stays one
	me.Wait(t, "the shared board", func(m *Me) bool {
		return len(m.Memberships) == 2 && m.Memberships[1].Board.Name == "Ada’s notebook"
	})
	wantCode(t, notebook.Try(t.Context(), nil, "addMember", "nobody", RoleEditor), "invalid")
	wantCode(t, notebook.Try(t.Context(), nil, "addMember", "alan", "king"), "invalid")
	if got := notebook.State().Members; len(got) != 2 || got[1].Role != RoleViewer {
		t.Errorf("the board has the members %+v", got)
	}
}

// TestRoles has members of each role do what roles are for.
func TestRoles(t *testing.T) { everywhere(t, testRoles) }

func testRoles(t *testing.T, d *demo) {
	boards := map[Role]*pandotest.Stream[Board]{
		RoleOwner: d.board(t, "ada", 1), RoleEditor: d.board(t, "grace", 1), RoleViewer: d.board(t, "mary", 1),
	}
	const everyone, editors, owners = "owner editor viewer", "owner editor", "owner"
	by := func(action string, args ...any) func(*pandotest.Stream[Board]) error {
		return func(s *pandotest.Stream[Board]) error { return s.Try(t.Context(), nil, action, args...) }
	}
	_, card := find(boards[RoleOwner].State(), guide)
	for _, c := range []struct {
		name  string
		write func(*pandotest.Stream[Board]) error
		can   string
	}{
		{"title", save("Card", card.ID, fields{"title": guide}), editors},
		{"new card", create("Card", fields{"title": "New", "position": 9}, "List", 1, "cards"), editors},
		{"new list", create("List", fields{"name": "New", "position": 9}, "Board", 1, "lists"), editors},
		{"name of a list", save("List", 1, fields{"name": "Ideas"}), editors},
		{"comment", create("Comment", fields{"body": "Yes."}, "Card", card.ID, "comments"), editors},
		{"another's comment", remove("Comment", 5), owners}, // Ada's
		{"another's words", save("Comment", 4, fields{"body": "Space."}), "none"},
		{"board", save("Board", 1, fields{"name": "Winter release"}), owners},
		{"role", save("Member", 3, fields{"role": RoleViewer}), owners},
		{"member", remove("Member", 4), owners},
		{"invitation", by("addMember", "alan", RoleEditor), owners},
		{"archive", by("archiveDone"), editors},
		{"spread", by("spreadCards", 1), editors},
		{"typing", by("typing", card.ID), editors},
		{"reading", by("readComments"), everyone},
	} {
		for _, role := range []Role{RoleViewer, RoleEditor, RoleOwner} {
			if c.name == "another's words" && role == RoleEditor {
				continue // they are Grace's
			}
			err := c.write(boards[role])
			switch allowed := strings.Contains(c.can, string(role)); {
			case allowed && err != nil:
				t.Errorf("%s: %s is refused: %v", c.name, role, err)
			case !allowed:
				t.Run(c.name+"/"+string(role), func(t *testing.T) { wantCode(t, err, "denied") })
			}
		}
	}
}

func TestOwnersStay(t *testing.T) { everywhere(t, testOwnersStay) }

func testOwnersStay(t *testing.T, d *demo) {
	board := d.board(t, "ada", 1)
	wantCode(t, board.Save(t.Context(), "Member", 1, fields{"role": RoleViewer}), "denied")
	wantCode(t, board.Delete(t.Context(), "Member", 1), "denied")
	wantCode(t, board.Save(t.Context(), "Member", 2, fields{"role": "king"}), "invalid")
	must(t, board.Save(t.Context(), "Member", 2, fields{"role": RoleOwner}))
	must(t, d.board(t, "grace", 1).Save(t.Context(), "Member", 1, fields{"role": RoleEditor}))
	wantCode(t, board.Save(t.Context(), "Board", 1, fields{"name": "Mine"}), "denied")
	must(t, board.Delete(t.Context(), "Member", 1)) // editors may leave
}

func TestRolesChangeLive(t *testing.T) { everywhere(t, testRolesChangeLive) }

func testRolesChangeLive(t *testing.T, d *demo) {
	board := d.board(t, "mary", 1)
	rename := save("List", 1, fields{"name": "Thoughts"})
	wantCode(t, rename(board), "denied")
	d.exec(t, `UPDATE board_members SET role = 'editor' WHERE user_id = $1`, d.user(t, "mary"))
	must(t, rename(board))
}

func TestFormerMembersSeeNothing(t *testing.T) { everywhere(t, testFormerMembersSeeNothing) }

func testFormerMembersSeeNothing(t *testing.T, d *demo) {
	grace := d.connect(t, "grace")
	board := pandotest.Open[Board](t, grace, "boards/1")
	found := pandotest.Open[[]Hit](t, grace, "boards/1/words/wri/wrj", searched)
	d.exec(t, `DELETE FROM board_members WHERE board_id = 1 AND user_id = 2`)
	for _, err := range []error{
		board.Save(t.Context(), "Card", 1, fields{"done": true}),
		found.Try(t.Context(), nil, "anything"),
	} {
		if err == nil {
			t.Error("a former member is answered")
		}
	}
	wantCode(t, pandotest.Refused[Board](t, grace, "boards/1"), "denied")
}

func TestDeleteBoard(t *testing.T) { everywhere(t, testDeleteBoard) }

func testDeleteBoard(t *testing.T, d *demo) {
	ada := d.connect(t, "ada")
	me, board := pandotest.Open[Me](t, ada, "users/1"), pandotest.Open[Board](t, ada, "boards/2")
	if err := board.Delete(t.Context(), "Board", 2); err != nil {
		wantCode(t, err, "denied") // the stream may be closed before it is answered: nobody is a member now
	}
	me.Wait(t, "one board less", func(m *Me) bool { return len(m.Memberships) == 1 })
	var left int
	if err := d.db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM lists WHERE board_id = 2)
		+ (SELECT count(*) FROM card_words WHERE board_id = 2)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}

func TestAddBoard(t *testing.T) { everywhere(t, testAddBoard) }

func testAddBoard(t *testing.T, d *demo) {
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

func TestViewers(t *testing.T) { everywhere(t, testViewers) }

func testViewers(t *testing.T, d *demo) {
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

func TestSeedOnce(t *testing.T) { everywhere(t, testSeedOnce) }

func testSeedOnce(t *testing.T, d *demo) {
	d.exec(t, `UPDATE boards SET name = 'Kept' WHERE id = 1`)
	if err := seed(t.Context(), &d.backend.Database, d.users); err != nil {
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

func TestLoginByPassword(t *testing.T) { everywhere(t, testLoginByPassword) }

func testLoginByPassword(t *testing.T, d *demo) {
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
