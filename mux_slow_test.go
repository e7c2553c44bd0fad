package pando_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
)

// tight are channels that hold one message, for a moment.
var tight = broker.Config{Capacity: 1, Expiry: time.Nanosecond}

// tightPins has a binding of pins beside a layer of such channels.
func tightPins(b *booth, cfg *pando.Config) []mux.Entry {
	cfg.Broker, cfg.Heartbeat = memoryOf(b.t, tight), time.Minute // who does not read answers no ping
	return bindPins(b, cfg)
}

// TestCapacityAndExpiryApplyToSendAndGroupSendOnly has both lose what is above them,
// and a binding, whose app has the same layer, tell all the same.
func TestCapacityAndExpiryApplyToSendAndGroupSendOnly(t *testing.T) {
	t.Run("capacity applies to Send", func(t *testing.T) {
		layer := memoryOf(t, broker.Config{Capacity: 1})
		if err := layer.Send(t.Context(), "mail", []byte("one")); err != nil {
			t.Fatal(err)
		}
		if err := layer.Send(t.Context(), "mail", []byte("two")); !errors.Is(err, broker.ErrChannelFull) {
			t.Errorf("got %v, want ErrChannelFull", err)
		}
	})
	t.Run("capacity applies to GroupSend", func(t *testing.T) {
		layer := memoryOf(t, broker.Config{Capacity: 1})
		if err := layer.GroupAdd(t.Context(), "news", "mail"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := layer.GroupSend(t.Context(), "news", []byte("one")); err != nil {
				t.Fatal(err)
			}
		}
		if n := layer.Dropped(); n != 2 {
			t.Errorf("%d messages were dropped, want 2", n)
		}
	})
	t.Run("expiry applies to Send and GroupSend", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			layer := memoryOf(t, tight)
			err := errors.Join(layer.Send(t.Context(), "mail", []byte("one")), layer.GroupAdd(t.Context(), "news", "post"),
				layer.GroupSend(t.Context(), "news", []byte("one")))
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
			for _, channel := range []string{"mail", "post"} {
				if m, err := layer.Receive(t.Context(), channel); err != nil || !m.Gap || len(m.Body) > 0 {
					t.Errorf("%s: received %q, %v, want word of a gap", channel, m.Body, err)
				}
			}
		})
	})
	t.Run("and not to what bindings tell", func(t *testing.T) {
		b := serveBooth(t, tightPins)
		s := b.plain("/hall/a/", "ada") // which reads nothing for now
		const rows = 300
		exec(t, b.db, `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 301) INSERT INTO pins SELECT i, 'a', 'new' FROM n`)
		exec(t, b.db, `UPDATE pins SET text = 'last' WHERE id = 1`)
		told := map[int64]bool{}
		for len(told) <= rows {
			m := readPin(t, s)
			if m.Type != "" || told[m.PK] {
				t.Fatalf("told %+v after %d", m, len(told))
			}
			told[m.PK] = true
		}
	})
}

// pinTold is what a plain connection is told on the stream of pins.
type pinTold struct {
	Type, Code, Action string
	PK                 int64
	Data               Pinned
	Rows               []struct {
		PK   int64
		Data Pinned
	}
	More bool
}

func readPin(t *testing.T, s *wiretest.Socket) pinTold {
	t.Helper()
	var m struct{ Payload pinTold }
	if text := s.Read(); json.Unmarshal([]byte(text), &m) != nil {
		t.Fatalf("got %s", text)
	}
	return m.Payload
}

// TestASlowReaderGetsAResync has one subscribe and read nothing while a row changes
// until neither the network nor the server holds what it was to be told: then it is
// told of the gap, and has a new snapshot with the row's last values. Another one,
// who reads, is told of each change.
func TestASlowReaderGetsAResync(t *testing.T) {
	b := serveBooth(t, tightPins)
	slow, quick := b.plain("/hall/a/", "ada"), b.plain("/hall/a/", "")
	for _, s := range []*wiretest.Socket{slow, quick} {
		if err := s.Conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		s.Sendf(`{"stream":"pins","payload":{"action":"subscribe"}}`)
		if m := readPin(t, s); m.Action != "snapshot" || m.More || len(m.Rows) != 1 {
			t.Fatalf("a subscription begins with %+v", m)
		}
	}
	const changes = 250
	body := strings.Repeat("x", 64<<10)
	for n := range changes {
		if _, err := b.db.ExecContext(context.Background(), `UPDATE pins SET text = ? WHERE id = 1`, string(rune('a'+n%26))+body); err != nil {
			t.Fatal(err)
		}
		if m := readPin(t, quick); m.Action != "update" || m.Data.Text[0] != byte('a'+n%26) {
			t.Fatalf("who reads is told %s of %.10s after %d changes", m.Action, m.Data.Text, n)
		}
	}
	taken, m := 0, readPin(t, slow)
	for ; m.Action == "update"; m = readPin(t, slow) {
		if m.Data.Text[0] != byte('a'+taken%26) {
			t.Fatalf("change %d is told as %.10s", taken, m.Data.Text)
		}
		taken++
	}
	if m.Code != "gap" || taken == 0 || taken >= changes {
		t.Fatalf("after %d changes: %s %s, want a gap before all %d", taken, m.Action, m.Code, changes)
	}
	t.Logf("a gap after %d of %d changes", taken, changes)
	m = readPin(t, slow)
	if m.Action != "snapshot" || m.More || len(m.Rows) != 1 || m.Rows[0].Data.Text != string(rune('a'+(changes-1)%26))+body {
		t.Fatalf("after the gap: %s of %d rows", m.Action, len(m.Rows))
	}
	exec(t, b.db, `UPDATE pins SET text = 'then' WHERE id = 1`)
	if m := readPin(t, slow); m.Action != "update" || m.Data.Text != "then" {
		t.Errorf("then: %s %.10s", m.Action, m.Data.Text)
	}
}
