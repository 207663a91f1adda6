package password

import (
	"crypto/sha1" //nolint:gosec // Kong's choice; verified for imported passwords, never made
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"regexp"

	"github.com/postern-authz/postern/internal/access"
)

var kongForm = regexp.MustCompile(`^\$kong\$([0-9A-Za-z-]{1,64})\$([0-9a-f]{40})$`)

// kong is what Kong's basic-auth plugin keeps: the SHA-1 of the password with
// the consumer's id after it (kong/plugins/basic-auth/crypto.lua).
type kong struct {
	consumer string
	tag      []byte
	dummy    *argon
}

func parseKong(text string) (Hash, error) {
	m := kongForm.FindStringSubmatch(text)
	if m == nil {
		return nil, errors.New("expected $kong$CONSUMER_ID$ and the SHA-1 as 40 hex digits in lower case")
	}
	tag, err := hex.DecodeString(m[2])
	if err != nil {
		return nil, err
	}
	return &kong{consumer: m[1], tag: tag, dummy: fresh()}, nil
}

// Verify does the work of a new hash beside its own: a hash that is quickly
// computed would tell by its time who was imported, and be quick to guess at.
func (k *kong) Verify(password []byte) bool {
	k.dummy.Verify(password)
	salted := make([]byte, 0, len(password)+len(k.consumer))
	salted = append(append(salted, password...), k.consumer...)
	sum := sha1.Sum(salted) //nolint:gosec // as above
	return subtle.ConstantTimeCompare(sum[:], k.tag) == 1
}

func (*kong) Decoy() access.Secret { return Dummy() }
