package token

import (
	"context"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// weak is a PHC string of password with costs below today's.
func weak(password string) string {
	p := phc{params: params{memory: 64, time: 1, threads: 1}, salt: []byte("somesalt")}
	p.key = argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, keyBytes)
	return p.String()
}

// The vector was made by the reference implementation:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32.
func TestReferenceHash(t *testing.T) {
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h := newHasher()
	for password, want := range map[string]bool{"password": true, "Password": false, "": false} {
		if ok, err := h.verify(t.Context(), stored, password); ok != want || err != nil {
			t.Errorf("verify(%q) = %v, %v; want %v", password, ok, err, want)
		}
	}
}

func TestHashRoundTrip(t *testing.T) {
	h := newHasher()
	for _, password := range []string{"lovelace", "päss wörd", "\x00", strings.Repeat("x", maxPassword)} {
		stored, err := h.hash(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.verify(t.Context(), stored, password); !ok || err != nil {
			t.Errorf("verify(%q) = %v, %v", password, ok, err)
		}
		if ok, err := h.verify(t.Context(), stored, password+"x"); ok || err != nil {
			t.Errorf("verify(%q) with one letter more = %v, %v", password, ok, err)
		}
	}
}

func TestWeakHashIsRenewedAtLogin(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	exec(t, s, `UPDATE users SET password = '`+weak("lovelace")+`'`)
	login(t, s, "lovelace")
	var stored string
	if err := s.db.QueryRowContext(t.Context(), `SELECT password FROM users`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if outdated(stored) {
		t.Errorf("the stored hash is still %s", stored)
	}
	login(t, s, "lovelace")
}

func TestLoginStormIsBounded(t *testing.T) {
	h := newHasher()
	for range cap(h.slots) {
		h.slots <- struct{}{} // as if every slot computed
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiters := make(chan error)
	for range cap(h.waiting) {
		go func() {
			_, err := h.hash(ctx, "x")
			waiters <- err
		}()
	}
	for deadline := time.Now().Add(10 * time.Second); len(h.waiting) < cap(h.waiting); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the queue did not fill")
		}
	}
	_, err := h.hash(t.Context(), "x")
	wantError(t, err, ErrBusy)
	cancel()
	for range cap(h.waiting) {
		wantError(t, <-waiters, context.Canceled)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	salt, key := base64.RawStdEncoding.EncodeToString(make([]byte, 16)), base64.RawStdEncoding.EncodeToString(make([]byte, 32))
	for _, s := range []string{
		"", "lovelace", "$2b$10$abcdefghijklmnopqrstuv",
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=99999999,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=1000,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=300$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=19456,t=2,p=1$?$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$",
	} {
		if p, err := parsePHC(s); err == nil {
			t.Errorf("%q was read as %+v", s, p)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(weak("x"))
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		again, err := parsePHC(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q is written as %q, which is read as %q, %v", s, p, again, err)
		}
	})
}
