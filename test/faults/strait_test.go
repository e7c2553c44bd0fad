package faults_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
)

// strait is what stands between a node and one of its servers. While it is frozen
// nothing passes and nothing ends, as with a server that stands still, or a
// network that swallows everything.
type strait struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	// frozen is held by who freezes it, and for a moment by who passes.
	frozen sync.RWMutex

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// through returns a URL that leads through a strait to where another one does.
func through(t *testing.T, address string) (changed string, s *strait) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &strait{listener: l, target: u.Host}
	s.running.Go(func() { s.accept(context.WithoutCancel(t.Context())) })
	t.Cleanup(s.close)
	u.Host = l.Addr().String()
	return u.String(), s
}

// freeze has nothing pass until thaw is called, or the test's end.
func (s *strait) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	s.frozen.Lock()
	thaw = sync.OnceFunc(s.frozen.Unlock)
	t.Cleanup(thaw)
	return thaw
}

func (s *strait) accept(ctx context.Context) {
	for {
		from, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			s.frozen.RLock()
			to, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.target)
			s.frozen.RUnlock()
			if err != nil {
				from.Close()
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, from, to)
			s.mu.Unlock()
			s.running.Go(func() { s.pass(to, from) })
			s.pass(from, to)
		})
	}
}

// pass copies until either side is gone, of which the other hears as of all else.
func (s *strait) pass(to, from net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		s.frozen.RLock()
		_, failed := to.Write(buffer[:n])
		s.frozen.RUnlock()
		if err != nil || failed != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

func (s *strait) close() {
	s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
