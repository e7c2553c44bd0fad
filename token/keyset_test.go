package token

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer serves a key set that a test changes.
type issuer struct {
	t       *testing.T
	server  *httptest.Server
	reads   atomic.Int32
	entered chan struct{} // told of each read

	mu      sync.Mutex // guards what follows
	body    string
	status  int
	clock   time.Time
	release chan struct{} // what a read waits for
}

func newIssuer(t *testing.T, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{t: t, status: http.StatusOK, clock: epoch, entered: make(chan struct{}, 100), release: make(chan struct{})}
	close(i.release)
	i.publish(keys...)
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.reads.Add(1)
		i.entered <- struct{}{}
		<-i.held()
		i.mu.Lock()
		defer i.mu.Unlock()
		w.WriteHeader(i.status)
		io.WriteString(w, i.body)
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) publish(keys ...jose.JSONWebKey) {
	i.t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		i.t.Fatal(err)
	}
	i.answer(http.StatusOK, string(text))
}

func (i *issuer) answer(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

// hold has reads wait until release is called.
func (i *issuer) hold() (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	gate := make(chan struct{})
	i.release = gate
	return func() { close(gate) }
}

func (i *issuer) held() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.release
}

func (i *issuer) advance(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clock = i.clock.Add(d)
}

func (i *issuer) now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.clock
}

func (i *issuer) wantReads(want int32) {
	i.t.Helper()
	if got := i.reads.Load(); got != want {
		i.t.Errorf("the set was read %d times, want %d", got, want)
	}
}

// accept returns a JWT that trusts the issuer, on its clock.
func (i *issuer) accept() *JWT[member] {
	i.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	j := newJWT(i.t, JWTConfig{
		Algorithms: []string{"EdDSA", "ES256", "RS256"}, KeySet: i.server.URL,
		Client: client, Logger: slog.New(slog.DiscardHandler),
	})
	j.now, j.set.now = i.now, i.now
	return j
}

func published(name string, public crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: name, Key: public, Use: "sig"}
}

// named signs with the key's name in the header; "" leaves it out.
func named(t *testing.T, name string, a jose.SignatureAlgorithm, key any) string {
	t.Helper()
	return sign(t, a, jose.JSONWebKey{KeyID: name, Key: key}, claims(map[string]any{"exp": epoch.AddDate(1, 0, 0).Unix()}))
}

func TestKeySet(t *testing.T) {
	keys := signers()
	i := newIssuer(t, published("one", keys.ed.Public()), published("two", keys.ec.Public()))
	j := i.accept()
	i.wantReads(0)
	for _, token := range []string{
		named(t, "one", jose.EdDSA, keys.ed), named(t, "two", jose.ES256, keys.ec), named(t, "", jose.ES256, keys.ec),
	} {
		if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
			t.Error(err)
		}
	}
	i.wantReads(1)
	// The name of one key with the signature of another.
	_, err := j.Authenticate(t.Context(), nil, named(t, "one", jose.ES256, keys.ec))
	wantError(t, err, ErrInvalid)
}

