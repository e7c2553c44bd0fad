package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
)

// TestWhatIsInLineIsNotSentToWhoHasExpired has a client read nothing until its
// identity ends.
func TestWhatIsInLineIsNotSentToWhoHasExpired(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}, app: &app{
		identify: func() error { return nil }, expires: time.Now().Add(time.Second),
	}}
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf(`{"stream":"echo","payload":{}}`)
	s.Want("{}") // it is open
	line, body, taken := v.last().Lines["echo"], strings.Repeat("x", 32<<10), 0
	for line.Send(t.Context(), wire.Message("echo", 0, map[string]any{"n": taken, "x": body})) == nil {
		taken++
	}
	last := fmt.Sprintf(`"n":%d,`, taken-1)
	for {
		switch got := s.Read(); {
		case got == "close 4401":
			return
		case strings.Contains(got, last) || strings.HasPrefix(got, "close"):
			t.Fatalf("got %.60s", got)
		}
	}
}

// TestNothingThatWaitsIsSentBehindAGapBeforeTheAppHasHeardOfIt has the app want no
// more what waits for room, once it hears of the gap.
func TestNothingThatWaitsIsSentBehindAGapBeforeTheAppHasHeardOfIt(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	late := wire.Message("echo", 0, json.RawMessage(`{"late":true}`))
	heard := make(chan error, 1)
	v.hear = func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		heard <- v.last().Lines["echo"].Send(ctx, late)
	}
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf(`{"stream":"echo","payload":{}}`)
	s.Want("{}")
	line, body := v.last().Lines["echo"], strings.Repeat("x", 64<<10)
	taken := 0
	for line.Tell(wire.Message("echo", 0, map[string]any{"x": body})) {
		taken++
	}
	for range taken {
		s.Want(`"x":`)
	}
	s.Want(`"code":"gap"`)
	if err := <-heard; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sending while the app hears of it: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := line.Send(gone, late); !errors.Is(err, context.Canceled) {
		t.Errorf("sending what is wanted no more: %v", err)
	}
	if err := line.Send(t.Context(), late); err != nil {
		t.Errorf("sending after that: %v", err)
	}
	s.Want("late")
}
