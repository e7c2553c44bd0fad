package main

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// TestWhatCallersAreTold compares every end of a call with what was applied.
func TestWhatCallersAreTold(t *testing.T) {
	done := []*execution{{Committed: true, before: &oracle.Data{}, after: &oracle.Data{}}}
	for _, c := range []struct {
		name    string
		call    *call
		applied []string
		wrong   string
	}{
		{"applied once", &call{told: toldResult, result: `"a"`, executions: done}, []string{"a"}, ""},
		{"refused", &call{told: toldRefused, code: "denied"}, nil, ""},
		{"unknown, and applied", &call{told: toldUnknown, executions: done}, []string{"a"}, ""},
		{"unknown, and not applied", &call{told: toldUnknown}, nil, ""},
		{"twice", &call{told: toldResult, result: `"a"`, executions: append(done, done...)}, []string{"a", "b"}, "was applied 2 times"},
		{"twice, and nobody knows", &call{told: toldUnknown, executions: append(done, done...)}, []string{"a", "b"}, "was applied 2 times"},
		{"lost", &call{told: toldResult, result: `"a"`}, nil, "was told a result, and nothing was applied"},
		{"refused and applied", &call{told: toldRefused, code: "denied", executions: done}, []string{"a"}, "was told denied, and was applied"},
		{"failed and applied", &call{told: toldUnknown, fail: "panic", executions: done}, []string{"a"}, "was applied, though it failed"},
		{"another's result", &call{told: toldResult, result: `"b"`, executions: done}, []string{"a"}, `was told "b": it is "a"`},
		{"done apart", &call{told: toldResult, result: `"a"`}, []string{"a"}, "has 1 rows in the ledger, and 0 transactions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.call.wrong(c.applied); got != c.wrong {
				t.Errorf("got %q, want %q", got, c.wrong)
			}
		})
	}
}

// TestProxyCutsInTheMiddle has a server say ten bytes of which four pass.
func TestProxyCutsInTheMiddle(t *testing.T) {
	var config net.ListenConfig
	server, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "0123456789") // what does not come is missed below
		io.Copy(io.Discard, conn)          // until it is cut
	}()
	p, err := startProxy(context.WithoutCancel(t.Context()), "http://"+server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.cut(4)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", p.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); string(got) != "0123" {
		t.Errorf("got %q, %v", got, err)
	}
}
