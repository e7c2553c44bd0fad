package session_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

func TestBroadcastReachesWhoHasConnected(t *testing.T) {
	a := &app{}
	url := start(t, a, session.Config{})
	joined, stranger := dial(t, url), dial(t, url)
	joined.connect()
	a.server.Broadcast(wire.Message(wire.Control, 0, wire.System{Type: "system", Kind: "message", Text: "Backup at noon."}))
	joined.Want(`{"stream":"@","payload":{"type":"system","kind":"message","text":"Backup at noon."}}`)
	stranger.connect() // whose answer is the next that comes
}

func TestMaintenanceTurnsClientsAway(t *testing.T) {
	a := &app{}
	url := start(t, a, session.Config{})
	s := dial(t, url)
	s.begin()
	a.server.Maintenance("Back soon.", 90*time.Minute)
	s.Want(`{"stream":"@","payload":{"type":"system","kind":"maintenance","text":"Back soon.","retry_after":5400000}}`)
	s.Want("close 1001")
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || seconds < 5000 || seconds > 5400 || !strings.Contains(string(body), `"code":"unavailable"`) {
		t.Errorf("got %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	a.server.Maintenance("", 0) // it is over
	dial(t, url).begin()
}

func TestObserverSeesEachMessageAsItGoesOut(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	a := &app{}
	cfg := session.Config{OnSend: func(id string, user token.Identity, message []byte) {
		mu.Lock()
		defer mu.Unlock()
		if !json.Valid(message) || id == "" {
			t.Errorf("session %q: %q is no message", id, message)
		}
		seen = append(seen, fmt.Sprintf("%s: %s", user.ID, message))
	}}
	s := dial(t, start(t, a, cfg))
	s.connect()
	s.open("s1")
	got := s.Read()
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 4 || !strings.Contains(seen[0], `"hello"`) || seen[3] != "ada: "+got {
		t.Errorf("it saw %q, the client %s", seen, got)
	}
}
