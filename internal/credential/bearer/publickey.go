package bearer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
)

// Bounds of an RSA modulus, in bits: below, it can be factored; above, one
// verification costs a gateway too much.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// sound judges a public key that an issuer publishes.
func sound(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if err := usableRSA(k); err != nil {
			return err
		}
		if roca(k.N) {
			return malformed("RSA key has the pattern of ROCA (CVE-2017-15361)")
		}
		return nil
	case *ecdsa.PublicKey:
		// ECDH refuses a point that is not on its curve, and unknown curves.
		if _, err := k.ECDH(); err != nil {
			return malformed("EC key is not a point of a known curve")
		}
		return nil
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return nil
		}
	}
	return malformed("key is of no kind that verifies signatures")
}

func usableRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minRSABits || bits > maxRSABits:
		return malformed("RSA key is not of 2048 to 8192 bits")
	case k.N.Bit(0) == 0:
		return malformed("RSA modulus is even")
	case k.E < 3 || k.E%2 == 0:
		return malformed("RSA exponent is below 3, or even")
	}
	return nil
}

// roca finds the fingerprint of keys made by a faulty Infineon library, whose
// primes, and so the modulus, are powers of 65537 modulo each small prime
// (Nemec and others, "The Return of Coppersmith's Attack", section 3.2). A
// good key has it with a chance of about one in 2^154.
func roca(n *big.Int) bool {
	const firstPrime, lastPrime = 3, 701
	for p := int64(firstPrime); p <= lastPrime; p++ {
		prime := big.NewInt(p)
		if !prime.ProbablyPrime(0) {
			continue
		}
		if rest := new(big.Int).Mod(n, prime).Int64(); !isPowerOf65537(rest, p) {
			return false
		}
	}
	return true
}

func isPowerOf65537(rest, prime int64) bool {
	power := int64(1)
	for range prime {
		if power == rest {
			return true
		}
		power = power * 65537 % prime
	}
	return false
}
