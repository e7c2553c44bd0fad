package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

type item struct {
	ID    int64   `json:"id"`
	Title string  `json:"title"`
	Done  bool    `json:"done"`
	Price float64 `json:"price"`
	Note  *string `json:"note"`
}

type shelf struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Items []item `json:"items"`
}

func shelfTree(t testing.TB) *schema.Tree {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[shelf]())
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// values makes a row of the columns that its arguments follow; the rest is
// null.
func values(vs ...schema.Value) schema.Row { return vs }

func itemRow(id int64, title string, done bool) schema.Row {
	return values(schema.IntValue(id), schema.TextValue(title), schema.BoolValue(done), schema.FloatValue(1.5), schema.Value{}, schema.IntValue(1))
}

// framed checks the WebSocket header, and returns the payload.
func framed(t *testing.T, f *Frame) string {
	t.Helper()
	r := bytes.NewReader(f.Bytes)
	h, err := ws.ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	if h.OpCode != ws.OpText || !h.Fin || h.Masked || h.Rsv != 0 || h.Length != int64(r.Len()) {
		t.Fatalf("header %+v in front of %d bytes", h, r.Len())
	}
	payload := Payload(f.Bytes)
	if len(payload) != r.Len() || !json.Valid(payload) {
		t.Fatalf("payload %s", payload)
	}
	return string(payload)
}

