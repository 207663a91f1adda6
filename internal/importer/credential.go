package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// candidate is a credential that is being read.
type candidate struct {
	rules.Credential
	*draft
	at field
	// refused: it can't come over, which was noted.
	refused bool
}

// candidate begins a credential. Its id is set before anything is noted of it.
func (d *draft) candidate(at field, kind access.Kind, id string) *candidate {
	return &candidate{Credential: rules.Credential{ID: id, Kind: kind}, draft: d, at: at}
}

func (c *candidate) changes(at field, format string, args ...any) {
	c.note(Changes, "credential", c.ID, c.Name, at.place(), format, args...)
}

// cannot notes why the credential can't come over.
func (c *candidate) cannot(at field, format string, args ...any) {
	c.refused = true
	c.note(Cannot, "credential", c.ID, c.Name, at.place(), format, args...)
}

// finish checks the credential as every door to the store does, and adds it to
// its consumer. The same proof of two consumers is a broken document: which of
// them it proves would be chance.
func (c *candidate) finish() {
	if c.refused {
		return
	}
	proof, problems := c.Read(rules.Written{})
	for _, problem := range problems {
		c.cannot(c.at, "%s", strings.TrimSpace(problem.Field+" "+problem.Text))
	}
	if c.refused || !c.free(proof.Reference) {
		return
	}
	c.credentials = append(c.credentials, c.Credential)
	c.note(Comes, "credential", c.ID, c.Name, c.at.place(), "%s", c.Kind)
}

func (c *candidate) free(ref consumer.Reference) bool {
	if first, ok := c.take("id\x00"+lower(c.ID), c.at.place()); !ok {
		c.at.problem("the id %.80q of a credential stands already at %s:%d", c.ID, first.file, first.line)
		return false
	}
	if ref.Kind == access.KindBasic { // usernames that differ in case alone are one to somebody
		ref.Value = lower(ref.Value)
	}
	if first, ok := c.take("proof\x00"+string(ref.Kind)+"\x00"+ref.Issuer+"\x00"+ref.Value, c.at.place()); !ok {
		c.at.problem("the same %s stands already at %s:%d", proofs[c.Kind], first.file, first.line)
		return false
	}
	return true
}

// proofs name what finds a credential.
var proofs = map[access.Kind]string{
	access.KindAPIKey: "key", access.KindJWT: "jwt key", access.KindBasic: "username",
	access.KindSignature: "key id", access.KindIssuer: "value of an issuer", access.KindClientCertificate: "certificate name",
}

// secret reads a value that may be a reference to another place. One that leads
// nowhere is never taken for the value itself.
func (c *candidate) secret(at field, what string) (access.Secret, bool) {
	text := at.text()
	switch value, found := c.resolve(text); {
	case text == "":
		c.cannot(at, "it has no %s", what)
		return access.Secret{}, false
	case !found:
		c.cannot(at, "its %s is a reference that leads nowhere from here; nothing is taken for the value", what)
		return access.Secret{}, false
	default:
		return access.NewSecret(value), true
	}
}

// public reads a value that is no secret, but may be a reference all the same.
func (c *candidate) public(at field, what string) (string, bool) {
	value, ok := c.secret(at, what)
	return string(value.Reveal()), ok
}

// password takes a password, or the hash of one where a hash stands.
func (c *candidate) password(at field) {
	value, ok := c.secret(at, "password")
	if !ok {
		return
	}
	if password.Check(string(value.Reveal())) == nil {
		c.PasswordHash = value
		c.changes(at, "its password there looks like a password's hash and is taken for one; the password is what was hashed")
		return
	}
	c.Password = value
}

// keyDigits are a few digits that tell apart keys that have no name. Sixteen
// bits of a digest help nobody to find the key.
func keyDigits(key access.Secret) string {
	sum := sha256.Sum256(key.Reveal())
	return hex.EncodeToString(sum[:2])
}
