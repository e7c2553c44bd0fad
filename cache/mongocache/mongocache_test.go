package mongocache

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "Config.URI is empty"},
		{Config{URI: "postgres://user:secret@localhost"}, "Config.URI cannot be read"},
		{Config{URI: "mongodb://user:secret%zz@localhost"}, "Config.URI cannot be read"},
		{Config{URI: "mongodb://localhost", Prefix: "a.b"}, "Config.Prefix"},
		{Config{URI: "mongodb://localhost", Sweep: -1}, "Config.Timeout and Config.Sweep"},
	} {
		s, err := New(c.cfg)
		if err == nil {
			t.Errorf("%+v is taken", c.cfg)
			s.Close()
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %s and no password", c.cfg, err, c.want)
		}
	}
}

func TestDatabaseOfURI(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://localhost":                                DefaultDatabase,
		"mongodb://localhost/":                               DefaultDatabase,
		"mongodb://localhost/board":                          "board",
		"mongodb://a:27017,b:27018/board?replicaSet=r":       "board",
		"mongodb+srv://user:p@cluster.example/?w=majority":   DefaultDatabase,
		"mongodb://user:p%2Fq@a/board?authSource=admin/x&a=": "board",
	} {
		if got := databaseOf(uri); got != want {
			t.Errorf("%s names %q, want %q", uri, got, want)
		}
	}
}

// TestUnreachable starts without a server, and says what is wrong in time.
func TestUnreachable(t *testing.T) {
	s, err := New(Config{URI: "mongodb://user:secret@" + nobody(t), Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	err = s.Check(t.Context())
	if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("check: %v, want %v and no password", err, ErrUnreachable)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, cache.Key{}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("a call that has a deadline: %v, want it to tell of both", err)
	}
}

// TestCloseEndsCalls has calls end that wait for a server.
func TestCloseEndsCalls(t *testing.T) {
	s, err := New(Config{URI: "mongodb://" + nobody(t) + "/?serverSelectionTimeoutMS=60000", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	for range 2 { // one makes the indexes, the other waits for it
		go func() {
			_, err := s.Get(context.Background(), cache.Key{})
			failed <- err
		}()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, cache.ErrClosed) {
			t.Errorf("a call under way: %v, want %v", err, cache.ErrClosed)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, text := range []string{"", "a", "%", "\x00", "%00", "\x00%25", "100 %", "ä\x00"} {
		stored := toStored.Replace(text)
		if strings.Contains(stored, "\x00") || fromStored.Replace(stored) != text {
			t.Errorf("%q is stored as %q and read as %q", text, stored, fromStored.Replace(stored))
		}
	}
}