func TestKeySetTakesKeysForSignaturesOnly(t *testing.T) {
	keys := signers()
	encrypts := published("one", keys.ed.Public())
	encrypts.Use = "enc"
	other := published("two", keys.ec.Public())
	other.Algorithm = "ES384"
	secret := jose.JSONWebKey{KeyID: "three", Key: keys.secret}
	i := newIssuer(t, encrypts, other, secret, published("four", keys.rsa.Public()))
	i.mu.Lock()
	i.body = strings.Replace(i.body, `"keys":[`, `"keys":[{"kty":"of tomorrow"},17,`, 1)
	i.mu.Unlock()
	j := i.accept()
	for name, token := range map[string]string{
		"enc": named(t, "one", jose.EdDSA, keys.ed), "other algorithm": named(t, "two", jose.ES256, keys.ec),
		"secret": named(t, "three", jose.HS256, keys.secret),
	} {
		if _, err := j.Authenticate(t.Context(), nil, token); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := j.Authenticate(t.Context(), nil, named(t, "four", jose.RS256, keys.rsa)); err != nil {
		t.Error(err)
	}
}

func TestKeySetFollowsRotation(t *testing.T) {
	keys := signers()
	i := newIssuer(t, published("old", keys.ed.Public()))
	j := i.accept()
	old, successor := named(t, "old", jose.EdDSA, keys.ed), named(t, "new", jose.ES256, keys.ec)
	if _, err := j.Authenticate(t.Context(), nil, old); err != nil {
		t.Fatal(err)
	}
	i.publish(published("new", keys.ec.Public()))
	for range 5 { // unknown names do not have the issuer asked again and again
		_, err := j.Authenticate(t.Context(), nil, successor)
		wantError(t, err, ErrInvalid)
	}
	i.wantReads(1)
	i.advance(keySetPause)
	if _, err := j.Authenticate(t.Context(), nil, successor); err != nil {
		t.Error(err)
	}
	i.wantReads(2)
	_, err := j.Authenticate(t.Context(), nil, old)
	wantError(t, err, ErrInvalid)
	// A key that is taken out is missed within the hour, also by those it knows.
	i.publish(published("old", keys.ed.Public()))
	i.advance(keySetFresh)
	_, err = j.Authenticate(t.Context(), nil, successor)
	wantError(t, err, ErrInvalid)
	i.wantReads(3)
}

func TestKeySetThatCannotBeRead(t *testing.T) {
	keys := signers()
	i := newIssuer(t)
	j := i.accept()
	token := named(t, "one", jose.EdDSA, keys.ed)
	internal := func(want string) {
		t.Helper()
		_, err := j.Authenticate(t.Context(), nil, token)
		if err == nil || errors.Is(err, ErrInvalid) || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want an internal one: %s", err, want)
		}
	}
	internal("it has no key for signatures")
	internal("it has no key for signatures")
	i.wantReads(1)
	for want, answer := range map[string]string{
		"invalid character": "<html>", "larger than": strings.Repeat(" ", maxKeySetBytes+1),
		"more than 100": `{"keys":[` + strings.Repeat("1,", 100) + `1]}`,
	} {
		i.answer(http.StatusOK, answer)
		i.advance(keySetRetry)
		internal(want)
	}
	i.answer(http.StatusBadGateway, "")
	i.advance(keySetRetry)
	internal("502 Bad Gateway")

	i.publish(published("one", keys.ed.Public()))
	i.advance(keySetRetry)
	if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
		t.Fatal(err)
	}
	// From here on it is down: its keys are good for a day.
	i.answer(http.StatusBadGateway, "")
	reads := i.reads.Load()
	i.advance(keySetKept - time.Second)
	for range 3 {
		if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
			t.Error(err)
		}
	}
	i.wantReads(reads + 1)
	i.advance(keySetPause)
	internal("502 Bad Gateway")
}

func TestKeySetIsReadOnce(t *testing.T) {
	keys := signers()
	i := newIssuer(t, published("one", keys.ed.Public()))
	release := i.hold()
	j := i.accept()
	token := named(t, "one", jose.EdDSA, keys.ed)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
				t.Error(err)
			}
		})
	}
	<-i.entered
	// One who gives up gets no answer, and spoils it for nobody.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Authenticate(ctx, nil, token); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	release()
	wg.Wait()
	i.wantReads(1)
}

func TestKeySetGoesOnWithoutWhoAskedFirst(t *testing.T) {
	keys := signers()
	i := newIssuer(t, published("one", keys.ed.Public()))
	release := i.hold()
	j := i.accept()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := j.Authenticate(ctx, nil, named(t, "one", jose.EdDSA, keys.ed)); err != nil {
			t.Error(err)
		}
	})
	<-i.entered
	cancel()
	release()
	wg.Wait()
	i.wantReads(1)
}

func TestStaleKeysWaitForNobody(t *testing.T) {
	keys := signers()
	i := newIssuer(t, published("one", keys.ed.Public()))
	j := i.accept()
	token := named(t, "one", jose.EdDSA, keys.ed)
	if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
		t.Fatal(err)
	}
	<-i.entered
	i.advance(keySetFresh)
	release := i.hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
			t.Error(err)
		}
	})
	<-i.entered // one reads
	if _, err := j.Authenticate(t.Context(), nil, token); err != nil {
		t.Error(err)
	}
	release()
	wg.Wait()
	i.wantReads(2)
}
