package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/pandotest"
)

// enter connects to a path as a user.
func enter(t *testing.T, url, user string) *wiretest.Socket {
	t.Helper()
	return wiretest.Plain(t, url, http.Header{"Authorization": {"Token " + user}})
}

// TestStreams plays what a guide shows: lines of who says (>) and hears (<) what.
// A text of "…" is any.
func TestStreams(t *testing.T) {
	s := newShop(t)
	url := pandotest.Serve(t, s.app).URL
	s.exec(t, `INSERT INTO rooms VALUES (2, 'Attic')`)
	seats := map[string]*wiretest.Socket{
		"ada": enter(t, url+"/rooms/1/wall/", "1"), "grace": enter(t, url+"/rooms/1/wall/", "2"), "eve": enter(t, url+"/rooms/2/wall/", "3"),
	}
	script, err := os.ReadFile("testdata/streams.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(script)) {
		who, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		what = strings.TrimSpace(what)
		switch said, says := strings.CutPrefix(what, "> "); {
		case what == "":
		case who == "sql":
			s.exec(t, said)
		case says:
			seats[who].Send(ws.OpText, said)
		default:
			hears(t, seats[who], who, strings.TrimPrefix(what, "< "))
		}
	}
}

// hears reads a frame.
func hears(t *testing.T, seat *wiretest.Socket, who, want string) {
	t.Helper()
	frame := seat.Read()
	got, wanted := decoded(t, frame), decoded(t, want)
	if payload, ok := wanted["payload"].(map[string]any); ok && payload["message"] == "…" {
		if heard, ok := got["payload"].(map[string]any); ok {
			heard["message"] = "…"
		}
	}
	if !cmp.Equal(got, wanted) {
		t.Fatalf("%s hears %s\nwant %s", who, frame, want)
	}
}

func decoded(t *testing.T, text string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// TestStreamsBesides has what is not in the script: who may not come in, messages
// from elsewhere, plain ones, and the log.
func TestStreamsBesides(t *testing.T) {
	s := newShop(t)
	var text bytes.Buffer
	s.app.Use(logged(slog.New(slog.NewTextHandler(&text, nil))))
	server := pandotest.Serve(t, s.app)
	for path, user := range map[string]string{"/rooms/9/wall/": "1"} {
		if got := status(t, server.URL+path, user); got != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", path, got)
		}
	}
	ada := enter(t, server.URL+"/rooms/1/wall/", "1")
	ada.Want("welcome")
	if err := bell(t.Context(), s.app, "1"); err != nil {
		t.Fatal(err)
	}
	ada.Want(`{"by":"porter","text":"ding"}`)
	ada.Send(ws.OpText, `{"stream":"chat","id":5,"payload":{}}`)
	ada.Want(`"invalid"`)
	plain := enter(t, server.URL+"/echo/", "1")
	plain.Send(ws.OpText, "anything")
	if got := plain.Read(); got != "anything" {
		t.Errorf("the echo is %q", got)
	}
	server.Stop(t) // which waits until all has been logged
	if got := text.String(); !strings.Contains(got, "stream=chat path=/rooms/1/wall/") || !strings.Contains(got, "say something") {
		t.Errorf("the log is %s", got)
	}
}

// status is what the request for a socket gets.
func status(t *testing.T, url, user string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		"Authorization": "Token " + user,
	} {
		req.Header.Set(name, value)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
