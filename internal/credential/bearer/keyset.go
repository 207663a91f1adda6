package bearer

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/claims"
)

// Bounds of a key set.
const (
	maxSetSize = 1 << 20 // bytes, after decompression
	maxSetKeys = 100
)

// keySet is one issuer's keys at one time. It is never changed.
type keySet struct {
	keys []publicKey
	// leftOut says, a line each, which keys were not taken and why.
	leftOut []string
	// print is the same for sets of the same keys, in whatever order.
	print [sha256.Size]byte
}

// find returns the key for a token's header. Without a kid there must be
// exactly one key for the algorithm; nothing is tried.
func (s *keySet) find(h header) (any, bool) {
	var found any
	for i := range s.keys {
		k := &s.keys[i]
		if h.hasKid && (k.kid != h.kid || h.kid == "") || !k.fits(h.alg) {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = k.key
	}
	return found, found != nil
}

// knows reports whether the set has a key of that name, for whatever algorithm.
func (s *keySet) knows(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return k.kid == kid })
}

// parseKeySet judges a JWK set (RFC 7517). A key that is not for verifying
// signatures, or too weak for it, is left out. A set that gives away private
// parts or secrets, that names two keys alike, or of which nothing is left, is
// refused whole: something is wrong with whoever made it.
func parseKeySet(data []byte) (*keySet, error) {
	if len(data) > maxSetSize {
		return nil, malformed("key set is larger than 1 MiB")
	}
	document, err := claims.ReadObject(string(data))
	if err != nil {
		return nil, within("key set", err)
	}
	list, ok := document["keys"].([]any)
	if !ok || len(list) > maxSetKeys {
		return nil, malformed("key set has no list of at most 100 keys")
	}
	set := &keySet{}
	if err := set.addAll(list); err != nil {
		return nil, err
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("key set has no usable key; left out: %q", set.leftOut)
	}
	set.print, err = fingerprint(set.keys)
	return set, err
}

func (s *keySet) addAll(list []any) error {
	kids := map[string]bool{}
	for i, item := range list {
		members, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("keys[%d] is not an object", i)
		}
		if err := checkPublic(members); err != nil {
			return fmt.Errorf("keys[%d]: %w", i, err)
		}
		if kid, named := members["kid"].(string); named {
			if kids[kid] {
				return fmt.Errorf("keys[%d]: another key has the same kid", i)
			}
			kids[kid] = true
		}
		s.add(i, members)
	}
	return nil
}

func (s *keySet) add(i int, members map[string]any) {
	key, err := parseKey(members)
	if err != nil {
		s.leftOut = append(s.leftOut, fmt.Sprintf("keys[%d] (kid %.80q): %v", i, key.kid, err))
		return
	}
	s.keys = append(s.keys, key)
}

// fingerprint digests the keys in a fixed order: some issuers shuffle theirs.
func fingerprint(keys []publicKey) (sum [sha256.Size]byte, err error) {
	lines := make([]string, 0, len(keys))
	for _, k := range keys {
		der, err := x509.MarshalPKIXPublicKey(k.key)
		if err != nil {
			return sum, fmt.Errorf("key %.80q: %w", k.kid, err)
		}
		var line []byte
		for _, part := range []string{k.kid, k.alg, string(der)} {
			line = binary.BigEndian.AppendUint64(line, uint64(len(part)))
			line = append(line, part...)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
