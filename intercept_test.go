package pando_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
)

// TestWrappersPermitNothing opens and reads a doc by functions that say that all
// is well when it is not.
func TestWrappersPermitNothing(t *testing.T) {
	for name, c := range map[string]struct {
		ask    bool
		code   string
		status int
	}{
		"the next is not called": {code: `"internal"`, status: http.StatusInternalServerError},
		"an error is kept":       {ask: true, code: `"denied"`, status: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			d := newBureau(t)
			d.denied.Store(true)
			d.app.Use(func(next pando.Handler) pando.Handler {
				return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
					if c.ask {
						if _, err := next(ctx, r); err == nil {
							t.Error("permission was granted")
						}
					}
					return nil, nil
				}
			})
			d.server = pandotest.Serve(t, d.app)
			r := d.visit("ada")
			wants(t, r.open("s1", "1"), c.code)
			if status, body := get(t, d.server.URL+"/state/docs/1", "ada"); status != c.status {
				t.Errorf("GET /state: %d %s, want %d", status, body, c.status)
			}
			r.Conn.Close()
		})
	}
}
