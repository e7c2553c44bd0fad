package route_test

import (
	"testing"

	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// TestPartsAreForgotten closes the part of a user who has no rows: a scope that
// many users visit must not hold all of them.
func TestPartsAreForgotten(t *testing.T) {
	w := newWorld(t, 10)
	w.openScope("documents/1(a)")
	for len(w.wants) > 0 || !w.open["documents/1(a)"].scope.Ready() {
		w.turn(func(*client, *state.Patch) {})
		w.ask(t)
		w.merge()
	}
	s := w.open["documents/1(a)"].scope
	part := w.router.Part(s, schema.IntValue(7))
	if !w.router.Loaded(part) || part != w.router.Part(s, schema.IntValue(7)) {
		t.Fatal("the part of a user is not there while it is open")
	}
	w.router.ClosePart(part)
	w.router.Flush(func(*route.Scope, *state.Patch) {})
	if part == w.router.Part(s, schema.IntValue(7)) {
		t.Error("the part of a user without rows stays in memory after it was closed")
	}
}
