package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The bounds of a JWT: how long its text may be, how far clocks may be apart
// unless JWTConfig says otherwise, and how far they may be said to be.
const (
	maxJWT        = 16 << 10
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute
)

// JWTConfig says which JSON Web Tokens are accepted. Algorithms, and Keys or
// KeySet, must be set.
type JWTConfig struct {
	// Algorithms are those that tokens may be signed by, such as "RS256" or
	// "EdDSA"; a token's own word for it counts only if it is among them.
	Algorithms []string
	// Keys verify signatures: a []byte of 32 bytes or more for HS256, HS384 and
	// HS512, and *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey for the
	// others, as x509.ParsePKIXPublicKey returns them. Several are tried in
	// order, so that an old key may stand beside its successor.
	Keys []any
	// KeySet is the https address of the issuer's public keys (a JWK set, often
	// below /.well-known/). It is read when a token first needs it, again after
	// an hour or when a token names a key that is not there, and kept for a day
	// when it cannot be read.
	KeySet string
	// Client reads KeySet; http.DefaultClient unless set.
	Client *http.Client
	// Issuer is what "iss" must be, and Audience what must be in "aud". "" is not
	// looked at, which a KeySet does not allow: its issuer signs tokens for
	// others too.
	Issuer, Audience string
	// Leeway is how far the clocks of issuer and server may be apart, for "exp",
	// "nbf" and "iat": 30 s unless set, 5 minutes at most, none when negative.
	Leeway time.Duration
	// Logger is told when KeySet cannot be read and old keys are used; slog's
	// default unless set.
	Logger *slog.Logger
}

// JWT is an Authenticator over signed JSON Web Tokens. Nothing is looked up in a
// database, so that a token is good until it expires, and cannot be revoked.
//
// Identity.ID is the token's "sub", Identity.Expires its "exp" with the leeway,
// and Identity.Value its claims as a C, by C's json tags. Tokens without a "sub"
// or an "exp" are refused, as is every one that C cannot hold.
//
// It is safe for concurrent use and owns no goroutine.
type JWT[C any] struct {
	cfg        JWTConfig
	algorithms []jose.SignatureAlgorithm
	set        *keySet // nil when there is no KeySet
	now        func() time.Time
}

// NewJWT returns a JWT with claims of type C, a struct or map[string]any:
//
//	auth, err := token.NewJWT[Claims](token.JWTConfig{
//		Algorithms: []string{"RS256"},
//		KeySet:     "https://login.example.com/.well-known/jwks.json",
//		Issuer:     "https://login.example.com/",
//		Audience:   "board",
//	})
//
// It reads no key set yet. The error has all that is wrong with the
// configuration.
func NewJWT[C any](c JWTConfig) (*JWT[C], error) {
	j := &JWT[C]{cfg: c, now: time.Now}
	for _, name := range c.Algorithms {
		j.algorithms = append(j.algorithms, jose.SignatureAlgorithm(name))
	}
	if err := c.validate(j.algorithms); err != nil {
		return nil, fmt.Errorf("accept JWTs: %w", err)
	}
	j.cfg.Leeway = max(cmp.Or(c.Leeway, defaultLeeway), 0)
	if c.KeySet != "" {
		j.set = newKeySet(c.KeySet, cmp.Or(c.Client, http.DefaultClient), cmp.Or(c.Logger, slog.Default()))
	}
	return j, nil
}

func (c JWTConfig) validate(algorithms []jose.SignatureAlgorithm) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(algorithms) == 0 {
		fault(`field Algorithms is empty: name those that tokens may be signed by, such as "RS256"`)
	}
	if len(c.Keys) == 0 && c.KeySet == "" {
		fault("there is no key: set Keys or KeySet")
	}
	for i, key := range c.Keys {
		if err := checkKey(key); err != nil {
			fault("Keys[%d]: %w", i, err)
		} else if !slices.ContainsFunc(algorithms, func(a jose.SignatureAlgorithm) bool { return fits(a, key) }) {
			fault("Keys[%d] is a %T, which none of the Algorithms uses: leave it out, or name its algorithm", i, key)
		}
	}
	for _, a := range algorithms {
		switch {
		case !known(a):
			fault("algorithm %q is not supported: take HS256, RS256, PS256, ES256, one of their longer forms, or EdDSA", a)
		case isHMAC(a) && c.KeySet != "":
			fault("algorithm %s needs a secret, and KeySet is public: use Keys alone for it", a)
		case c.KeySet == "" && !slices.ContainsFunc(c.Keys, func(k any) bool { return fits(a, k) }):
			fault("no key is for algorithm %s: add one to Keys, or leave the algorithm out", a)
		}
	}
	if c.KeySet != "" {
		faults = append(faults, c.validateKeySet())
	}
	if c.Leeway > maxLeeway {
		fault("Leeway is %v, and may be %v at most: set the clocks", c.Leeway, maxLeeway)
	}
	return errors.Join(faults...)
}

