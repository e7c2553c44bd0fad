package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// The least size of a secret in bytes, and of an RSA key in bits.
const (
	minSecret = 32
	minRSA    = 2048
)

var (
	hmacs = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	rsas  = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	// curves are the algorithms of elliptic curves, each with its own.
	curves = map[jose.SignatureAlgorithm]elliptic.Curve{
		jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521(),
	}
)

func isHMAC(a jose.SignatureAlgorithm) bool { return slices.Contains(hmacs, a) }

func known(a jose.SignatureAlgorithm) bool {
	return isHMAC(a) || slices.Contains(rsas, a) || curves[a] != nil || a == jose.EdDSA
}

// fits tells whether a key is of an algorithm's kind.
func fits(a jose.SignatureAlgorithm, key any) bool {
	switch key := key.(type) {
	case []byte:
		return isHMAC(a)
	case *rsa.PublicKey:
		return slices.Contains(rsas, a)
	case *ecdsa.PublicKey:
		return curves[a] != nil && curves[a] == key.Curve
	case ed25519.PublicKey:
		return a == jose.EdDSA
	}
	return false
}

// checkKey finds keys that verify nothing, or too little.
func checkKey(key any) error {
	switch key := key.(type) {
	case []byte:
		if len(key) < minSecret {
			return fmt.Errorf("a secret of %d bytes can be guessed: take %d random bytes", len(key), minSecret)
		}
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return errors.New("the RSA key is empty")
		}
		if bits := key.N.BitLen(); bits < minRSA {
			return fmt.Errorf("an RSA key of %d bits is too weak: take %d", bits, minRSA)
		}
	case *ecdsa.PublicKey:
		if key == nil || key.Curve == nil {
			return errors.New("the ECDSA key is empty")
		}
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("an Ed25519 key has %d bytes, not %d", ed25519.PublicKeySize, len(key))
		}
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return fmt.Errorf("a %T signs tokens, and only verifying is needed: give its public half", key)
	default:
		return fmt.Errorf("a %T is no key: give a []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey", key)
	}
	return nil
}
