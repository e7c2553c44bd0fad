package pando_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
)

// TestAWrapperThatCallsTheNextAgainOpensOnce has a function given to Use try again
// what was opened, as one does that tries again what fails.
func TestAWrapperThatCallsTheNextAgainOpensOnce(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Use(func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			value, err := next(ctx, r)
			if r.Kind == "open" {
				value, err = next(ctx, r)
			}
			return value, err
		}
	})
	b.server = pandotest.Serve(t, b.app)
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/a/", "echo")
	if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: "hello"}); err != nil {
		t.Fatal(err)
	}
	s.Want(`"say":"hello"`)
	s.Sendf(`{"stream":"s1","id":9,"payload":{"type":"close"}}`)
	s.Want(`"type":"closed"`)
	b.server.Stop(t)
	if got := b.notes(); got != "+echo, -echo" {
		t.Errorf("called: %s", got)
	}
}
