package session_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/session"
)

// TestNoLengthIsTooLargeToBeRefused has the fragments of a message add up to more
// than an integer holds.
func TestNoLengthIsTooLargeToBeRefused(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	var frames bytes.Buffer
	for _, h := range []ws.Header{
		{OpCode: ws.OpText, Length: 1, Masked: true},
		{OpCode: ws.OpContinuation, Fin: true, Length: math.MaxInt64, Masked: true},
	} {
		if err := ws.WriteHeader(&frames, h); err != nil {
			t.Fatal(err)
		}
		if h.Length == 1 {
			frames.WriteByte('{')
		}
	}
	if _, err := s.Conn.Write(frames.Bytes()); err != nil {
		t.Fatal(err)
	}
	s.Want(`"code":"too_large"`)
	s.Want("close 1009")
}
