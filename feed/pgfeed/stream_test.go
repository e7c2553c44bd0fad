package pgfeed

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pipe is a stream whose other end the test holds.
func pipe(t *testing.T) (s *stream, server net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	s = &stream{conn: client, frontend: pgproto3.NewFrontend(client, client), asked: make(chan struct{}, 1), done: make(chan struct{}), gone: func(error) {}}
	return s, server
}

// copied is a message as the server sends it.
func copied(t *testing.T, body []byte) []byte {
	t.Helper()
	b, err := (&pgproto3.CopyData{Data: body}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keepAlive(end uint64, ask byte) []byte { return write(byte('k'), end, uint64(0), ask) }

func logged(data string) []byte {
	return append(write(byte('w'), uint64(1), uint64(2), uint64(3)), data...)
}

func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := pipe(t)
		go func() {
			server.Write(append(copied(t, keepAlive(77, 1)), copied(t, logged("first"))...))
			long := copied(t, logged("second"))
			server.Write(long[:10]) // and the rest comes later
			<-time.After(silence*5/2 + time.Millisecond)
			server.Write(long[10:])
		}()
		r, err := s.receive(t.Context())
		if err != nil || r.data != nil || r.end != 77 {
			t.Fatalf("received %+v, %v", r, err)
		}
		if len(s.asked) != 1 {
			t.Error("a request for an answer was not heard")
		}
		if r, err = s.receive(t.Context()); err != nil || string(r.data) != "first" {
			t.Fatalf("received %+v, %v", r, err)
		}
		silent := 0
		for {
			r, err = s.receive(t.Context())
			if !errors.Is(err, errSilent) {
				break
			}
			silent++
		}
		if err != nil || string(r.data) != "second" || silent != 2 {
			t.Errorf("received %+v, %v after %d silences", r, err, silent)
		}
		ctx, cancel := context.WithTimeout(t.Context(), silence/2)
		defer cancel()
		if _, err := s.receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("received %v", err)
		}
	})
}

// TestSilentServer gives a connection up on which nothing comes any more.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := pipe(t)
		begin := time.Now()
		var err error
		for err = errSilent; errors.Is(err, errSilent); {
			_, err = s.receive(t.Context())
		}
		if took := time.Since(begin); !errors.Is(err, errDead) || took != death {
			t.Errorf("given up after %s: %v", took, err)
		}
	})
}

// TestSlowReader does not take the time in which nobody reads for silence.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := pipe(t)
		go func() {
			for {
				if _, err := server.Write(copied(t, keepAlive(1, 0))); err != nil {
					return
				}
			}
		}()
		for range 3 {
			if _, err := s.receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(2 * death)
		}
	})
}

// TestAnswers tells the server what is confirmed, all the time and when it asks.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := pipe(t)
		ctx, stop := context.WithCancel(t.Context())
		s.stop = stop
		s.confirm(40)
		go s.answer(ctx)
		status := func() (confirmed uint64, ask byte, after time.Duration) {
			begin := time.Now()
			b := make([]byte, 5+34)
			if _, err := io.ReadFull(server, b); err != nil {
				t.Fatal(err)
			}
			return binary.BigEndian.Uint64(b[5+1+8:]), b[len(b)-1], time.Since(begin)
		}
		if confirmed, ask, _ := status(); confirmed != 40 || ask != 1 {
			t.Errorf("told %d, asked %d", confirmed, ask)
		}
		s.confirm(60)
		s.confirm(50)
		if confirmed, _, after := status(); confirmed != 60 || after != beat {
			t.Errorf("told %d after %s", confirmed, after)
		}
		s.answerSoon()
		if _, _, after := status(); after != 0 {
			t.Errorf("answered after %s", after)
		}
		go io.Copy(io.Discard, server)
		s.conn.Close()
		s.close()
	})
}
