package token

import (
	"context"
	"net/http"
	"slices"
)

// Cookies is an Authenticator over an app's own sessions; Session makes it.
type Cookies struct {
	identify    func(ctx context.Context, r *http.Request) (Identity, error)
	credentials []Credential
}

var _ Revocable = (*Cookies)(nil)

// Session returns an Authenticator over whatever keeps an app's sessions:
// identify tells from the cookies of a request who it is. It returns ErrNone, or
// an Identity without an ID, when nobody has logged in, and ErrInvalid for a
// session that is over. Identity.Expires closes the connections in time.
//
//	auth := token.Session(func(ctx context.Context, r *http.Request) (token.Identity, error) {
//		cookie, err := r.Cookie("session")
//		if err != nil {
//			return token.Identity{}, token.ErrNone
//		}
//		return sessions.Find(ctx, cookie.Value)
//	})
//
// r is the request that was upgraded, with its headers and without the context
// values of the app's middleware, as the same is asked again when one of the
// credentials changed: rows, such as those of the table of sessions, on which
// the identities depend.
//
// The identities are Ambient: pages of other origins may not use them. A token
// counts more than a cookie: with one the answer is ErrForeign.
func Session(identify func(ctx context.Context, r *http.Request) (Identity, error), credentials ...Credential) *Cookies {
	return &Cookies{identify: identify, credentials: credentials}
}

// Authenticate implements Authenticator.
func (c *Cookies) Authenticate(ctx context.Context, r *http.Request, token string) (Identity, error) {
	switch {
	case token != "":
		return Identity{}, ErrForeign
	case r == nil:
		return Identity{}, ErrNone
	}
	identity, err := c.identify(ctx, r)
	if err != nil {
		return Identity{}, err
	}
	if identity.ID == "" {
		return Identity{}, ErrNone
	}
	identity.Ambient = true
	return identity, nil
}

// Credentials implements Revocable.
func (c *Cookies) Credentials() []Credential { return slices.Clone(c.credentials) }
