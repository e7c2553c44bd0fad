package redisbroker

import (
	"slices"
	"strconv"
	"testing"
)

// TestSeveralHostsShareNamesByConsistentHashing gives each host about its share of
// the names, whatever the order of the hosts, and lets one that comes take only
// what is its own then.
func TestSeveralHostsShareNamesByConsistentHashing(t *testing.T) {
	const names = 30_000
	hosts := []*host{{name: "a:6379"}, {name: "b:6379"}, {name: "c:6379"}}
	more := append(slices.Clone(hosts), &host{name: "d:6379"})
	three, turned, four := &Broker{hosts: hosts}, &Broker{hosts: slices.Clone(hosts)}, &Broker{hosts: more}
	slices.Reverse(turned.hosts)
	of, moved := map[*host]int{}, 0
	for i := range names {
		name := "room-" + strconv.Itoa(i)
		at := three.hostOf(name)
		of[at]++
		if turned.hostOf(name) != at {
			t.Fatalf("%s is elsewhere when the hosts are named in another order", name)
		}
		if now := four.hostOf(name); now != at {
			moved++
			if now != more[3] {
				t.Fatalf("%s moves from %s to %s, though neither is new", name, at.name, now.name)
			}
		}
	}
	for _, h := range hosts {
		if of[h] < names*30/100 || of[h] > names*37/100 {
			t.Errorf("%s has %d of %d names, want about a third", h.name, of[h], names)
		}
	}
	if moved < names*22/100 || moved > names*28/100 {
		t.Errorf("%d of %d names move to the fourth host, want about a quarter", moved, names)
	}
}