func (c JWTConfig) validateKeySet() error {
	err := checkKeySetURL(c.KeySet)
	if c.Issuer == "" {
		err = errors.Join(err, errors.New(`field Issuer is empty: a KeySet needs the issuer's name, as its tokens have it in "iss"`))
	}
	if c.Audience == "" {
		err = errors.Join(err, errors.New("field Audience is empty: without it, tokens that a KeySet's issuer made for other apps would be accepted"))
	}
	return err
}

// Authenticate implements Authenticator. Text that is no JWT, or one of another
// issuer or algorithm, is an ErrForeign.
func (j *JWT[C]) Authenticate(ctx context.Context, _ *http.Request, token string) (Identity, error) {
	switch {
	case token == "":
		return Identity{}, ErrNone
	case strings.Count(token, ".") != 2:
		return Identity{}, ErrForeign
	case len(token) > maxJWT:
		return Identity{}, fmt.Errorf("JWT of %d bytes: %w", len(token), ErrInvalid)
	}
	parsed, err := jwt.ParseSigned(token, j.algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return Identity{}, fmt.Errorf("JWT: %w: %w", ErrForeign, err)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("parse JWT: %w: %w", ErrInvalid, err)
	}
	return j.verify(ctx, parsed)
}

func (j *JWT[C]) verify(ctx context.Context, parsed *jwt.JSONWebToken) (Identity, error) {
	var claims jwt.Claims
	// Not verified yet: it only tells whether this is anybody's to judge.
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return Identity{}, fmt.Errorf("read JWT: %w: %w", ErrInvalid, err)
	}
	if j.cfg.Issuer != "" && claims.Issuer != j.cfg.Issuer {
		return Identity{}, fmt.Errorf("JWT of issuer %.100q: %w", claims.Issuer, ErrForeign)
	}
	keys, err := j.keysFor(ctx, parsed.Headers[0])
	if err != nil {
		return Identity{}, fmt.Errorf("authenticate: %w", err)
	}
	value := new(C)
	err = errors.New("no key of its name and algorithm")
	for _, key := range keys {
		claims, value = jwt.Claims{}, new(C)
		if err = parsed.Claims(key, &claims, value); err == nil {
			break
		}
	}
	if err != nil {
		return Identity{}, fmt.Errorf("verify JWT: %w: %w", ErrInvalid, err)
	}
	if err := j.checkClaims(claims); err != nil {
		return Identity{}, fmt.Errorf("JWT: %w: %w", ErrInvalid, err)
	}
	return Identity{ID: claims.Subject, Expires: claims.Expiry.Time().Add(j.cfg.Leeway), Value: *value}, nil
}

// keysFor returns the keys that may have signed a token. A key counts for
// algorithms of its own kind only: a public key is never taken for a secret.
func (j *JWT[C]) keysFor(ctx context.Context, header jose.Header) ([]any, error) {
	algorithm := jose.SignatureAlgorithm(header.Algorithm)
	var keys []any
	for _, key := range j.cfg.Keys {
		if fits(algorithm, key) {
			keys = append(keys, key)
		}
	}
	if j.set == nil {
		return keys, nil
	}
	more, err := j.set.find(ctx, header.KeyID, algorithm)
	return append(keys, more...), err
}

func (j *JWT[C]) checkClaims(claims jwt.Claims) error {
	expected := jwt.Expected{Issuer: j.cfg.Issuer, Time: j.now()}
	if j.cfg.Audience != "" {
		expected.AnyAudience = jwt.Audience{j.cfg.Audience}
	}
	switch {
	case claims.Expiry == nil:
		return errors.New(`it has no "exp"`)
	case claims.Subject == "":
		return errors.New(`it has no "sub"`)
	case !expected.Time.Before(claims.Expiry.Time().Add(j.cfg.Leeway)):
		return jwt.ErrExpired // in the very second too, unlike below
	}
	return claims.ValidateWithLeeway(expected, j.cfg.Leeway)
}
