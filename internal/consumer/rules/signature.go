package rules

import (
	"slices"
	"strings"
)

// minSigning is the least length of a signing secret in bytes, whatever the
// algorithm: 256 bits can't be guessed. maxSecret is the greatest of any.
const (
	minSigning = 32
	maxSecret  = 64 << 10
)

// signing are the algorithms of signed requests. hmac-sha1 is among them for
// clients of other gateways; it is believed only where it is written.
var signing = []string{"hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1"}

func (r *reader) signature(c *Credential, p *Proof) {
	if r.keyID(c.KeyID) {
		p.Reference.Value = c.KeyID
	}
	r.signingAlgorithms(c.Algorithms)
	p.Algorithms = c.Algorithms
	if c.Algorithms == nil {
		p.Algorithms = signing[:1:1]
	}
	if !r.has("secret") {
		r.lacks("secret")
		return
	}
	r.strong(c, p, "a signing secret", minSigning)
}

// keyID checks a key's id, which stands in a header, quoted in some dialects.
func (r *reader) keyID(id string) bool {
	outside := strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`",\`, c) })
	switch {
	case !r.has("key_id"):
		r.lacks("key_id")
	case outside || id == "" || len(id) > maxText:
		r.refuse("key_id", `expected 1 to %d characters of visible ASCII without ", comma and \`, maxText)
	case ForeignReference(id):
		r.refuse("key_id", "is a name and no secret; expected the id itself")
	default:
		return true
	}
	return false
}

// signingAlgorithms may be left out, which is the first of signing alone.
func (r *reader) signingAlgorithms(list []string) {
	if r.has("algorithms") && len(list) == 0 {
		r.refuse("algorithms", "is empty; leave the key out for %s", signing[0])
	}
	for i, name := range list {
		if !slices.Contains(signing, name) {
			r.refuse(itemOf("algorithms", i), "expected %s or %s", strings.Join(signing[:len(signing)-1], ", "), signing[len(signing)-1])
			return
		}
		if slices.Contains(list[:i], name) {
			r.refuse(itemOf("algorithms", i), "stands already in the list")
			return
		}
	}
}
