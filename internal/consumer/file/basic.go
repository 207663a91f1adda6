package file

import (
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/consumer/rules"
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

// password keeps a password to be hashed once all is known to be sound, and
// notes what is verified for usernames that there are not.
func (s source) password(c *credential, proof *rules.Proof, found *consumer.Found) {
	switch {
	case !proof.Plain.Empty():
		s.plain = append(s.plain, plain{at: s.at("password"), username: c.Username, text: string(proof.Plain.Reveal()), into: found})
		s.decoy(password.Dummy())
	case !proof.Password.Empty():
		if hash, err := password.Parse(string(proof.Password.Reveal())); err == nil { // the rules have seen to it
			s.decoy(hash.Decoy())
		}
	}
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
