package main

import (
	"errors"
	"testing"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// TestTheHistoryEndsByWhatTheDatabaseHolds notes two commits that logged nothing
// in the wrong order.
func TestTheHistoryEndsByWhatTheDatabaseHolds(t *testing.T) {
	state := func(head uint64, value any) *oracle.Data {
		return &oracle.Data{Head: head, Tables: map[string][]oracle.Row{"apples": {{int64(1), value}}}}
	}
	h := new(history)
	for _, d := range []*oracle.Data{state(6, "last"), state(7, "first"), state(7, "last"), state(7, "middle")} {
		h.add(d)
	}
	if err := h.end(state(7, "last")); err != nil {
		t.Fatal(err)
	}
	if got := h.newest(); h.len() != 4 || got.Head != 7 || got.Tables["apples"][0][1] != "last" {
		t.Errorf("of %d states the newest is %+v", h.len(), got)
	}
	for _, d := range []*oracle.Data{state(7, "other"), state(8, "last"), state(7, []byte("last"))} {
		if _, ok := errors.AsType[*divergenceError](h.end(d)); !ok {
			t.Errorf("nobody has told of %+v, and it passes", d)
		}
	}
}
