package rpc

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

type color string

type inner struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

type Shared struct {
	Owner int64 `json:"owner"`
	Depth uint8 `json:"depth"`
}

type own struct{ n int }

func (o *own) UnmarshalJSON(text []byte) error {
	_, err := fmt.Sscanf(string(text), `{"of my own":%d}`, &o.n)
	return err
}

type node struct {
	ID       int64  `json:"id"`
	Children []node `json:"children"`
}

type everything struct {
	Shared

	Named    Shared           `json:"named"`
	Keys     []int64          `json:"keys"`
	ByName   map[string]int64 `json:"byName"`
	ByKey    map[int64]inner  `json:"byKey"`
	Next     *inner           `json:"next"`
	Pair     [2]int64         `json:"pair"`
	Digits   string           `json:"digits"`
	Quoted   int64            `json:"quoted,string"`
	Raw      json.RawMessage  `json:"raw"`
	Own      own              `json:"own"`
	Color    color            `json:"color"`
	Bytes    []byte           `json:"bytes"`
	At       time.Time        `json:"at"`
	Inline   struct{ N int64 }
	Dropped  int64 `json:"-"`
	Optional *int64
}

func (b *board) Take(_ context.Context, e everything) error                { return b.say(e) }
func (b *board) Nodes(_ context.Context, n node, pair [2]int64) error      { return b.say(n, pair) }
func (b *board) Free(_ context.Context, r json.RawMessage, c *color) error { return b.say(r, c) }
func (b *board) Own(_ context.Context, o own, t *time.Time) error          { return b.say(o, t) }
func (b *board) Once(_ context.Context, tx *sql.Tx, id int64) error        { return b.say(tx, id) }
func (b *board) Late2(_ context.Context, _ int64, _ *sql.Tx) error         { return nil }
func (b *board) Twice(_ context.Context, _, _ *sql.Tx) error               { return nil }

func TestIntegersMayBeTextWhereverTheyStand(t *testing.T) {
	b := &board{}
	text := `[{"owner":"9223372036854775807","depth":"3","named":{"owner":"-4"},"keys":["1",2],"byName":{"a":"5","b":6},
		"byKey":{"7":{"id":"8","text":"9"}},"next":{"ID":"10","text":"<11>"},"pair":["1",2],"digits":"12","quoted":"13",
		"raw":{"n":"14"},"own":{"of my own":15},"color":"16","bytes":"AAE=","at":"2024-01-01T00:00:00Z","Inline":{"N":"17"},"optional":"18"}]`
	if _, err := call(t, b, (*board).Take, text); err != nil {
		t.Fatal(err)
	}
	eighteen := int64(18)
	want := everything{
		Shared: Shared{Owner: 1<<63 - 1, Depth: 3}, Named: Shared{Owner: -4}, Keys: []int64{1, 2},
		ByName: map[string]int64{"a": 5, "b": 6}, ByKey: map[int64]inner{7: {8, "9"}}, Next: &inner{10, "<11>"},
		Pair: [2]int64{1, 2}, Digits: "12", Quoted: 13, Raw: json.RawMessage(`{"n":"14"}`), Own: own{15}, Color: "16",
		Bytes: []byte{0, 1}, At: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Optional: &eighteen,
	}
	want.Inline.N = 17
	if !reflect.DeepEqual(b.said, []any{want}) {
		t.Errorf("got  %+v\nwant %+v", b.said[0], want)
	}
	if _, err := call(t, b, (*board).Nodes, `[{"id":"1","children":[{"id":"2","children":[]}]},["3","4"]]`); err != nil {
		t.Fatal(err)
	}
	if want := []any{node{1, []node{{2, []node{}}}}, [2]int64{3, 4}}; !reflect.DeepEqual(b.said, want) {
		t.Errorf("got %+v, want %+v", b.said, want)
	}
	if _, err := call(t, b, (*board).Own, `[{"of my own":1},null]`); err != nil || !reflect.DeepEqual(b.said, []any{own{1}, (*time.Time)(nil)}) {
		t.Errorf("got %+v, %v", b.said, err)
	}
	if _, err := call(t, b, (*board).Free, `[[1,"2"],"red"]`); err != nil || fmt.Sprintf("%s", b.said[0]) != `[1,"2"]` {
		t.Errorf("got %s, %v", b.said, err)
	}
}

