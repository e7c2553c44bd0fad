package world_test

import (
	"slices"
	"testing"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// TestALinkToNothingIsInvalid draws writes in trees that show next to nothing, so
// that there is often nothing to link to.
func TestALinkToNothingIsInvalid(t *testing.T) {
	drawn := 0
	for seed := range uint64(20) {
		s := world.RandomSchema(source(seed, 1))
		world.DrawWritable(source(seed, 3), s, []string{"1"})
		data := read(t, build(t, s, seed), s)
		rng := source(seed, 4)
		for _, c := range s.Channels {
			for _, o := range world.Offers(s, c) {
				for _, row := range data.Tables[o.Table.Name] {
					alone := map[oracle.Member]bool{{Struct: o.Struct, Key: oracle.KeyText(o.Table, row)}: true}
					w := world.DrawWrite(rng, o, "save", data, alone)
					if w == nil {
						continue
					}
					nowhere := slices.ContainsFunc(w.Links, func(l world.Linked) bool {
						return l.To == "" && !o.Table.Column(l.Link[0]).Nullable
					})
					if nowhere && !w.Invalid {
						t.Fatalf("seed %d: %s of %s is to lead nowhere, and passes for valid", seed, w.Data, o.Table.Name)
					}
					if nowhere {
						drawn++
					}
				}
			}
		}
	}
	if drawn == 0 {
		t.Error("nothing was drawn that leads nowhere")
	}
}
