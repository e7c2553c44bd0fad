package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signers are keys of every kind, made once.
var signers = sync.OnceValue(func() (keys struct {
	secret []byte
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	ed     ed25519.PrivateKey
},
) {
	var errs [3]error
	keys.secret = []byte("0123456789abcdef0123456789abcdef")
	keys.rsa, errs[0] = rsa.GenerateKey(rand.Reader, minRSA)
	keys.ec, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, keys.ed, errs[2] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return keys
})

type member struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

// epoch is the time of the tests' clocks.
var epoch = time.Unix(1_800_000_000, 0)

// claims are those of a good token, with some of them changed; nil takes one
// out.
func claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": "https://login.example.com/", "aud": []string{"board", "mail"}, "sub": "ada",
		"exp": epoch.Add(time.Hour).Unix(), "name": "Ada", "roles": []string{"editor"},
	}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, a jose.SignatureAlgorithm, key any, c map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: a, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forge puts a token together by hand; it is signed by nobody.
func forge(t testing.TB, header, payload any) string {
	t.Helper()
	var parts []string
	for _, part := range []any{header, payload} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	return strings.Join(parts, ".") + "."
}

func newJWT(t testing.TB, c JWTConfig) *JWT[member] {
	t.Helper()
	c.Issuer, c.Audience = "https://login.example.com/", "board"
	j, err := NewJWT[member](c)
	if err != nil {
		t.Fatal(err)
	}
	j.now = func() time.Time { return epoch }
	return j
}

func TestJWTOfEveryKind(t *testing.T) {
	keys := signers()
	for a, pair := range map[jose.SignatureAlgorithm]struct{ private, public any }{
		jose.HS256: {keys.secret, keys.secret},
		jose.RS256: {keys.rsa, keys.rsa.Public()},
		jose.PS256: {keys.rsa, keys.rsa.Public()},
		jose.ES256: {keys.ec, keys.ec.Public()},
		jose.EdDSA: {keys.ed, keys.ed.Public()},
	} {
		t.Run(string(a), func(t *testing.T) {
			j := newJWT(t, JWTConfig{Algorithms: []string{string(a)}, Keys: []any{pair.public}})
			identity, err := j.Authenticate(t.Context(), nil, sign(t, a, pair.private, claims(nil)))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := identity.Value.(member)
			if !ok || identity.ID != "ada" || got.Name != "Ada" || len(got.Roles) != 1 || identity.Ambient {
				t.Errorf("identity is %+v", identity)
			}
			if want := epoch.Add(time.Hour + defaultLeeway); !identity.Expires.Equal(want) {
				t.Errorf("it expires at %v, want %v", identity.Expires, want)
			}
			tampered := sign(t, a, pair.private, claims(nil))
			at := len(tampered) - 10
			letter := "A"
			if tampered[at] == 'A' {
				letter = "B"
			}
			_, err = j.Authenticate(t.Context(), nil, tampered[:at]+letter+tampered[at+1:])
			wantError(t, err, ErrInvalid)
		})
	}
}

