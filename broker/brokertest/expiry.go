package brokertest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/broker"
)

// runExpiry runs what has to do with time: in a bubble where a broker can live
// in one, else with times that are short.
func runExpiry(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		need bool
		test func(k *kit, unit time.Duration)
	}{
		{"an unread message older than the expiry is gone", h.Features.Expiry && h.Features.Kept, (*kit).expiry},
		{"group expiry for members that died without leaving", h.Features.GroupExpiry, (*kit).groupExpiry},
	} {
		if !c.need {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if !h.Features.Bubble {
				c.test(&kit{T: t, h: h}, 500*time.Millisecond)
				return
			}
			synctest.Test(t, func(t *testing.T) { c.test(&kit{T: t, h: h}, time.Minute) })
		})
	}
}

// expiry has unread messages be gone after their time, and tells their reader.
func (k *kit) expiry(unit time.Duration) {
	b := k.open(broker.Config{Expiry: 2 * unit, Capacity: 2})
	k.send(b, "mail", "old")
	<-time.After(unit)
	k.send(b, "mail", "young")
	<-time.After(unit + unit/2)
	if m := k.receive(b, "mail"); string(m.Body) != "young" || !m.Gap {
		k.Errorf("received %s, want the young one with word of a gap", show(m))
	}
	k.send(b, "mail", "1")
	k.send(b, "mail", "2")
	<-time.After(2*unit + unit/2)
	if k.h.Features.Capacity {
		k.send(b, "mail", "3") // what is gone takes no room
		if m := k.receive(b, "mail"); string(m.Body) != "3" || !m.Gap {
			k.Errorf("received %s, want the third with word of a gap", show(m))
		}
	}
	k.send(b, "rest", "1")
	<-time.After(2*unit + unit/2)
	if m := k.receive(b, "rest"); len(m.Body) != 0 || !m.Gap {
		k.Errorf("received %s, want word of a gap", show(m))
	}
}

// groupExpiry has a member leave that nobody reads, and one stay that is read.
func (k *kit) groupExpiry(unit time.Duration) {
	b := k.open(broker.Config{GroupExpiry: 2 * unit, Expiry: 100 * unit})
	alive := k.listen(b, "alive")
	for _, member := range []string{"alive", "dead", "added"} {
		k.groupAdd(b, "group", member)
	}
	<-time.After(unit)
	k.groupAdd(b, "group", "added")
	<-time.After(unit + unit/2)
	k.groupSend(b, "group", "hello")
	alive.want("hello")
	if m := k.receive(b, "added"); string(m.Body) != "hello" {
		k.Errorf("who was added again received %s", show(m))
	}
	k.nothing(b, "dead")
}
