package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/schema"
)

func TestMessageBytes(t *testing.T) {
	for _, tt := range []struct {
		frame *Frame
		want  string
	}{
		{Message("s1", 7, Closed{Type: "closed"}), `{"stream":"s1","id":7,"payload":{"type":"closed"}}`},
		{Message("s1", 0, Closed{Type: "closed", Code: "denied", Message: "no"}), `{"stream":"s1","payload":{"type":"closed","code":"denied","message":"no"}}`},
		{Message(Control, 1, Connected{Type: "connected"}), `{"stream":"@","id":1,"payload":{"type":"connected","user":""}}`},
		{
			Message("s1", 2, Opened{Type: "opened", Channel: "C", Epoch: "e.1", Scopes: []Scope{{ID: "#4", Resumed: true}}}),
			`{"stream":"s1","id":2,"payload":{"type":"opened","channel":"C","epoch":"e.1","scopes":[{"id":"#4","resumed":true}]}}`,
		},
		{
			Message("s1", 5, Result{Type: "result", Value: json.RawMessage("null"), Version: 121}),
			`{"stream":"s1","id":5,"payload":{"type":"result","value":null,"version":121}}`,
		},
		{
			Message("s1", 5, Error{Type: "error", Code: "invalid", Message: `a "b"`}),
			`{"stream":"s1","id":5,"payload":{"type":"error","code":"invalid","message":"a \"b\"","retry":false}}`,
		},
		{Mark("begin", 121), `{"stream":"@","payload":{"type":"begin","v":121}}`},
		{Mark("mark", 0), `{"stream":"@","payload":{"type":"mark","v":0}}`},
		{Beat, `{"stream":"@","payload":{"type":"beat"}}`},
		{Pong(8), `{"stream":"@","id":8,"payload":{"type":"pong"}}`},
	} {
		if got := framed(t, tt.frame); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestTypes(t *testing.T) {
	reg := schema.NewRegistry()
	if _, err := reg.Tree(reflect.TypeFor[shelf]()); err != nil {
		t.Fatal(err)
	}
	want := []Type{{Name: "shelf", Fields: []string{"id", "name"}}, {Name: "item", Fields: []string{"id", "title", "done", "price", "note", "@shelf_id"}}}
	if diff := cmp.Diff(want, Types(reg)); diff != "" {
		t.Error(diff)
	}
}

type counted struct {
	ID    int64  `json:"id"`
	Items int    `json:"items" pando:"count:Parts"`
	Parts []item `json:"-"`
}

// TestHiddenTypesSayNothing has a type that is read for a computed field: it
// keeps its place among the ids, and tells neither table nor columns.
func TestHiddenTypesSayNothing(t *testing.T) {
	reg := schema.NewRegistry()
	if _, err := reg.Tree(reflect.TypeFor[counted]()); err != nil {
		t.Fatal(err)
	}
	types := Types(reg)
	text, err := json.Marshal(types)
	if err != nil || len(types) != len(reg.Types) || strings.Contains(string(text), "counted_id") || !strings.Contains(string(text), `{"name":"","fields":[]}`) {
		t.Errorf("%d of %d types: %s, %v", len(types), len(reg.Types), text, err)
	}
}

func TestParseFrame(t *testing.T) {
	ping := Envelope{Stream: "@", ID: 1, Payload: json.RawMessage(`{"type":"ping"}`)}
	for _, tt := range []struct {
		frame string
		want  []Envelope
	}{
		{`{"stream":"@","id":1,"payload":{"type":"ping"}}`, []Envelope{ping}},
		{" \n[{\"stream\":\"@\",\"id\":1,\"payload\":{\"type\":\"ping\"},\"later\":true}]", []Envelope{ping}},
		{`[]`, []Envelope{}},
		{`{}`, []Envelope{{}}},
	} {
		got, err := ParseFrame([]byte(tt.frame))
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.frame, err, diff)
		}
	}
	for _, bad := range []string{``, `x`, `"text"`, `1`, `[1]`, `[{}`, `{"id":-1}`, `{"id":1.5}`, `{"id":"1"}`, `{"stream":1}`, `{} {}`} {
		if got, err := ParseFrame([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, got)
		}
	}
}

func TestValidStream(t *testing.T) {
	for name, want := range map[string]bool{
		"s1": true, "A.b_c-9": true, strings.Repeat("x", 64): true,
		"": false, "@": false, "#1": false, "a b": false, "é": false, "a\x00": false, strings.Repeat("x", 65): false,
	} {
		if ValidStream(name) != want {
			t.Errorf("%q: got %v", name, !want)
		}
	}
}

// FuzzParseFrame reads any frame: what is accepted is JSON, and comes back the
// same when it is written and read again.
func FuzzParseFrame(f *testing.F) {
	for _, seed := range []string{
		`{"stream":"@","id":1,"payload":{"type":"ping"}}`, `[{"stream":"s","id":2},{}]`, `[]`, `null`, ` [null]`, `{"id":1e3}`, `{"payload":[1,`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		envelopes, err := ParseFrame(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q is no JSON, and was accepted", data)
		}
		text, err := json.Marshal(envelopes)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFrame(text)
		if err != nil || len(again) != len(envelopes) {
			t.Fatalf("%q comes back as %+v, %v", data, again, err)
		}
		for i := range envelopes {
			if again[i].Stream != envelopes[i].Stream || again[i].ID != envelopes[i].ID {
				t.Fatalf("%q comes back as %+v", data, again)
			}
		}
	})
}
