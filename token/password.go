package token

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrBusy is returned when so many passwords wait to be checked that another
// would wait for seconds. The caller may try again.
var ErrBusy = errors.New("too many logins at once")

// waitersPerSlot bounds the queue: about a second of work at some 30 ms each.
const waitersPerSlot = 32

// params are Argon2id's costs.
type params struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// current are OWASP's first recommendation for Argon2id. Raising them is safe:
// a stored hash names its own, and is renewed at the next login.
var current = params{memory: 19 * 1024, time: 2, threads: 1}

const (
	saltBytes = 16
	keyBytes  = 32
)

// hasher bounds how many hashes are computed at once, by the CPUs at hand, so
// that a storm of logins takes neither all memory (each needs 19 MiB) nor more
// time than it must; and how many wait.
type hasher struct {
	slots   chan struct{}
	waiting chan struct{}
	// decoy is a hash that no password has. Checking against it makes an
	// unknown user cost what a known one does.
	decoy string
}

func newHasher() *hasher {
	n := runtime.GOMAXPROCS(0)
	var salt [saltBytes]byte
	var key [keyBytes]byte
	rand.Read(salt[:])
	rand.Read(key[:])
	return &hasher{
		slots:   make(chan struct{}, n),
		waiting: make(chan struct{}, n*waitersPerSlot),
		decoy:   phc{params: current, salt: salt[:], key: key[:]}.String(),
	}
}

// hash returns the PHC string of password with today's parameters.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	p := phc{params: current, salt: salt}
	key, err := h.derive(ctx, p, password, keyBytes)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// verify tells whether password is the one of stored; no password is that of
// an empty one.
func (h *hasher) verify(ctx context.Context, stored, password string) (bool, error) {
	known := stored != ""
	if !known {
		stored = h.decoy
	}
	p, err := parsePHC(stored)
	if err != nil {
		return false, fmt.Errorf("read stored password: %w", err)
	}
	key, err := h.derive(ctx, p, password, uint32(len(p.key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1 && known, nil
}

// derive waits for a free slot, unless too many wait, and computes the key.
func (h *hasher) derive(ctx context.Context, p phc, password string, length uint32) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	defer func() { <-h.waiting }()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for password check: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, length), nil
}

// outdated tells whether stored was made with other parameters than today's.
func outdated(stored string) bool {
	p, err := parsePHC(stored)
	return err == nil && (p.params != current || len(p.key) != keyBytes)
}

// phc is a password hash in the form of the Password Hashing Competition:
// $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type phc struct {
	params

	salt, key []byte
}

// String is the stored form.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads what String writes. It refuses costs that would stop the
// server, whoever wrote them into the table.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return phc{}, errors.New("not an argon2id string: set the password anew")
	}
	var p phc
	var version int
	if _, err := fmt.Sscanf(parts[2]+"$"+parts[3], "v=%d$m=%d,t=%d,p=%d", &version, &p.memory, &p.time, &p.threads); err != nil {
		return phc{}, fmt.Errorf("parameters of argon2id: %w", err)
	}
	if version != argon2.Version || p.memory < 8 || p.memory > 1<<20 || p.time < 1 || p.time > 64 || p.threads < 1 {
		return phc{}, fmt.Errorf("parameters of argon2id out of range: %s$%s", parts[2], parts[3])
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return phc{}, fmt.Errorf("salt of argon2id: %w", err)
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return phc{}, fmt.Errorf("key of argon2id: %w", err)
	}
	if len(p.salt) < 8 || len(p.salt) > 64 || len(p.key) < 16 || len(p.key) > 64 {
		return phc{}, errors.New("salt or key of argon2id has a length out of range")
	}
	return p, nil
}
