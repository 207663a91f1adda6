// Package password knows the forms of password hashes: argon2id, which every
// new hash has; and bcrypt and Kong's salted SHA-1, which are verified where
// they were imported and never made.
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>   the PHC string form
//	$2b$12$<salt and tag>                         bcrypt; $2a$ and $2y$ too
//	$kong$<consumer id>$<40 hex digits>           SHA-1 of password and id
//
// A hash says itself how much work its verification is, so Parse bounds that
// work: a file of hashes can't make the program run out of memory or time.
package password

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// Lengths of a new password in bytes. The least is that of NIST SP 800-63B
// section 3.1.1.2 for a password beside which nothing else is asked.
const (
	MinLength = 8
	MaxLength = 512
)

// maxHash bounds the text of a hash in bytes.
const maxHash = 256

// Hash is a password's hash that was read and found sound. It is shared and
// never changed.
type Hash interface {
	// Verify reports whether it is the password's. It takes the same work for
	// every password, and memory and time for other work to feel: its caller
	// bounds how many run at once.
	Verify(password []byte) bool
	// Decoy is the text of a hash that is no password's and takes the same
	// work as this one: what to verify for a user that there is not.
	Decoy() access.Secret
}

// Parse reads a hash. The error says what was expected and never repeats the
// text, which may be a password in the wrong place.
func Parse(text string) (Hash, error) {
	switch {
	case len(text) > maxHash:
		return nil, errors.New("is longer than any hash")
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon(text)
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$kong$"):
		return parseKong(text)
	}
	return nil, errors.New("expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$")
}

// Check is what Parse says of a text.
func Check(text string) error {
	_, err := Parse(text)
	return err
}

// Verify parses and verifies. The error is Parse's: such a hash should never
// have come into a store.
func Verify(hash access.Secret, password []byte) (bool, error) {
	parsed, err := Parse(string(hash.Reveal()))
	if err != nil {
		return false, err
	}
	return parsed.Verify(password), nil
}
