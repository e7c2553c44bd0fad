package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// Errors that an Authenticator returns for a caller's mistake. Any other error
// is the server's own, and its text stays there.
var (
	// ErrNone is returned when the request carries no credential.
	ErrNone = errors.New("no credential")
	// ErrInvalid is returned for a credential that is unknown, expired,
	// revoked or wrong. It never says which.
	ErrInvalid = errors.New("invalid credential")
	// ErrForeign is the ErrInvalid of a credential that this Authenticator
	// cannot have given out, since its form is another; see [First].
	ErrForeign = fmt.Errorf("%w: its form is another", ErrInvalid)
)

// Identity is who a connection or a request acts for.
type Identity struct {
	// ID names the user in the app's own terms; "" is nobody.
	ID string
	// Expires is when the identity ends; zero when it does not.
	Expires time.Time
	// Ambient tells that the browser sent the credential by itself, as it does
	// cookies and client certificates, so that any page could have asked for the
	// connection. Such an identity counts only for pages of the server's own
	// origin, and for those that the app lists by name.
	Ambient bool
	// Value is whatever the Authenticator knows of the user, for the app.
	// [Store] sets a [User].
	Value any
}

// Authenticator tells who a request acts for.
type Authenticator interface {
	// Authenticate returns the identity behind token, which came in the first
	// frame or in the Authorization header, and is "" when neither had one;
	// r is the request, or the one that was upgraded, for cookies and the
	// like. It returns ErrNone or ErrInvalid, also wrapped, when there is no
	// identity. It is called from many goroutines.
	Authenticate(ctx context.Context, r *http.Request, token string) (Identity, error)
}

// Revocable is an Authenticator whose identities depend on rows of the
// database. When one of them changes, whoever changes it, the connections of
// the user are authenticated again with what they came with, and those that are
// refused are closed before anything more is sent.
type Revocable interface {
	Authenticator
	// Credentials names the rows. They do not change.
	Credentials() []Credential
}

// Credential names rows that an identity depends on: those of a table that have
// the user's Identity.ID in a column.
type Credential struct {
	// Row is a struct that declares the column, with the others that matter, and
	// by its name or by a method TableName the table.
	Row    reflect.Type
	Column string
}

// FromHeader returns the token of r's Authorization header, "Token x" or
// "Bearer x", and "" when there is none or the scheme is another.
func FromHeader(r *http.Request) string {
	scheme, value, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "token") && !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}