func TestJWTChecksClaims(t *testing.T) {
	keys := signers()
	j := newJWT(t, JWTConfig{Algorithms: []string{"HS256"}, Keys: []any{keys.secret}})
	in := func(d time.Duration) int64 { return epoch.Add(d).Unix() }
	for name, c := range map[string]struct {
		changes map[string]any
		want    error
	}{
		"as it is":              {nil, nil},
		"one audience":          {map[string]any{"aud": "board"}, nil},
		"expired, in leeway":    {map[string]any{"exp": in(-29 * time.Second)}, nil},
		"expired":               {map[string]any{"exp": in(-30 * time.Second)}, ErrInvalid},
		"no exp":                {map[string]any{"exp": nil}, ErrInvalid},
		"exp is text":           {map[string]any{"exp": "tomorrow"}, ErrInvalid},
		"exp overflows":         {map[string]any{"exp": int64(1<<63 - 1)}, ErrInvalid},
		"soon, in leeway":       {map[string]any{"nbf": in(30 * time.Second)}, nil},
		"not yet":               {map[string]any{"nbf": in(31 * time.Second)}, ErrInvalid},
		"issued in the future":  {map[string]any{"iat": in(31 * time.Second)}, ErrInvalid},
		"other audience":        {map[string]any{"aud": "mail"}, ErrInvalid},
		"no audience":           {map[string]any{"aud": nil}, ErrInvalid},
		"other issuer":          {map[string]any{"iss": "https://elsewhere.example.com/"}, ErrForeign},
		"no issuer":             {map[string]any{"iss": nil}, ErrForeign},
		"no sub":                {map[string]any{"sub": nil}, ErrInvalid},
		"empty sub":             {map[string]any{"sub": ""}, ErrInvalid},
		"sub is a number":       {map[string]any{"sub": 7}, ErrInvalid},
		"claims of other types": {map[string]any{"roles": "editor"}, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			identity, err := j.Authenticate(t.Context(), nil, sign(t, jose.HS256, keys.secret, claims(c.changes)))
			if !errors.Is(err, c.want) || errors.Is(c.want, ErrInvalid) && !errors.Is(err, ErrInvalid) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if (err == nil) != (identity.ID == "ada") {
				t.Errorf("identity is %+v with error %v", identity, err)
			}
		})
	}
}

