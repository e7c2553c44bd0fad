package natsbroker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// bodies are n records that tell their number.
func bodies(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = fmt.Append(nil, i+1)
	}
	return all
}

func read(t testing.TB, r broker.Reader) broker.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func reader(t testing.TB, s broker.Stream, from uint64) broker.Reader {
	t.Helper()
	r, err := s.Reader(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func appendTo(t testing.TB, s broker.Stream, after uint64, records ...[]byte) uint64 {
	t.Helper()
	last, err := s.Append(t.Context(), after, records...)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// stream opens a stream of its own on the shared server.
func stream(t testing.TB, cfg broker.StreamConfig) broker.Stream {
	t.Helper()
	s, err := open(t, config(servers.SharedNATS(t).URL())).Stream("commits", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLargeAppends appends more at once than may be on its way.
func TestLargeAppends(t *testing.T) {
	s := stream(t, broker.StreamConfig{})
	last := appendTo(t, s, 0, bodies(2000)...)
	large := bytes.Repeat([]byte("x"), broker.MaxRecord)
	last = appendTo(t, s, last, large, large, large, large, large, large)
	if last != 2006 {
		t.Errorf("the last record is %d", last)
	}
	r := reader(t, s, 1)
	for n := uint64(1); n <= last; n++ {
		got := read(t, r)
		if body := fmt.Append(nil, n); got.Number != n || n <= 2000 && !bytes.Equal(got.Body, body) || n > 2000 && len(got.Body) != broker.MaxRecord {
			t.Fatalf("read record %d of %d bytes, want %d", got.Number, len(got.Body), n)
		}
	}
}

// TestKilledUnderAppend kills the server while records are on their way: what it
// has kept is their beginning, without a hole.
func TestKilledUnderAppend(t *testing.T) {
	for _, read := range []uint64{1, 300, 1500} {
		t.Run(strconv.FormatUint(read, 10), func(t *testing.T) {
			r := newRig(t)
			s, other := r.open(broker.StreamConfig{}), r.open(broker.StreamConfig{})
			all := bodies(20_000)
			appended := make(chan error, 1)
			go func() {
				_, err := s.Append(context.Background(), 0, all...)
				appended <- err
			}()
			follower := reader(t, other, 1)
			for n := uint64(1); n <= read; n++ {
				got, err := follower.Next(t.Context())
				if err != nil || got.Number != n {
					t.Fatalf("read record %d, %v", got.Number, err)
				}
			}
			r.server.Kill()
			if err := <-appended; err == nil || errors.Is(err, broker.ErrStale) {
				t.Errorf("append under a server that dies: %v", err)
			}
			if err := r.server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.found()
			last, err := s.Last(t.Context())
			if err != nil || last.Number < read || last.Number == uint64(len(all)) {
				t.Fatalf("the last record is %d, %v", last.Number, err)
			}
			checkBeginning(t, s, last.Number)
			appendTo(t, s, last.Number, all[last.Number:]...)
			checkBeginning(t, s, uint64(len(all)))
		})
	}
}

// checkBeginning wants the records up to last to be those of bodies.
func checkBeginning(t *testing.T, s broker.Stream, last uint64) {
	t.Helper()
	r := reader(t, s, 1)
	for n := uint64(1); n <= last; n++ {
		if got := read(t, r); got.Number != n || string(got.Body) != strconv.FormatUint(n, 10) {
			t.Fatalf("record %d is %q, read as %d", n, got.Body, got.Number)
		}
	}
}

// TestPausedUnderAppend has the server stand still while more is on its way than
// the system's buffers hold: that does not hide that it is silent.
func TestPausedUnderAppend(t *testing.T) {
	r := newRig(t)
	s := r.open(broker.StreamConfig{})
	all := make([][]byte, 100)
	for i := range all {
		all[i] = bytes.Repeat([]byte("x"), broker.MaxRecord)
	}
	follower := reader(t, r.open(broker.StreamConfig{}), 1)
	began := make(chan time.Time, 1)
	go func() {
		if _, err := follower.Next(context.Background()); err == nil {
			r.server.Pause()
		}
		began <- time.Now()
	}()
	_, err := s.Append(t.Context(), 0, all...)
	if took := time.Since(<-began); err == nil || took > noticed {
		t.Errorf("append to a server that stands still: %v after %s", err, took)
	}
	r.server.Resume()
	r.found()
	last, err := s.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, last.Number, []byte("after"))
}

// TestServerWithoutItsData has the server come back empty.
func TestServerWithoutItsData(t *testing.T) {
	rig := newRig(t)
	s := rig.open(broker.StreamConfig{})
	last := appendTo(t, s, 0, bodies(3)...)
	r := reader(t, s, 1)
	for range 3 {
		read(t, r)
	}
	rig.stopped(rig.server.Clear)
	if got, err := s.Append(t.Context(), last, []byte("4")); !errors.Is(err, broker.ErrStale) {
		t.Errorf("append after what is gone: %d, %v", got, err)
	}
	if got, err := s.Last(t.Context()); !errors.Is(err, broker.ErrNoRecord) || got.Number != 0 {
		t.Errorf("the last record is %d, %v", got.Number, err)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, broker.ErrTrimmed) {
		t.Errorf("a reader got %v", err)
	}
	appendTo(t, s, 0, []byte("1"))
}

// TestSameNumberOfAnother has the stream be made anew, and grow to where the
// first writer believes it to end: that one is refused all the same.
func TestSameNumberOfAnother(t *testing.T) {
	rig := newRig(t)
	s, other := rig.open(broker.StreamConfig{}), rig.open(broker.StreamConfig{})
	appendTo(t, s, 0, bodies(3)...)
	rig.wipe()
	if _, err := other.Last(t.Context()); !errors.Is(err, broker.ErrNoRecord) {
		t.Fatal(err)
	}
	appendTo(t, other, 0, bodies(3)...)
	if got, err := s.Append(t.Context(), 3, []byte("4")); !errors.Is(err, broker.ErrStale) {
		t.Errorf("append: %d, %v", got, err)
	}
}

// TestConsumerIsRemoved takes away what a reader reads by, as a server does that
// has not heard of it for long.
func TestConsumerIsRemoved(t *testing.T) {
	rig := newRig(t)
	s := rig.open(broker.StreamConfig{})
	appendTo(t, s, 0, bodies(2)...)
	r := reader(t, s, 1)
	read(t, r)
	read(t, r)
	found, err := jetStream(t, rig.server).Stream(t.Context(), rig.cfg.Prefix+"_commits")
	if err != nil {
		t.Fatal(err)
	}
	consumers := consumersOf(t, found)
	if len(consumers) != 1 {
		t.Fatalf("a reader has consumers %q", consumers)
	}
	if err := found.DeleteConsumer(t.Context(), consumers[0]); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, 2, []byte("3"))
	if got := read(t, r); got.Number != 3 {
		t.Errorf("read record %d", got.Number)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if consumers := consumersOf(t, found); len(consumers) != 0 {
		t.Errorf("a reader that is closed leaves consumers %q", consumers)
	}
}

func consumersOf(t *testing.T, s jetstream.Stream) (names []string) {
	t.Helper()
	list := s.ConsumerNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestPurge has an operator empty the stream: it goes on counting.
func TestPurge(t *testing.T) {
	rig := newRig(t)
	s := rig.open(broker.StreamConfig{})
	appendTo(t, s, 0, bodies(3)...)
	r := reader(t, s, 1)
	for range 3 {
		read(t, r)
	}
	found, err := jetStream(t, rig.server).Stream(t.Context(), rig.cfg.Prefix+"_commits")
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Last(t.Context()); !errors.Is(err, broker.ErrNoRecord) || got.Number != 3 {
		t.Errorf("the last record is %d, %v", got.Number, err)
	}
	if got, err := s.Append(t.Context(), 0, []byte("1")); !errors.Is(err, broker.ErrStale) {
		t.Errorf("append to a stream that was purged: %d, %v", got, err)
	}
	appendTo(t, s, 3, []byte("4"))
	if got := read(t, r); got.Number != 4 {
		t.Errorf("read record %d", got.Number)
	}
	if _, err := reader(t, s, 3).Next(t.Context()); !errors.Is(err, broker.ErrTrimmed) {
		t.Errorf("who reads what was purged got %v", err)
	}
}

// TestLimitsOfAnother opens a stream with other limits than it has.
func TestLimitsOfAnother(t *testing.T) {
	rig := newRig(t)
	rig.open(broker.StreamConfig{MaxAge: time.Hour})
	s := rig.open(broker.StreamConfig{MaxAge: time.Minute, MaxBytes: 8 << 20})
	found, err := jetStream(t, rig.server).Stream(t.Context(), rig.cfg.Prefix+"_commits")
	if err != nil {
		t.Fatal(err)
	}
	if cfg := found.CachedInfo().Config; cfg.MaxAge != time.Minute || cfg.MaxBytes != 8<<20 || cfg.Storage != jetstream.FileStorage || cfg.Replicas != 1 {
		t.Errorf("the stream is configured %+v", cfg)
	}
	appendTo(t, s, 0, []byte("1"))
}

// TestBadStreams opens streams that cannot be.
func TestBadStreams(t *testing.T) {
	rig := newRig(t)
	js := jetStream(t, rig.server)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: rig.cfg.Prefix + "_taken", Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	clustered := rig.cfg
	clustered.Replicas = 3
	plain, err := servers.NATS(t.Context(), servers.NATSOptions{Conf: "jetstream: false"})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for name, c := range map[string]struct {
		cfg    natsbroker.Config
		stream string
		limits broker.StreamConfig
		want   string
	}{
		"no name":            {rig.cfg, "", broker.StreamConfig{}, "name"},
		"a bad name":         {rig.cfg, "two words", broker.StreamConfig{}, "name"},
		"bad limits":         {rig.cfg, "commits", broker.StreamConfig{MaxAge: -1}, "MaxAge"},
		"another's":          {rig.cfg, "taken", broker.StreamConfig{}, "none of Pando's"},
		"too little storage": {rig.cfg, "commits", broker.StreamConfig{MaxBytes: 1 << 60}, "set max_file_store"},
		"no cluster":         {clustered, "commits", broker.StreamConfig{}, "Config.Replicas"},
		"no JetStream":       {config(plain.URL()), "commits", broker.StreamConfig{}, "switch on JetStream"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t, c.cfg).Stream(c.stream, c.limits); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want it to tell of %q", err, c.want)
			}
		})
	}
}
