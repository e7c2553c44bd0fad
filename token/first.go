package token

import (
	"context"
	"errors"
	"net/http"
)

// Chain asks several Authenticators; First makes it.
type Chain struct {
	parts []Authenticator
}

var _ Revocable = (*Chain)(nil)

// First returns an Authenticator that asks others in order. The first one that
// finds a credential of its own form answers, be it by an error: it goes on
// after ErrNone and ErrForeign only. A bad token is therefore never made up for
// by a cookie.
//
//	token.First(token.New(db), jwt, token.Session(readSession))
//
// All of them name users alike: an Identity.ID is the same user whoever found
// it.
func First(parts ...Authenticator) *Chain {
	return &Chain{parts: parts}
}

// Authenticate implements Authenticator.
func (c *Chain) Authenticate(ctx context.Context, r *http.Request, token string) (Identity, error) {
	none := ErrNone
	if token != "" {
		none = ErrForeign // there is one, and nobody's
	}
	for _, part := range c.parts {
		switch identity, err := part.Authenticate(ctx, r, token); {
		case errors.Is(err, ErrForeign):
			none = ErrForeign
		case !errors.Is(err, ErrNone):
			return identity, err
		}
	}
	return Identity{}, none
}

// Mount registers the endpoints of those that have any, such as a Store's. It
// panics when two have the same, as http.ServeMux does.
func (c *Chain) Mount(mux *http.ServeMux) {
	for _, part := range c.parts {
		if m, ok := part.(interface{ Mount(mux *http.ServeMux) }); ok {
			m.Mount(mux)
		}
	}
}

// Credentials implements Revocable: what any of them depends on.
func (c *Chain) Credentials() []Credential {
	var all []Credential
	for _, part := range c.parts {
		if r, ok := part.(Revocable); ok {
			all = append(all, r.Credentials()...)
		}
	}
	return all
}