func TestPatchBytes(t *testing.T) {
	tree := shelfTree(t)
	shelf, item := tree.Layers[0].Type, tree.Layers[1].Type
	ref := func(typ *schema.Type, key int64) state.Ref { return state.Ref{Type: typ, Key: schema.IntValue(key)} }
	for _, tt := range []struct {
		name  string
		patch state.Patch
		want  string
	}{
		{
			"nothing", state.Patch{N: 3},
			`{"stream":"#1","payload":{"v":3}}`,
		},
		{
			"rows", state.Patch{N: 4, Set: []state.Instance{
				{Ref: ref(shelf, 1), Row: values(schema.IntValue(1), schema.TextValue(`a "b"`))},
				{Ref: ref(item, 2), Row: itemRow(2, "Milk", false)},
			}},
			`{"stream":"#1","payload":{"v":4,"set":[[0,["1","a \"b\""]],[1,["2","Milk",false,1.5,null,"1"]]]}}`,
		},
		{
			"changed fields", state.Patch{N: 5, Update: []state.Update{
				{Ref: ref(item, 2), Old: itemRow(2, "Milk", false), New: itemRow(2, "Oat", true)},
				{Ref: ref(item, 3), Old: itemRow(3, "Eggs", false), New: itemRow(3, "Eggs", true)},
			}},
			`{"stream":"#1","payload":{"v":5,"upd":[[1,"2",1,"Oat",2,true],[1,"3",2,true]]}}`,
		},
		{
			"deletions", state.Patch{N: 6, Delete: []state.Ref{ref(shelf, 1), ref(item, 2)}},
			`{"stream":"#1","payload":{"v":6,"del":[[0,"1"],[1,"2"]]}}`,
		},
		{
			"all", state.Patch{
				N:      1<<53 - 1,
				Set:    []state.Instance{{Ref: ref(shelf, -7), Row: values(schema.IntValue(-7), schema.TextValue("é"))}},
				Update: []state.Update{{Ref: ref(item, 2), Old: itemRow(2, "a", false), New: itemRow(2, "b", false)}},
				Delete: []state.Ref{ref(item, 9)},
			},
			`{"stream":"#1","payload":{"v":9007199254740991,"set":[[0,["-7","é"]]],"upd":[[1,"2",1,"b"]],"del":[[1,"9"]]}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e Encoder
			f := e.Patch("#1", &tt.patch)
			if got := framed(t, f); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if f.Version != tt.patch.N {
				t.Errorf("version %d, want %d", f.Version, tt.patch.N)
			}
		})
	}
}

func TestFramesAreIndependentOfTheEncoder(t *testing.T) {
	var e Encoder
	f := e.Patch("#1", &state.Patch{N: 1})
	before := string(f.Bytes)
	e.Patch("#22", &state.Patch{N: 999})
	if string(f.Bytes) != before {
		t.Error("a frame has changed behind its back")
	}
}

func TestHeaderSizes(t *testing.T) {
	for _, tt := range []struct{ payload, header int }{
		{60, 2}, {125, 2}, {126, 4}, {127, 4}, {65535, 4}, {65536, 10}, {70000, 10},
	} {
		empty := len(Payload(Message("s", 0, Closed{}).Bytes))
		f := Message("s", 0, Closed{Type: strings.Repeat("x", tt.payload-empty)})
		framed(t, f)
		if got := len(f.Bytes) - len(Payload(f.Bytes)); got != tt.header || len(f.Bytes) != tt.payload+tt.header {
			t.Errorf("payload of %d bytes: header of %d, want %d", tt.payload, got, tt.header)
		}
	}
}

func TestSnapshotInParts(t *testing.T) {
	tree := shelfTree(t)
	p := state.Patch{N: 7, Set: []state.Instance{{Ref: state.Ref{Type: tree.Root.Type, Key: schema.IntValue(1)}, Row: values(schema.IntValue(1), schema.TextValue("all"))}}}
	var e Encoder
	if f := e.Snapshot("#1", &p); f.Next != nil || framed(t, f) != `{"stream":"#1","payload":{"v":7,"snapshot":"only" ,"set":[[0,["1","all"]]]}}` {
		t.Errorf("a small snapshot is %s", f.Bytes)
	}
	if f := e.Snapshot("#1", &state.Patch{N: 7}); f.Next != nil || framed(t, f) != `{"stream":"#1","payload":{"v":7,"snapshot":"only" ,"set":[]}}` {
		t.Errorf("the snapshot of nothing is %s", f.Bytes)
	}
	const items = 20_000
	for i := range int64(items) {
		p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: tree.Layers[1].Type, Key: schema.IntValue(i)}, Row: itemRow(i, "Milk", true)})
	}
	first := e.Snapshot("#1", &p)
	var words []string
	var rows, size int
	for f := first; f != nil; f = f.Next {
		size += len(f.Bytes)
		var m struct {
			Stream  string
			Payload struct {
				V        uint64
				Snapshot string
				Set      [][2]json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(framed(t, f)), &m); err != nil {
			t.Fatal(err)
		}
		if m.Stream != "#1" || m.Payload.V != 7 || f.Version != 7 {
			t.Fatalf("part of %s at %d", m.Stream, m.Payload.V)
		}
		if len(f.Bytes) > partSize+1000 {
			t.Errorf("a part of %d bytes", len(f.Bytes))
		}
		words = append(words, m.Payload.Snapshot)
		for _, row := range m.Payload.Set {
			if want := `["` + p.Set[rows].Key.String() + `",`; !strings.HasPrefix(string(row[1]), want) {
				t.Fatalf("row %d is %s", rows, row[1])
			}
			rows++
		}
	}
	if first.Size() != size {
		t.Errorf("the parts are %d bytes, and say %d", size, first.Size())
	}
	if rows != items+1 {
		t.Errorf("%d rows, want %d", rows, items+1)
	}
	last := len(words) - 1
	if last < 2 || words[0] != "first" || words[last] != "last" || strings.Join(words[1:last], "") != strings.Repeat("more", last-1) {
		t.Errorf("the parts are called %v", words)
	}
}

func TestEncodingAllocatesTheFrameOnly(t *testing.T) {
	tree := shelfTree(t)
	p := state.Patch{N: 5, Update: []state.Update{{
		Ref: state.Ref{Type: tree.Layers[1].Type, Key: schema.IntValue(2)}, Old: itemRow(2, "a", false), New: itemRow(2, "b", false),
	}}}
	var e Encoder
	if allocs := testing.AllocsPerRun(100, func() { e.Patch("#1", &p) }); allocs > 2 {
		t.Errorf("%v allocations, want 2: the frame and its bytes", allocs)
	}
}

// TestScopesShareWhatIsSaidOfARow encodes the same rows for two scopes: the
// second frame repeats the bytes of the first, in this turn only.
func TestScopesShareWhatIsSaidOfARow(t *testing.T) {
	tree := shelfTree(t)
	item := tree.Layers[1].Type
	var p state.Patch
	p.N = 5
	for i := range int64(2 * recentRows) {
		ref := state.Ref{Type: item, Key: schema.IntValue(i)}
		p.Set = append(p.Set, state.Instance{Ref: ref, Row: itemRow(i, "a", false)})
		p.Update = append(p.Update, state.Update{Ref: ref, Old: itemRow(i, "a", false), New: itemRow(i, "b", false)})
	}
	var e, plain Encoder
	one, two := e.Patch("#1", &p), e.Patch("#2", &p)
	if got, want := framed(t, two), framed(t, plain.Patch("#2", &p)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := framed(t, two), strings.Replace(framed(t, one), "#1", "#2", 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A row that is written over tells that its bytes were copied.
	p.Set[0].Row[1] = schema.TextValue("never said")
	if strings.Contains(framed(t, e.Patch("#3", &p)), "never said") {
		t.Error("the row was encoded again")
	}
	e.Turn()
	if !strings.Contains(framed(t, e.Patch("#4", &p)), "never said") {
		t.Error("the next turn repeats what is over")
	}
}
