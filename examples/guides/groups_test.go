package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/pandotest"
)

func TestGroups(t *testing.T) {
	s := newShop(t)
	server := pandotest.Serve(t, s.app)
	client := server.Connect(t, "2")
	notices := make(chan string, 10)
	client.Tap(func(frame []byte) {
		if text := string(frame); strings.Contains(text, `"type":"notice"`) || strings.Contains(text, `"type":"system"`) {
			notices <- text
		}
	})
	ada := pandotest.Open[Room](t, server.Connect(t, "1"), "rooms/1")
	grace := pandotest.Open[Room](t, client, "rooms/1")

	waitRuntime(t, ada, "two visitors", func(r RoomRuntime) bool {
		return slices.Equal(r.Visitors, []Visitor{{Name: "Visitor 1"}, {Name: "Visitor 2"}})
	})
	for _, text := range []string{"a", "b", "c", "d"} {
		ada.Call(t, nil, "say", text)
	}
	waitRuntime(t, grace, "what was said", func(r RoomRuntime) bool { return slices.Equal(r.Heard, []string{"1: b", "1: c", "1: d"}) })
	grace.Call(t, nil, "away", true)
	r := waitRuntime(t, ada, "that Grace is away", func(r RoomRuntime) bool { return len(r.Visitors) == 2 && r.Visitors[1].Away })
	if len(r.Heard) != 0 {
		t.Errorf("Ada has heard herself: %v", r.Heard)
	}

	ada.Call(t, nil, "knock", "1") // not for Grace
	ada.Call(t, nil, "knock", "2")
	if err := announce(t.Context(), s.app, 1, "supper"); err != nil {
		t.Fatal(err)
	}
	waitRuntime(t, grace, "the announcement", func(r RoomRuntime) bool { return slices.Contains(r.Heard, "system: supper") })
	if err := shutDown(t.Context(), s.app); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"name":"knock","value":"1"`, `"name":"announcement","value":"supper"`,
		`"text":"We move house at noon."`, `"kind":"maintenance","text":"Back in five minutes.","retry_after":300000`,
	} {
		if got := <-notices; !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	<-client.Closed()
	if client.CloseCode() != 1001 {
		t.Errorf("the connection was closed with %d", client.CloseCode())
	}
}
