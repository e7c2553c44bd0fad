package pando_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/token"
)

// claims is an Authenticator of tokens like "ada:editor", whose value is the role.
type claims struct{}

func (claims) Authenticate(_ context.Context, _ *http.Request, tok string) (pando.Identity, error) {
	name, role, ok := strings.Cut(tok, ":")
	if !ok {
		return pando.Identity{}, token.ErrNone
	}
	return pando.Identity{ID: name, Value: role}, nil
}

// TestAConnectionsUserIsAsItsLatestTokenSays renews a token on a connection, by one with
// other claims of the same user.
func TestAConnectionsUserIsAsItsLatestTokenSays(t *testing.T) {
	role := func(id pando.Identity) string {
		text, _ := id.Value.(string)
		return text
	}
	b := serveBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Auth = claims{}
		return []mux.Entry{mux.RouteClass(&mux.Demultiplexer{
			Consumers: map[string]mux.Consumer{"role": mux.JSON[spoken]{
				OnReceive: func(_ context.Context, s *mux.Stream, _ spoken) (any, error) { return role(s.User()), nil },
			}},
			HasPermission: func(_ context.Context, c *mux.Conn) (bool, error) {
				b.note("asked as " + role(c.User()))
				return role(c.User()) != "guest", nil
			},
		}, hallPath)}
	})
	s := wiretest.Dial(t, b.server.URL+"/ws", nil)
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"ada:reader"}}`)
	s.Want(`"connected"`)
	open(s, "s1", "/hall/a/", "role")
	asks := func(want string) {
		t.Helper()
		s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"message","data":{}}}`)
		s.Want(`"value":` + want)
	}
	asks(`"reader"`)
	renew := func(tok, want string) {
		t.Helper()
		s.Sendf(`{"stream":"@","id":4,"payload":{"type":"connect","protocol":1,"token":%q}}`, tok)
		s.Want(want)
	}
	renew("ada:editor", `"connected"`)
	asks(`"editor"`)
	renew("grace:editor", `"code":"denied"`) // another user's is none
	asks(`"editor"`)
	renew("ada:guest", `"connected"`)
	b.app.Recheck("ada")
	s.Want(`{"stream":"s1","payload":{"type":"closed","code":"denied"`)
	if got := b.notes(); got != "asked as reader, asked as guest" {
		t.Errorf("got %s", got)
	}
	plain := wiretest.Plain(t, b.server.URL+"/hall/a/", http.Header{"Authorization": {"Token ada:editor"}})
	plain.Sendf(`{"stream":"role","id":1,"payload":{}}`)
	var answer struct{ Payload struct{ Value string } }
	if err := json.Unmarshal([]byte(plain.Read()), &answer); err != nil || answer.Payload.Value != "editor" {
		t.Errorf("a plain client is %+v: %v", answer, err)
	}
}
