package pando_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/token"
)

// Leaf is a row of which a column is nested.
type Leaf struct {
	ID  int64           `json:"id"`
	Doc json.RawMessage `json:"doc"`
}

// TestAValueThatIsNestedTooDeepEndsNothing has a client write the deepest one that
// is taken, and others told of it in every way.
func TestAValueThatIsNestedTooDeepEndsNothing(t *testing.T) {
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		exec(t, b.db, "CREATE TABLE leafs (id INTEGER PRIMARY KEY, doc TEXT NOT NULL)")
		d := b.lobby()
		d.Consumers["leaves"] = &mux.Binding[Leaf]{
			Stream: "leaves", Fields: []string{mux.AllFields}, Model: "tree.leaf",
			GroupNames:    func(*Leaf) []string { return []string{"room.a"} },
			HasPermission: func(context.Context, token.Identity, mux.Op, *Leaf, *Leaf) (bool, error) { return true, nil },
		}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	s := b.plain("/hall/a/", "ada")
	s.Sendf(`{"stream":"leaves","payload":{"action":"create","data":{"doc":%s}}}`, nested(9997))
	s.Want(`"action":"create"`)
	s.Sendf(`{"stream":"leaves","payload":{"action":"subscribe"}}`)
	s.Want(`"action":"snapshot"`)
	exec(t, b.db, "INSERT INTO leafs (doc) VALUES ('"+nested(9999)+"')")
	s.Want(`"action":"create"`)
}
