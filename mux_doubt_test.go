package pando_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
)

// TestADoubtThatComesWhilePermissionIsAskedHoldsTheStreams has permission be
// withdrawn between the answer and the opening of the streams.
func TestADoubtThatComesWhilePermissionIsAskedHoldsTheStreams(t *testing.T) {
	for name, header := range map[string]http.Header{"plain": as("ada"), "pando.v1": protocolAs("ada")} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			again, answer := make(chan struct{}), make(chan bool)
			b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
				d := b.lobby()
				permit := func(ctx context.Context) (bool, error) {
					if asked.Add(1) == askedFirst[name] {
						b.app.Recheck("ada")
						return true, nil // as it was before
					}
					if asked.Load() < askedFirst[name] {
						return true, nil
					}
					select {
					case again <- struct{}{}:
					case <-ctx.Done():
						return false, ctx.Err()
					}
					return <-answer, nil
				}
				d.HasPermission = func(ctx context.Context, _ *mux.Conn) (bool, error) { return permit(ctx) }
				return []mux.Entry{mux.RouteClass(d, hallPath)}
			})
			s := wiretest.Plain(t, b.server.URL+"/hall/a/", header)
			if name != "plain" {
				s.Want("hello")
				s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`)
				s.Want("connected")
				s.Sendf(`{"stream":"echo","id":2,"payload":{"type":"open"}}`)
			}
			<-again
			if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: "secret"}); err != nil {
				t.Fatal(err)
			}
			close(answer) // no
			s.Want(`"code":"denied"`)
		})
	}
}

// askedFirst is how often permission is asked before the streams are there.
var askedFirst = map[string]int32{"plain": 1, "pando.v1": 2}

func protocolAs(user string) http.Header {
	h := as(user)
	h.Set("Sec-WebSocket-Protocol", "pando.v1")
	return h
}
