package pando

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// lose has a stream lost whose client was shown something.
func lose(k *runtimes, id string) {
	v := &struct {
		AnyChannel

		base
	}{base: base{members: map[string]json.RawMessage{"n": json.RawMessage(`"` + id + `"`)}}}
	s := &stream{channel: &channel{Declaration: &Declaration{}}, request: requested{Session: id, Stream: "s1", Route: "docs/1"}, value: v}
	v.stream = s
	k.add(s, &v.base)
	k.end(s, true)
	k.add(s, &v.base) // too late
}

func (k *runtimes) has(id string) bool { return k.of(place{id, "s1", "docs/1", ""}) != nil }

func TestLostRuntimesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &runtimes{}
		for i := range keepRuntimes + 1 {
			lose(k, fmt.Sprint("s", i))
		}
		if len(k.open) != 0 || len(k.lost) != keepRuntimes || k.order.Len() != keepRuntimes {
			t.Errorf("%d open and %d, %d lost ones are kept", len(k.open), len(k.lost), k.order.Len())
		}
		if k.has("s0") || !k.has("s1") {
			t.Error("it is not the oldest that is forgotten")
		}
		<-time.After(keepRuntime / 2) // of a clock that jumps
		lose(k, "s1")
		<-time.After(keepRuntime/2 + 1)
		if k.has("s2") || !k.has("s1") || len(k.lost) != 1 || k.order.Len() != 1 {
			t.Errorf("%d runtime states are kept after their time", len(k.lost))
		}
	})
}
