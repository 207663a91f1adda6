package password

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/postern-authz/postern/internal/access"
)

// The costs that are verified, each twice the work of the one before it: 12
// takes about 0.3 s of one core, 14 above 1 s.
const (
	minCost = 4
	maxCost = 14
)

// maxBcrypt is how many bytes of a password bcrypt looks at.
const maxBcrypt = 72

// bcryptForm has the prefix, the cost, the 22 characters of the salt and the 31
// of the tag. The last of the tag has unused bits, which are zero, or nothing
// is ever equal to it; those of a salt were set by some encoders.
var bcryptForm = regexp.MustCompile(`^(\$2[aby]\$)([0-9]{2})\$[./A-Za-z0-9]{52}[.CGKOSWaeimquy26]$`)

// blowfish is bcrypt.
type blowfish struct {
	text         []byte
	prefix, work string
}

func parseBcrypt(text string) (Hash, error) {
	m := bcryptForm.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("expected a bcrypt hash of 60 characters, such as %s", `$2b$12$ and 53 of ./A-Za-z0-9`)
	}
	if cost, ok := number(strings.TrimPrefix(m[2], "0"), true); !ok || cost < minCost || cost > maxCost {
		return nil, fmt.Errorf("expected a bcrypt cost of %02d to %d", minCost, maxCost)
	}
	return &blowfish{text: []byte(text), prefix: m[1], work: m[2]}, nil
}

// Verify refuses what bcrypt can't tell from another password: what is longer
// than it looks at, and a NUL, by which it ends one. It does so after the same
// work.
func (b *blowfish) Verify(password []byte) bool {
	whole := len(password) <= maxBcrypt && !bytes.ContainsRune(password, 0)
	same := bcrypt.CompareHashAndPassword(b.text, password[:min(len(password), maxBcrypt)]) == nil
	return same && whole
}

func (b *blowfish) Decoy() access.Secret {
	return access.NewSecret(b.prefix + b.work + "$" + strings.Repeat(".", 53))
}
