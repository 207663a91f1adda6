package rules

import (
	"strings"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
)

func (r *reader) basic(c *Credential, p *Proof) {
	if r.username(c.Username) {
		p.Reference.Value = c.Username
	}
	switch {
	case r.has("password") == r.has("password_hash"):
		r.refuse("", "expected one of password and password_hash")
	case r.has("password"):
		r.plainPassword(c, p)
	default:
		r.passwordHash(c, p)
	}
}

func (r *reader) username(name string) bool {
	switch {
	case !r.has("username"):
		r.lacks("username")
	case !consumer.ValidUsername(name):
		r.refuse("username", "expected 1 to 256 characters of visible ASCII without colons")
	case ForeignReference(name):
		r.refuse("username", "is a name and no secret; expected the username itself")
	default:
		return true
	}
	return false
}

func (r *reader) plainPassword(c *Credential, p *Proof) {
	text := string(c.Password.Reveal())
	switch {
	case !r.readable("password") || !r.resolved("password", text):
	case len(text) < password.MinLength || len(text) > password.MaxLength || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable):
		r.refuse("password", "expected %d to %d bytes of text, without control characters", password.MinLength, password.MaxLength)
	case password.Check(text) == nil:
		r.refuse("password", "is a password's hash; expected it as password_hash")
	default:
		p.Plain = c.Password
	}
}

func (r *reader) passwordHash(c *Credential, p *Proof) {
	if !r.readable("password_hash") {
		return
	}
	if err := password.Check(string(c.PasswordHash.Reveal())); err != nil {
		r.refuse("password_hash", "%s", err)
		return
	}
	p.Password = c.PasswordHash
}
