package token

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// sessions finds who has logged in by a cookie named session.
func sessions(found map[string]Identity) *Cookies {
	return Session(func(_ context.Context, r *http.Request) (Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return Identity{}, ErrNone
		}
		identity, ok := found[cookie.Value]
		if !ok {
			return Identity{}, ErrInvalid
		}
		return identity, nil
	}, Credential{Row: reflect.TypeFor[userRow](), Column: "id"})
}

func withCookie(t testing.TB, value string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws", http.NoBody)
	if value != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: value})
	}
	return r
}

func TestSession(t *testing.T) {
	s := sessions(map[string]Identity{"good": {ID: "1", Value: "Ada"}, "nobody's": {}})
	for _, c := range []struct {
		name, cookie, token string
		want                error
	}{
		{"logged in", "good", "", nil},
		{"not logged in", "", "", ErrNone},
		{"a session without a user", "nobody's", "", ErrNone},
		{"a session that is over", "bad", "", ErrInvalid},
		{"a token beside it", "good", "x", ErrForeign},
	} {
		identity, err := s.Authenticate(t.Context(), withCookie(t, c.cookie), c.token)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", c.name, err, c.want)
		}
		if want := (Identity{ID: "1", Value: "Ada", Ambient: true}); err == nil && identity != want {
			t.Errorf("%s: identity is %+v", c.name, identity)
		}
	}
	_, err := s.Authenticate(t.Context(), nil, "")
	wantError(t, err, ErrNone)
}

func TestFirst(t *testing.T) {
	keys := signers()
	store := openStore(t)
	createAda(t, store)
	issued := login(t, store, "lovelace")
	j := newJWT(t, JWTConfig{Algorithms: []string{"EdDSA"}, Keys: []any{keys.ed.Public()}})
	other, err := NewJWT[map[string]any](JWTConfig{Algorithms: []string{"HS256"}, Keys: []any{keys.secret}, Issuer: "other"})
	if err != nil {
		t.Fatal(err)
	}
	other.now = j.now
	drf := NewDRF(openDjango(t))
	cookies := sessions(map[string]Identity{"good": {ID: "7"}})
	anothers := sign(t, jose.HS256, keys.secret, claims(map[string]any{"iss": "other", "sub": "bob"}))

	for name, order := range map[string][]Authenticator{
		"forward":  {store, drf, j, other, cookies},
		"backward": {cookies, other, j, drf, store},
	} {
		t.Run(name, func(t *testing.T) {
			first := First(order...)
			for _, c := range []struct {
				name, cookie, token string
				id                  string
				want                error
			}{
				{"a token of the store", "", issued, "1", nil},
				{"a key of Django's", "", graceKey, "5", nil},
				{"a JWT", "", sign(t, jose.EdDSA, keys.ed, claims(nil)), "ada", nil},
				{"a JWT of another issuer", "", anothers, "bob", nil},
				{"a cookie", "good", "", "7", nil},
				{"a token and a cookie", "good", issued, "1", nil},
				{"nothing", "", "", "", ErrNone},
				{"a bad cookie", "bad", "", "", ErrInvalid},
				{"a JWT that has expired", "good", sign(t, jose.EdDSA, keys.ed, claims(map[string]any{"exp": 1})), "", ErrInvalid},
				{"a token that was revoked", "good", newToken(), "", ErrInvalid},
				{"garbage", "good", "garbage", "", ErrInvalid},
			} {
				identity, err := first.Authenticate(t.Context(), withCookie(t, c.cookie), c.token)
				if !errors.Is(err, c.want) || identity.ID != c.id {
					t.Errorf("%s: %+v, %v; want %q, %v", c.name, identity, err, c.id, c.want)
				}
			}
		})
	}
}

// failing is an Authenticator whose database is gone.
type failing struct{ err error }

func (f failing) Authenticate(context.Context, *http.Request, string) (Identity, error) {
	return Identity{}, f.err
}

func TestFirstStopsAtFailures(t *testing.T) {
	gone := errors.New("database is gone")
	store := openStore(t)
	createAda(t, store)
	_, err := First(failing{gone}, store).Authenticate(t.Context(), nil, login(t, store, "lovelace"))
	wantError(t, err, gone)
	_, err = First().Authenticate(t.Context(), nil, "")
	wantError(t, err, ErrNone)
	_, err = First().Authenticate(t.Context(), nil, "x")
	wantError(t, err, ErrInvalid)
}

func TestFirstPassesOn(t *testing.T) {
	store := openStore(t)
	createAda(t, store)
	cookies := sessions(nil)
	first := First(failing{}, cookies, store)
	if got, want := len(first.Credentials()), len(store.Credentials())+len(cookies.Credentials()); got != want {
		t.Errorf("it depends on %d tables, want %d", got, want)
	}
	mux := http.NewServeMux()
	first.Mount(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, http.NoBody))
	if w.Code != http.StatusBadRequest {
		t.Errorf("POST %s: answer is %d %s", Path, w.Code, w.Body)
	}
}
