package brokertest

import (
	"errors"
	"strconv"

	"github.com/pando-sync/pando/broker"
)

func (k *kit) groups() {
	b := k.open(broker.Config{})
	one, two := k.listen(b, "one"), k.listen(b, "two")
	k.groupSend(b, "group", "to nobody")
	for _, member := range []string{"one", "two", "two"} { // a member is one however often it is added
		k.groupAdd(b, "group", member)
	}
	k.groupAdd(b, "others", "one")
	k.groupSend(b, "group", "1")
	k.groupSend(b, "others", "2")
	k.groupSend(b, "group", "3")
	if m := one.next(); string(m.Body) != "1" || m.Group != "group" || m.Channel != "one" || m.Gap {
		k.Errorf("received %s", show(m))
	}
	if m := one.next(); string(m.Body) != "2" || m.Group != "others" {
		k.Errorf("received %s", show(m))
	}
	one.want("3")
	two.want("1", "3")
	for range 2 { // who is no member may be discarded
		if err := b.GroupDiscard(k.Context(), "group", "two"); err != nil {
			k.Fatal(err)
		}
	}
	k.groupSend(b, "group", "4")
	k.send(b, "two", "5")
	one.want("4")
	two.want("5")
}

// twoProcesses has a group with members of two processes.
func (k *kit) twoProcesses() {
	b := k.open(broker.Config{})
	other := k.join(b)
	mine, err := b.NewChannel(k.Context(), "node")
	if err != nil {
		k.Fatal(err)
	}
	theirs, err := other.NewChannel(k.Context(), "node")
	if err != nil {
		k.Fatal(err)
	}
	one, two := k.listen(b, mine), k.listen(other, theirs)
	k.groupAdd(b, "group", mine+"part")
	k.groupAdd(other, "group", theirs)
	for i := range 20 {
		k.groupSend(b, "group", strconv.Itoa(i))
	}
	for i := range 20 {
		if m := one.next(); string(m.Body) != strconv.Itoa(i) || m.Channel != mine+"part" {
			k.Fatalf("received %s, want message %d for a part", show(m), i)
		}
		two.want(strconv.Itoa(i))
	}
}

func (k *kit) fill(b broker.Broker, channel string, n int) {
	k.Helper()
	for i := range n {
		k.send(b, channel, strconv.Itoa(i))
	}
	k.full(b, channel)
}

func (k *kit) full(b broker.Broker, channel string) {
	k.Helper()
	if err := b.Send(k.Context(), channel, nil); !errors.Is(err, broker.ErrChannelFull) {
		k.Fatalf("send to %s, which is full: %v", channel, err)
	}
}

func (k *kit) capacity() {
	b := k.open(broker.Config{})
	k.fill(b, "mail", broker.DefaultCapacity)
	k.want(b, "mail", "0")
	k.send(b, "mail", "one more")
	k.full(b, "mail")
	for i := 1; i < broker.DefaultCapacity; i++ {
		k.want(b, "mail", strconv.Itoa(i))
	}
	// Who was refused knows: it is no gap.
	k.want(b, "mail", "one more")
	k.nothing(b, "mail")
}

func (k *kit) capacityByPattern() {
	b := k.open(broker.Config{Capacity: 3, Capacities: []broker.Capacity{
		{Pattern: "http.request", Messages: 5}, {Pattern: "http.*", Messages: 2}, {Pattern: "http.request.slow", Messages: 9},
	}})
	k.fill(b, "http.request", 5)
	k.fill(b, "http.response", 2)
	k.fill(b, "http.request.slow", 2) // the first that matches counts
	k.fill(b, "websocket", 3)
}

// capacityOfProcess counts all parts of a process together.
func (k *kit) capacityOfProcess() {
	b := k.open(broker.Config{Capacity: 4})
	k.send(b, "node.1!a", "")
	k.send(b, "node.1!b", "")
	k.fill(b, "node.1!c", 2)
	k.full(b, "node.1!a")
	k.fill(b, "node.2!a", 4)
}

// groupDrops has a full member lose messages while the others get them.
func (k *kit) groupDrops() {
	b := k.open(broker.Config{Capacity: 3})
	quick := k.listen(b, "quick")
	k.groupAdd(b, "group", "quick")
	k.groupAdd(b, "group", "slow")
	for i := range 5 {
		k.groupSend(b, "group", strconv.Itoa(i))
		quick.want(strconv.Itoa(i))
	}
	if n := b.Dropped(); n != 2 {
		k.Errorf("%d messages were dropped, want 2", n)
	}
	for i := range 3 {
		if m := k.receive(b, "slow"); string(m.Body) != strconv.Itoa(i) || m.Gap {
			k.Errorf("received %s, want message %d without a gap", show(m), i)
		}
	}
	if m := k.receive(b, "slow"); !m.Gap || len(m.Body) != 0 {
		k.Errorf("behind the last message: received %s, want word of a gap", show(m))
	}
	k.fill(b, "slow", 3)
	k.groupSend(b, "group", "dropped")
	k.receive(b, "slow")
	k.groupSend(b, "group", "after")
	for range 2 {
		k.receive(b, "slow")
	}
	if m := k.receive(b, "slow"); !m.Gap || string(m.Body) != "after" {
		k.Errorf("after a drop: received %s, want the next message with word of a gap", show(m))
	}
}
