package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The times and bounds of a key set. A read has to end before a connection
// gives up; a key that is unknown may not have the issuer asked without end.
const (
	keySetFresh    = time.Hour
	keySetKept     = 24 * time.Hour
	keySetPause    = time.Minute     // between two reads
	keySetRetry    = 5 * time.Second // after one that failed, while there is no key at all
	keySetTimeout  = 4 * time.Second
	maxKeySetBytes = 1 << 20
	maxKeySetKeys  = 100
)

// keySet is the public keys at an address. They are read by the callers that
// need them, one at a time:
//
//	none ──find──► fresh ──keySetFresh──► stale ──read──► fresh
//	                                        └──keySetKept──► none
type keySet struct {
	url    string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	// turn has room for the one caller that reads.
	turn chan struct{}

	mu    sync.Mutex // guards what follows
	keys  []jose.JSONWebKey
	read  time.Time // when keys was read
	tried time.Time // when a read began last
	err   error     // of the last read
}

func newKeySet(address string, client *http.Client, log *slog.Logger) *keySet {
	return &keySet{url: address, client: client, log: log, now: time.Now, turn: make(chan struct{}, 1)}
}

// checkKeySetURL refuses addresses that whoever stands in between could answer.
func checkKeySetURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("KeySet %q is no address: give one like https://login.example.com/.well-known/jwks.json", address)
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("KeySet %s is not https: anybody on the way could say who may log in", u.Redacted())
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// find returns the keys of an algorithm's kind that have the name, or all of
// them when name is "". The error is the server's own.
func (s *keySet) find(ctx context.Context, name string, a jose.SignatureAlgorithm) ([]any, error) {
	keys, due := s.look(name, a)
	if !due {
		return keys, s.failure()
	}
	if len(keys) > 0 { // stale: who comes while another reads does not wait
		select {
		case s.turn <- struct{}{}:
		default:
			return keys, nil
		}
	} else {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-s.turn }()
	if keys, due = s.look(name, a); due {
		s.refresh(ctx)
		keys, _ = s.look(name, a)
	}
	return keys, s.failure()
}

// look returns what is held, and whether the set should be read before that
// counts.
func (s *keySet) look(name string, a jose.SignatureAlgorithm) (keys []any, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.read.IsZero() && now.Sub(s.read) >= keySetKept {
		s.keys, s.read = nil, time.Time{}
	}
	for _, key := range s.keys {
		if (name == "" || name == key.KeyID) && (key.Algorithm == "" || key.Algorithm == string(a)) && fits(a, key.Key) {
			keys = append(keys, key.Key)
		}
	}
	pause := keySetPause
	if s.read.IsZero() {
		pause = keySetRetry
	}
	wanted := len(keys) == 0 || now.Sub(s.read) >= keySetFresh
	return keys, wanted && (s.tried.IsZero() || now.Sub(s.tried) >= pause)
}

// failure is the error of the last read when no set is held.
func (s *keySet) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read.IsZero() && s.err != nil {
		return s.err
	}
	return nil
}

// refresh reads the set. It goes on when its caller does not: others wait for
// it.
func (s *keySet) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keySetTimeout)
	defer cancel()
	began := s.now()
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.err = began, err
	if err == nil {
		s.keys, s.read = keys, began
	} else if !s.read.IsZero() {
		s.log.WarnContext(ctx, "cannot read a key set anew: its old keys are used", "age", began.Sub(s.read), "error", err)
	}
}

func (s *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read key set %s: the answer is %s", s.url, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	if err == nil && len(body) > maxKeySetBytes {
		err = fmt.Errorf("the answer is larger than %d bytes", maxKeySetBytes)
	}
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = parseKeySet(body)
	}
	if err != nil {
		return nil, fmt.Errorf("read key set %s: %w", s.url, err)
	}
	return keys, nil
}

// parseKeySet returns the public keys of a set that are for signatures. Keys of
// kinds that are not known here are nobody's concern.
func parseKeySet(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeySetKeys {
		return nil, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), maxKeySetKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) != nil || key.Use != "" && key.Use != "sig" {
			continue
		}
		if _, secret := key.Key.([]byte); !secret && checkKey(key.Key) == nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for signatures")
	}
	return keys, nil
}
