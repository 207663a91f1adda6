package file

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// minSigning is the least length of a signing secret in bytes, whatever the
// algorithm: 256 bits can't be guessed.
const minSigning = 32

// signing are the algorithms of signed requests. hmac-sha1 is among them for
// clients of other gateways; it is believed only where it is written.
var signing = []string{"hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1"}

func (s source) signature(c *credential, found *consumer.Found) (consumer.Reference, bool) {
	ref := consumer.Reference{Kind: access.KindSignature, Value: c.KeyID}
	named := s.keyID(c.KeyID)
	listed := s.signingAlgorithms(c.Algorithms)
	found.Algorithms = c.Algorithms
	if c.Algorithms == nil {
		found.Algorithms = signing[:1:1]
	}
	var strong bool
	found.Secret, strong = s.signingSecret(c)
	return ref, named && listed && strong
}

// keyID checks a key's id, which stands in a header, quoted in some dialects.
func (s source) keyID(id string) bool {
	outside := strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`",\`, r) })
	switch {
	case !s.has("key_id"):
		s.problem("lacks the key %q", "key_id")
		return false
	case outside || id == "" || len(id) > maxText:
		s.at("key_id").problem(`expected 1 to %d characters of visible ASCII without ", comma and \`, maxText)
		return false
	case foreignReference(id):
		s.at("key_id").problem("is a name and no secret; expected the id itself")
		return false
	}
	return s.at("key_id").take("key id\x00"+id, "the same key id")
}

// signingAlgorithms may be left out, which is the first of signing alone.
func (s source) signingAlgorithms(list []string) bool {
	s = s.at("algorithms")
	if s.doc.Has(s.field) && len(list) == 0 {
		s.problem("is empty; leave the key out for %s", signing[0])
		return false
	}
	for i, name := range list {
		if !slices.Contains(signing, name) {
			s.item(i).problem("expected %s or %s", strings.Join(signing[:len(signing)-1], ", "), signing[len(signing)-1])
			return false
		}
		if slices.Contains(list[:i], name) {
			s.item(i).problem("stands already in the list")
			return false
		}
	}
	return true
}

func (s source) signingSecret(c *credential) (access.Secret, bool) {
	if !s.has("secret") {
		s.problem("lacks the key %q", "secret")
		return access.Secret{}, false
	}
	return s.at("secret").strong(c.Secret, "a signing secret", minSigning)
}
