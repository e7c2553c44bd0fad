package natsbroker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// newChannel asks for a channel until the answer is that.
func newChannel(t *testing.T, b *natsbroker.Broker, is func(error) bool) string {
	t.Helper()
	end := time.After(patience)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		name, err := b.NewChannel(t.Context(), "test")
		if is(err) {
			tick.Stop()
			return name
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("a new channel: %v", err)
		}
	}
}

// TestBeforeTheServer begins while no server answers: what needs one fails until
// it is there, and then all is as if it had been.
func TestBeforeTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		away, there func(*servers.NATSServer) error
	}{
		"Stopped": {func(s *servers.NATSServer) error { s.Stop(); return nil }, func(s *servers.NATSServer) error { return s.Start(context.Background()) }},
		"Paused":  {func(s *servers.NATSServer) error { s.Pause(); return nil }, func(s *servers.NATSServer) error { s.Resume(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t)
			if err := c.away(server); err != nil {
				t.Fatal(err)
			}
			cfg := config(server.URL())
			one, two := open(t, cfg), open(t, cfg)
			s, err := one.Stream("commits", broker.StreamConfig{})
			if err != nil {
				t.Fatal(err)
			}
			idle, got := listen(t, one, "idle"), listen(t, two, "early")
			if _, err := one.NewChannel(t.Context(), "test"); err == nil || errors.Is(err, broker.ErrClosed) {
				t.Errorf("a new channel: %v", err)
			}
			if _, err := s.Append(t.Context(), 0, []byte("early")); err == nil || errors.Is(err, broker.ErrStale) {
				t.Errorf("append: %v", err)
			}
			if err := one.GroupAdd(t.Context(), "news", "early"); err == nil {
				t.Error("a member was added to a group that nobody knows of")
			}
			if err := c.there(server); err != nil {
				t.Fatal(err)
			}
			// Who calls at once may be heard before its Broker has told readers.
			for _, heard := range []<-chan received{idle, got} {
				if m := next(t, heard); m.err != nil || !m.Gap {
					t.Errorf("received %+v, want word of a gap", m)
				}
			}
			works := func(err error) bool { return err == nil }
			channel := newChannel(t, one, works)
			newChannel(t, two, works)
			heard := listen(t, one, channel)
			for _, err := range []error{one.GroupAdd(t.Context(), "news", channel), two.GroupSend(t.Context(), "news", []byte("later")), one.Send(t.Context(), "early", []byte("early"))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			want(t, heard, "later")
			want(t, got, "early")
			awaitStream(t, s)
			if last := appendTo(t, s, 0, []byte("first")); last != 1 {
				t.Errorf("the first record is number %d", last)
			}
			if r := read(t, reader(t, s, 1)); string(r.Body) != "first" {
				t.Errorf("read %q", r.Body)
			}
		})
	}
}

// awaitStream waits until an empty stream is there.
func awaitStream(t *testing.T, s broker.Stream) {
	t.Helper()
	end := time.After(patience)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		_, err := s.Last(t.Context())
		if errors.Is(err, broker.ErrNoRecord) {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("the stream is not there: %v", err)
		}
	}
}

// TestLateServersThatWillNotDo says why a server that came later is of no use.
func TestLateServersThatWillNotDo(t *testing.T) {
	servers.Need(t, "nats")
	for name, c := range map[string]struct{ conf, want string }{
		"small":     {"max_payload: 64KB", "set max_payload to"},
		"forbidden": {"authorization { user: ada, password: secret }", "Authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := servers.NATS(t.Context(), servers.NATSOptions{Conf: c.conf})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if b, err := natsbroker.New(config(s.URL())); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("at once: %v", err)
				b.Close()
			}
			s.Stop()
			b := open(t, config(s.URL()))
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			newChannel(t, b, func(err error) bool { return err != nil && strings.Contains(err.Error(), c.want) })
		})
	}
}

// TestCloseBeforeTheServer ends what nobody has answered.
func TestCloseBeforeTheServer(t *testing.T) {
	server := serve(t)
	server.Stop()
	b, err := natsbroker.New(config(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Stream("commits", broker.StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	got := listen(t, b, "test")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if m := next(t, got); !errors.Is(m.err, broker.ErrClosed) {
		t.Errorf("who waits received %+v", m)
	}
	if _, err := s.Last(t.Context()); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("the stream: %v", err)
	}
}

// TestSecrets has neither an error nor a line of the log show what a URL may not
// tell: a password, or a token.
func TestSecrets(t *testing.T) {
	for _, url := range []string{
		"nats://ada:secret@127.0.0.1:1", "ada:secret@127.0.0.1:1", "nats://secret@127.0.0.1:1", "nats://ada:%secret@127.0.0.1:1",
		"nats://127.0.0.1:1, nats://ada:secret@127.0.0.1:1",
	} {
		var log bytes.Buffer
		cfg := config(url)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b, err := natsbroker.New(cfg)
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			_, refused := b.NewChannel(t.Context(), "test")
			b.Close()
			if refused == nil || !strings.Contains(log.String(), "127.0.0.1:1") {
				t.Errorf("%s: a channel without a server: %v, %s", url, refused, log.String())
			} else {
				said = refused.Error()
			}
		}
		if said += log.String(); strings.Contains(said, "secret") {
			t.Errorf("%s: %s", url, said)
		}
	}
}
