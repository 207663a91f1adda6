package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
)

// maxName is the length of the longest name in bytes.
const maxName = 128

// validName makes a valid name of any text, always the same. A text that is a
// valid name stays. In any other every character that a name may not have
// becomes "-", and 8 digits of the text's SHA-256 follow, so that two texts are
// never one name: "alice@example.com" is "alice-example.com-ff8d9819".
func validName(text string) string {
	if consumer.ValidName(text) {
		return text
	}
	return distinct(text)
}

// distinct is the name that no other text has.
func distinct(text string) string {
	sum := sha256.Sum256([]byte(text))
	clean := strings.Map(func(c rune) rune {
		if c < 0x80 && consumer.ValidName("a"+string(c)) {
			return c
		}
		return '-'
	}, text)
	return clean[:min(len(clean), maxName-9)] + "-" + hex.EncodeToString(sum[:4])
}

// credentialID makes a credential's id of its owner's name and what tells it
// from the owner's others.
func credentialID(owner string, parts ...string) string {
	return validName(owner + "-" + strings.Join(parts, "-"))
}
