package wire

import (
	"testing"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// BenchmarkPatchField encodes one field of one row.
func BenchmarkPatchField(b *testing.B) {
	ref := state.Ref{Type: shelfTree(b).Layers[1].Type, Key: schema.IntValue(2)}
	encode(b, &state.Patch{N: 118, Update: []state.Update{{Ref: ref, Old: itemRow(2, "Milk", false), New: itemRow(2, "Oat milk", false)}}})
}

// BenchmarkPatchRow encodes one whole row.
func BenchmarkPatchRow(b *testing.B) {
	ref := state.Ref{Type: shelfTree(b).Layers[1].Type, Key: schema.IntValue(2)}
	encode(b, &state.Patch{N: 118, Set: []state.Instance{{Ref: ref, Row: itemRow(2, "Milk", false)}}})
}

func encode(b *testing.B, p *state.Patch) {
	b.Helper()
	b.ReportAllocs()
	var e Encoder
	for b.Loop() {
		b.SetBytes(int64(len(e.Patch("#4", p).Bytes)))
	}
}

// BenchmarkSnapshot encodes 10,000 rows.
func BenchmarkSnapshot(b *testing.B) {
	tree := shelfTree(b)
	p := state.Patch{N: 118}
	for i := range int64(10_000) {
		p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: tree.Layers[1].Type, Key: schema.IntValue(i)}, Row: itemRow(i, "Milk", true)})
	}
	b.ReportAllocs()
	var e Encoder
	for b.Loop() {
		b.SetBytes(int64(e.Snapshot("#4", &p).Size()))
	}
}
