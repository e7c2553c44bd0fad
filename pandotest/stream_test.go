package pandotest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type Album struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Songs []Song `json:"songs" pando:"order:position"`
}

type Song struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Position float64 `json:"-"`
}

// songs is an album as JSON.
func songs(titles ...string) string {
	var list []string
	for _, title := range titles {
		id, title, _ := strings.Cut(title, " ")
		list = append(list, fmt.Sprintf(`{"id":"%s","title":"%s"}`, id, title))
	}
	return `{"id":"1","name":"x","songs":[` + strings.Join(list, ",") + `]}`
}

// shows checks a stream's state once the client has read all that was said.
func shows[S any](p *puppet, st *Stream[S], want string) {
	p.t.Helper()
	p.read(st.client)
	if got := string(st.JSON()); got != want {
		p.t.Errorf("got  %s\nwant %s", got, want)
	}
}

// states collects what a stream shows.
func states[S any](st *Stream[S]) *[]string {
	var all []string
	st.Observe(func(v uint64, state []byte) { all = append(all, fmt.Sprintf("%d %s", v, state)) })
	return &all
}

const (
	albumOnly = `#1 {"v":5,"snapshot":"only","set":[[0,["1","x"]],[1,["2","a","1",2]]]}`
	mineOnly  = `#2 {"v":5,"snapshot":"only","set":[[1,["2","a","1",2]],[1,["3","b","1",1]]]}`
)

// TestTwoScopes shows a channel whose rows come in two scopes.
func TestTwoScopes(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	st, err := NewStream[Album](c, "albums/1")
	if err != nil {
		t.Fatal(err)
	}
	seen := states(st)
	p.open("albums/1", "AlbumChannel", "#1,#2", albumOnly, mineOnly)
	if err := st.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	shows(p, st, songs("3 b", "2 a"))
	p.commit(`#1 {"v":6,"del":[[1,"2"]]}`, `#2 {"v":6,"upd":[[1,"3",1,"c"]]}`)
	shows(p, st, songs("3 c", "2 a"))
	p.state(`#2 {"v":7,"del":[[1,"2"]]}`)
	shows(p, st, songs("3 c"))
	want := []string{"5 " + songs("3 b", "2 a"), "6 " + songs("3 c", "2 a"), "7 " + songs("3 c")}
	if !slices.Equal(*seen, want) {
		t.Errorf("shown:\n%s\nwant:\n%s", strings.Join(*seen, "\n"), strings.Join(want, "\n"))
	}

	// One scope goes on, the other is read anew: nothing new is shown until
	// both are there.
	p.open("albums/1", "AlbumChannel", "#8 resumed,#9", `#8 {"v":8,"upd":[[0,"1",1,"y"]]}`)
	p.redial(c)
	done := make(chan error, 1)
	go func() { done <- st.Resume(t.Context()) }()
	st.Wait(t, "the patch of the first scope", func(*Album) bool { return st.Version() == 8 })
	shows(p, st, songs("3 c"))
	if got, want := p.resumed(), `{"epoch":"e","versions":[6,7]}`; got != want {
		t.Errorf("asked to resume %s, want %s", got, want)
	}
	p.state(`#9 {"v":8,"snapshot":"only","set":[[1,["4","d","1",1]]]}`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	shows(p, st, `{"id":"1","name":"y","songs":[{"id":"4","title":"d"}]}`)
}

// TestSharedScope shows a scope by two streams, whose frames come once.
func TestSharedScope(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	p.open("albums/1", "AlbumChannel", "#1", albumOnly)
	one := Open[Album](t, c, "albums/1")
	p.open("albums/1", "AlbumChannel", "#1 resumed")
	two := Open[Album](t, c, "albums/1")
	shows(p, two, songs("2 a"))
	p.state(`#1 {"v":6,"upd":[[1,"2",1,"b"]]}`)
	shows(p, one, songs("2 b"))
	shows(p, two, songs("2 b"))
	if got := two.State(); got == nil || got.Songs[0] != (Song{ID: 2, Title: "b"}) {
		t.Errorf("got %+v", got)
	}
	if err := one.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	frames := one.Frames()
	p.state(`#1 {"v":7,"del":[[1,"2"]]}`)
	shows(p, one, songs("2 b"))
	shows(p, two, songs())
	if err := two.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.state(`#1 {"v":8}`)
	p.read(c)
	if one.Frames() != frames || two.Frames() != 3 {
		t.Errorf("%d and %d frames, want %d and 3: one of them after the close", one.Frames(), two.Frames(), frames)
	}

	// Of a connection that is gone only the versions remain.
	p.open("albums/1", "AlbumChannel", "#2 resumed")
	p.redial(c)
	if err := two.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := p.resumed(), `{"epoch":"e","versions":[6]}`; got != want {
		t.Errorf("asked to resume %s, want %s", got, want)
	}
	shows(p, one, songs())

	// Another struct over the same rows will do as long as it asks no more.
	type Album struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
		More []Song `json:"more"`
	}
	shows(p, Open[Album](t, c, "albums/1"), `{"id":"1","name":"x","more":[]}`)
}

// TestSharedScopeOfAnotherStruct refuses a struct that knows more than the one
// by which the scope is read.
func TestSharedScopeOfAnotherStruct(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	p.open("albums/1", "AlbumChannel", "#1", albumOnly)
	{
		type Album struct {
			ID int64 `json:"id"`
		}
		Open[Album](t, c, "albums/1")
	}
	p.open("albums/1", "AlbumChannel", "#1 resumed")
	if err := Refused[Album](t, c, "albums/1"); !strings.Contains(err.Error(), "Album.name was not read") {
		t.Errorf("got %v", err)
	}
	p.read(c) // and with it that the stream was closed again
}

