package wiretest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// Proxy passes the bytes of one connection on until it is dead, as a network that
// goes without a goodbye.
type Proxy struct {
	// Address is where to connect.
	Address string

	dead atomic.Bool
}

// Between returns a proxy before an address, which ends with the test.
func Between(t testing.TB, to string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		in, err := listener.Accept()
		if err != nil {
			return
		}
		defer in.Close()
		out, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		back := make(chan struct{})
		go func() {
			defer close(back)
			p.pass(in, out)
		}()
		p.pass(out, in)
		out.Close()
		<-back
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return p
}

// Die has the proxy swallow all that comes from now on, without closing anything.
func (p *Proxy) Die() { p.dead.Store(true) }

// pass copies until an end is closed; once the proxy is dead it only reads.
func (p *Proxy) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.dead.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