func TestJWTRefusesForgeries(t *testing.T) {
	keys := signers()
	der, err := x509.MarshalPKIXPublicKey(keys.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := sign(t, jose.RS256, keys.rsa, claims(nil))
	parts := strings.Split(good, ".")
	other, err := rsa.GenerateKey(rand.Reader, minRSA)
	if err != nil {
		t.Fatal(err)
	}
	own, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: other}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := jwt.Signed(own).Claims(claims(nil)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	// Both kinds of keys are accepted, so that only the kinds keep them apart.
	j := newJWT(t, JWTConfig{Algorithms: []string{"RS256", "HS256"}, Keys: []any{keys.rsa.Public(), keys.secret}})
	for name, token := range map[string]string{
		"none":                        forge(t, map[string]any{"alg": "none"}, claims(nil)),
		"None":                        forge(t, map[string]any{"alg": "None"}, claims(nil)),
		"no algorithm":                forge(t, map[string]any{"typ": "JWT"}, claims(nil)),
		"unsigned":                    parts[0] + "." + parts[1] + ".",
		"another algorithm":           sign(t, jose.RS512, keys.rsa, claims(nil)),
		"another's key":               sign(t, jose.RS256, other, claims(nil)),
		"a key that it brings":        embedded,
		"HS256 by the public PEM":     sign(t, jose.HS256, public, claims(nil)),
		"HS256 by the public DER":     sign(t, jose.HS256, der, claims(nil)),
		"HS256 by the public modulus": sign(t, jose.HS256, keys.rsa.N.Bytes(), claims(nil)),
		"payload of another":          parts[0] + "." + strings.Split(sign(t, jose.RS256, other, claims(map[string]any{"sub": "eve"})), ".")[1] + "." + parts[2],
		"unknown critical header":     forge(t, map[string]any{"alg": "RS256", "crit": []string{"x"}, "x": 1}, claims(nil)) + parts[2],
		"garbage":                     "a.b.c",
		"dots":                        "..",
		"no JWT":                      "opaque",
		"JWE":                         "a.b.c.d.e",
		"JSON":                        `{"payload":"a","signatures":[]}`,
		"not UTF-8":                   "\xff.\x00.\xff",
		"huge":                        parts[0] + "." + strings.Repeat("A", maxJWT) + "." + parts[2],
	} {
		t.Run(name, func(t *testing.T) {
			identity, err := j.Authenticate(t.Context(), nil, token)
			wantError(t, err, ErrInvalid)
			if identity != (Identity{}) {
				t.Errorf("identity is %+v", identity)
			}
		})
	}
	if _, err := j.Authenticate(t.Context(), nil, good); err != nil {
		t.Errorf("the token that all were made of: %v", err)
	}
	_, err = j.Authenticate(t.Context(), nil, "")
	wantError(t, err, ErrNone)
}

func TestJWTTriesKeysInOrder(t *testing.T) {
	keys := signers()
	j := newJWT(t, JWTConfig{Algorithms: []string{"HS256"}, Keys: []any{[]byte(strings.Repeat("n", 32)), keys.secret}})
	if _, err := j.Authenticate(t.Context(), nil, sign(t, jose.HS256, keys.secret, claims(nil))); err != nil {
		t.Errorf("a token by the old key: %v", err)
	}
}

func TestJWTConfigurations(t *testing.T) {
	keys := signers()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	const set = "https://login.example.com/jwks.json"
	for want, c := range map[string]JWTConfig{
		`Algorithms is empty: name those that tokens may be signed by, such as "RS256"`: {KeySet: set, Issuer: "i", Audience: "a"},
		"there is no key: set Keys or KeySet":                                           {Algorithms: []string{"RS256"}},
		`algorithm "none" is not supported`:                                             {Algorithms: []string{"none"}, Keys: []any{keys.secret}},
		"a secret of 6 bytes can be guessed: take 32 random bytes":                      {Algorithms: []string{"HS256"}, Keys: []any{[]byte("secret")}},
		"an RSA key of 1024 bits is too weak: take 2048":                                {Algorithms: []string{"RS256"}, Keys: []any{weak.Public()}},
		"a *rsa.PrivateKey signs tokens":                                                {Algorithms: []string{"RS256"}, Keys: []any{keys.rsa}},
		"a string is no key":                                                            {Algorithms: []string{"HS256"}, Keys: []any{"secret"}},
		"a <nil> is no key":                                                             {Algorithms: []string{"HS256"}, Keys: []any{nil}},
		"Keys[0] is a []uint8, which none of the Algorithms uses":                       {Algorithms: []string{"RS256"}, Keys: []any{keys.secret}},
		"no key is for algorithm ES256":                                                 {Algorithms: []string{"EdDSA", "ES256"}, Keys: []any{keys.ed.Public()}},
		"no key is for algorithm ES384":                                                 {Algorithms: []string{"ES384"}, Keys: []any{keys.ec.Public()}},
		"algorithm HS256 needs a secret, and KeySet is public":                          {Algorithms: []string{"HS256"}, KeySet: set, Issuer: "i", Audience: "a"},
		"Audience is empty":                                                             {Algorithms: []string{"RS256"}, KeySet: set, Issuer: "i"},
		"Issuer is empty":                                                               {Algorithms: []string{"RS256"}, KeySet: set, Audience: "a"},
		"is not https":                                                                  {Algorithms: []string{"RS256"}, KeySet: "http://login.example.com/jwks.json", Issuer: "i", Audience: "a"},
		`KeySet "jwks.json" is no address`:                                              {Algorithms: []string{"RS256"}, KeySet: "jwks.json", Issuer: "i", Audience: "a"},
		"Leeway is 1h0m0s, and may be 5m0s at most":                                     {Algorithms: []string{"HS256"}, Keys: []any{keys.secret}, Leeway: time.Hour},
	} {
		_, err := NewJWT[member](c)
		if err == nil || !strings.HasPrefix(err.Error(), "accept JWTs: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	_, err = NewJWT[member](JWTConfig{})
	if err == nil || !strings.Contains(err.Error(), "Algorithms is empty") || !strings.Contains(err.Error(), "there is no key") {
		t.Errorf("not all faults are told: %v", err)
	}
}

// FuzzJWT holds that nothing but what was signed is let in.
func FuzzJWT(f *testing.F) {
	keys := signers()
	good := sign(f, jose.EdDSA, keys.ed, claims(nil))
	j := newJWT(f, JWTConfig{Algorithms: []string{"EdDSA"}, Keys: []any{keys.ed.Public()}})
	f.Add(good)
	f.Add(forge(f, map[string]any{"alg": "none"}, claims(nil)))
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, token string) {
		identity, err := j.Authenticate(t.Context(), nil, token)
		switch {
		case err == nil && (identity.ID != "ada" || !strings.HasPrefix(good, token[:strings.LastIndexByte(token, '.')])):
			t.Errorf("%q became %+v", token, identity)
		case err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrNone):
			t.Errorf("%q: %v", token, err)
		}
	})
}