// TestSnapshotWhileOpen reads a scope anew in parts; the old state is shown
// until the last has come.
func TestSnapshotWhileOpen(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	p.open("albums/1", "AlbumChannel", "#1", albumOnly)
	st := Open[Album](t, c, "albums/1")
	p.state(`#1 {"v":9,"snapshot":"first","set":[[0,["1","x"]],[1,["5","e","1",1]]]}`, `#1 {"v":9,"snapshot":"more","set":[[1,["6","f","1",2]]]}`)
	shows(p, st, songs("2 a"))
	if st.Version() != 5 {
		t.Errorf("version %d, want 5", st.Version())
	}

	// A stream that joins in the middle takes what has come of it.
	p.open("albums/1", "AlbumChannel", "#1 resumed")
	late := Open[Album](t, c, "albums/1")
	p.state(`#1 {"v":9,"snapshot":"last","set":[[1,["7","g","1",0]]]}`)
	shows(p, st, songs("7 g", "5 e", "6 f"))
	shows(p, late, songs("7 g", "5 e", "6 f"))
	if st.Frames() != 4 || st.Version() != 9 {
		t.Errorf("%d frames up to version %d, want 4 up to 9", st.Frames(), st.Version())
	}
}

func TestStreamRefusesWhatIsNoHistory(t *testing.T) {
	for name, tt := range map[string]struct{ scopes, frame, want string }{
		"back in time":         {"#1", `#1 {"v":4}`, "from version 5 to 4"},
		"a patch in between":   {"#1", `#1 {"v":9,"snapshot":"first"}#1 {"v":9}`, "between the parts"},
		"a part of nothing":    {"#1", `#1 {"v":9,"snapshot":"more"}`, "has not begun"},
		"a type of no hello":   {"#1", `#1 {"v":9,"del":[[77,"1"]]}`, "hello has no type 77"},
		"resumed from nothing": {"#1 resumed", "", "never held"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPuppet(t)
			c := p.dial()
			p.open("albums/1", "AlbumChannel", tt.scopes, albumOnly)
			st, err := NewStream[Album](c, "albums/1")
			if err != nil {
				t.Fatal(err)
			}
			if err = st.Resume(t.Context()); err == nil {
				for f := range strings.SplitSeq(strings.ReplaceAll(tt.frame, "}#", "}\n#"), "\n") {
					p.state(f)
				}
				err = st.until(t.Context(), func() bool { return false })
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			p.read(c)
		})
	}
}

func TestList(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	p.open("songs", "SongsChannel", "#1", `#1 {"v":5,"snapshot":"only","set":[[2,["2",1]],[1,["2","a",null,1]],[2,["3",2]],[1,["3","b",null,2]]]}`)
	newest := schema.AsList(schema.ListSpec{Name: "Songs", Order: []string{"-position"}})
	st := Open[[]*Song](t, c, "songs", newest)
	shows(p, st, `[{"id":"3","title":"b"},{"id":"2","title":"a"}]`)
	got := st.Wait(t, "both songs", func(s *[]*Song) bool { return len(*s) == 2 })
	if (*got)[0].Title != "b" || (*got)[1].ID != 2 {
		t.Errorf("got %+v, %+v", (*got)[0], (*got)[1])
	}
	p.state(`#1 {"v":6,"upd":[[2,"2",1,3],[1,"2",3,3]]}`, `#1 {"v":7,"del":[[2,"3"],[1,"3"]]}`)
	shows(p, st, `[{"id":"2","title":"a"}]`)
	p.state(`#1 {"v":8,"del":[[2,"2"],[1,"2"]]}`)
	shows(p, st, `[]`)
	if got := st.State(); got == nil || *got == nil || len(*got) != 0 {
		t.Errorf("an empty list is %v", got)
	}
	if err := Refused[[]Song](t, c, "songs"); !strings.Contains(err.Error(), "@position") {
		t.Errorf("got %v, want an error that names the order", err)
	}
	p.read(c) // and with it that the stream was closed again
}

func TestKeyOfSeveralColumns(t *testing.T) {
	type Copy struct {
		Shelf  string `json:"shelf" pando:"key"`
		Number int64  `json:"number" pando:"key"`
		Note   string `json:"note"`
	}
	p := newPuppet(t)
	c := p.dial()
	const route = "copies/a%252Cb,7" // the key "a%2Cb,7" as a segment
	p.open(route, "CopyChannel", "#1", `#1 {"v":5,"snapshot":"only","set":[[3,["a,b","7","n","a%2Cb,7"]],[3,["a,b","8","o","a%2Cb,8"]]]}`)
	st := Open[Copy](t, c, route)
	shows(p, st, `{"shelf":"a,b","number":"7","note":"n"}`)
	if got := st.State(); got == nil || *got != (Copy{"a,b", 7, "n"}) {
		t.Errorf("got %+v", got)
	}
	p.state(`#1 {"v":6,"del":[[3,"a%2Cb,7"]]}`)
	shows(p, st, `null`)
	if got := st.State(); got != nil {
		t.Errorf("got %+v of a row that is gone", got)
	}
}

// TestResumeEndsWithItsContext ends a Resume that is not answered.
func TestResumeEndsWithItsContext(t *testing.T) {
	p := newPuppet(t)
	c := p.dial()
	p.open("albums/1", "AlbumChannel", "#1")
	st, err := NewStream[Album](c, "albums/1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- st.Resume(ctx) }()
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
	p.read(c)
}
