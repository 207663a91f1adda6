package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
)

// Role is what a token's holder may do. Each one may do what the one before it
// may.
type Role string

// The roles. The table of calls is in roles.go.
const (
	RoleViewer Role = "viewer"
	RoleEditor Role = "editor"
	RoleAdmin  Role = "admin"
)

// rank is 0 for what is no role.
func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleEditor:
		return 2
	case RoleAdmin:
		return 3
	}
	return 0
}

// Token is an admin token, of which only the digest is kept.
type Token struct {
	// Name is the author of its changes in the audit chain.
	Name   string
	Role   Role
	Digest [sha256.Size]byte
}

// NewToken digests a token. Its value is a long random text: a digest without a
// slow hash would not protect a password.
func NewToken(name string, role Role, value []byte) Token {
	return Token{Name: name, Role: role, Digest: sha256.Sum256(value)}
}

func checkTokens(tokens []Token) error {
	names := map[string]bool{}
	for _, t := range tokens {
		switch {
		case t.Name == "" || names[t.Name]:
			return fmt.Errorf("admin token %q: expected a name that no other token has", t.Name)
		case t.Role.rank() == 0:
			return fmt.Errorf("admin token %q: %q is no role, expected viewer, editor or admin", t.Name, t.Role)
		case t.Digest == sha256.Sum256(nil):
			return fmt.Errorf("admin token %q is empty", t.Name)
		}
		names[t.Name] = true
	}
	return nil
}

// bearer returns the token of the only Authorization line (RFC 6750 section
// 2.1).
func bearer(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	scheme, value, found := strings.Cut(lines[0], " ")
	return value, found && strings.EqualFold(scheme, "Bearer") && value != ""
}

// holder finds whose token a value is. It compares with every token, so that
// the time does not tell which one was near.
func holder(tokens []Token, value string) (Token, bool) {
	digest := sha256.Sum256([]byte(value))
	var found Token
	matched := 0
	for _, t := range tokens {
		if subtle.ConstantTimeCompare(digest[:], t.Digest[:]) == 1 {
			found, matched = t, 1
		}
	}
	return found, matched == 1
}
