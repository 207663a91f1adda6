package file

import (
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// Hasher hashes the passwords that are declared in plain text, each under its
// username. One that remembers them makes a reload quick; many goroutines ask
// it at once.
type Hasher interface {
	Hash(owner, password string) (access.Secret, error)
}

// plain is a password that was declared in plain text, until it is hashed.
type plain struct {
	at       source
	username string
	text     string
	into     *consumer.Found
}

func (s source) basic(c *credential, found *consumer.Found) (consumer.Reference, bool) {
	ref := consumer.Reference{Kind: access.KindBasic, Value: c.Username}
	named := s.username(c.Username)
	if s.has("password") == s.has("password_hash") {
		s.problem("expected one of password and password_hash")
		return ref, false
	}
	if s.has("password") {
		return ref, s.plainPassword(c, found) && named
	}
	return ref, s.passwordHash(c, found) && named
}

// username checks a username, which is one in all files. Two that differ in
// case alone would be one to somebody, so they are refused too.
func (s source) username(name string) bool {
	switch {
	case !s.has("username"):
		s.problem("lacks the key %q", "username")
		return false
	case !consumer.ValidUsername(name):
		s.at("username").problem("expected 1 to 256 characters of visible ASCII without colons")
		return false
	case foreignReference(name):
		s.at("username").problem("is a name and no secret; expected the username itself")
		return false
	}
	return s.at("username").take("username\x00"+strings.ToLower(name), "the same username")
}

func (s source) plainPassword(c *credential, found *consumer.Found) bool {
	s = s.at("password")
	text, ok := s.resolve(c.Password)
	switch {
	case !ok:
		return false
	case len(text) < password.MinLength || len(text) > password.MaxLength || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable):
		s.problem("expected %d to %d bytes of text, without control characters", password.MinLength, password.MaxLength)
		return false
	case password.Check(text) == nil:
		s.problem("is a password's hash; expected it as password_hash")
		return false
	}
	s.plain = append(s.plain, plain{at: s, username: c.Username, text: text, into: found})
	s.decoy(password.Dummy())
	return true
}

func (s source) passwordHash(c *credential, found *consumer.Found) bool {
	s = s.at("password_hash")
	text, ok := s.resolve(c.PasswordHash)
	if !ok {
		return false
	}
	hash, err := password.Parse(text)
	if err != nil {
		s.problem("%s", err)
		return false
	}
	found.Password = access.NewSecret(text)
	s.decoy(hash.Decoy())
	return true
}

// decoy notes what to verify for usernames that there are not.
func (s source) decoy(hash access.Secret) {
	if !slices.Contains(s.snapshot.decoys, hash) {
		s.snapshot.decoys = append(s.snapshot.decoys, hash)
	}
}

// hash hashes what was declared in plain text, on half of the machine: a
// reload takes place beside requests.
func (l *loader) hash() {
	errs := make([]error, len(l.plain))
	var group errgroup.Group
	group.SetLimit(max(1, runtime.GOMAXPROCS(0)/2))
	for i, p := range l.plain {
		group.Go(func() error {
			p.into.Password, errs[i] = l.Hasher.Hash(p.username, p.text)
			return nil
		})
	}
	_ = group.Wait() // its functions return none
	for i, err := range errs {
		if err != nil {
			l.plain[i].at.problem("can't be hashed: %s", err)
		}
	}
	l.plain = nil
}