func TestWrongMembers(t *testing.T) {
	deep := strings.Repeat(`{"id":"1","children":[`, 40) + strings.Repeat(`]}`, 40)
	for _, tt := range []struct {
		fn   any
		args string
		want string
	}{
		{(*board).Take, `[{"ownr":1}]`, `argument 1: there is no member "ownr"`},
		{(*board).Take, `[{"named":{"depht":1}}]`, `argument 1: there is no member "depht"`},
		{(*board).Take, `[{"Dropped":1}]`, `argument 1: there is no member "Dropped"`},
		{(*board).Take, `[{"keys":["one"]}]`, `argument 1: keys: want an integer, got string`},
		{(*board).Take, `[{"named":{"owner":"01"}}]`, `argument 1: named.owner: want an integer, got string`},
		{(*board).Take, `[{"named":{"owner":"1.5"}}]`, `argument 1: named.owner: want an integer, got string`},
		{(*board).Take, `[{"named":{"owner":"-"}}]`, `argument 1: named.owner: want an integer, got string`},
		{(*board).Take, `[{"named":{"depth":"256"}}]`, `argument 1: named.depth: want an integer, got number 256`},
		{(*board).Take, `[{"digits":7}]`, `argument 1: digits: want a string, got number`},
		{(*board).Nodes, `[{},["1"]]`, `argument 2: want 2 elements, got 1`},
		{(*board).Nodes, `[{},[1,2,3]]`, `argument 2: want 2 elements, got 3`},
		{(*board).Nodes, `[` + deep + `,[1,2]]`, `want an integer, got string`},
		{(*board).Own, `[{"x":1},null]`, `argument 1: want an object`},
		{(*board).Due, `[null,true]`, `argument 1: want a time like 2006-01-02T15:04:05Z, got null`},
	} {
		_, err := call(t, &board{}, tt.fn, tt.args)
		e, whole := Public(err)
		if err == nil || !whole || e.Code != "bad_argument" || !strings.HasSuffix(e.Message, tt.want) {
			t.Errorf("%.80s: got %v, want …%s", tt.args, err, tt.want)
		}
	}
}

func TestOnce(t *testing.T) {
	m, err := Compile((*board).Once)
	if err != nil || !m.Once || len(m.Args) != 1 || m.Args[0] != reflect.TypeFor[int64]() {
		t.Fatalf("got %+v, %v", m, err)
	}
	b, tx := &board{}, &sql.Tx{}
	if _, err := m.Call(t.Context(), b, tx, []json.RawMessage{[]byte(`"7"`)}); err != nil || !reflect.DeepEqual(b.said, []any{tx, int64(7)}) {
		t.Errorf("got %v, %v", b.said, err)
	}
	if m, err = Compile((*board).Move); err != nil || m.Once {
		t.Errorf("a method without a transaction is one that is applied once: %v", err)
	}
	for _, fn := range []any{(*board).Late2, (*board).Twice} {
		if _, err := Compile(fn); err == nil || !strings.Contains(err.Error(), "a *sql.Tx comes right after the context") {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzDecode finds arguments that the integers in text change the meaning of.
func FuzzDecode(f *testing.F) {
	f.Add(`{"owner":"1","keys":["2"],"digits":"3"}`)
	f.Add(`{"next":{"id":4},"byKey":{"5":{"id":"6"}}}`)
	f.Add(`{"named":null,"pair":[1]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var plain, got everything
		if json.Unmarshal([]byte(text), &plain) != nil {
			return
		}
		// What encoding/json takes as it is means the same here, unless it is refused.
		if decode(json.RawMessage(text), reflect.ValueOf(&got).Elem()) == nil && !reflect.DeepEqual(got, plain) {
			t.Errorf("%s: got %+v, want %+v", text, got, plain)
		}
	})
}
