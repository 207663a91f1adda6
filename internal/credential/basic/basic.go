// Package basic proves usernames and passwords of the Basic scheme (RFC 7617).
//
// A password's hash is slow on purpose, so a Verifier bounds how many are
// verified at once: beyond it a request is told to come back, and requests
// with other credentials feel nothing. A username that there is not costs the
// same verification as one that there is. What was proven, and what was not, is
// remembered under a keyed digest; no password is kept, logged or put in an
// error.
package basic

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/proof"
	"github.com/postern-authz/postern/internal/gate"
)

// Config says which passwords are believed.
type Config struct {
	// Realm names the protected space to clients (RFC 7617 section 2).
	Realm string
	// Environments are the environments whose consumers are believed; none
	// means that all are.
	Environments []string
	// Decoys are hashes of no password, of the amounts of work that the store's
	// hashes are known to ask for; one of them is verified for a username that
	// there is not. Others are learnt. None means that of a new hash.
	Decoys []access.Secret
}

// Authenticator proves usernames and passwords.
type Authenticator struct {
	challenge    string
	environments []string
	decoys       *decoys
	scope        string
	base64       *base64.Encoding
	verifier     *Verifier
	store        consumer.Store
	cache        *cache.Cache[*access.Identity]
	now          func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over a store. What it proves is remembered in the
// cache under the revision, so that nothing outlives the rules that it was
// proven by. The verifier is one for all authenticators of the program.
func New(config Config, verifier *Verifier, store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) *Authenticator {
	return &Authenticator{
		challenge:    proof.Challenge("Basic", config.Realm) + `, charset="UTF-8"`,
		environments: config.Environments,
		decoys:       newDecoys(config.Decoys, &verifier.learnt),
		scope:        scopeOf(revision, config.Environments),
		base64:       base64.StdEncoding.Strict(),
		verifier:     verifier,
		store:        store,
		cache:        c,
		now:          now,
	}
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindBasic }

// Challenge implements gate.Authenticator. There is nothing to add for a client
// whose password was refused.
func (a *Authenticator) Challenge(bool) string { return a.challenge }

// Authenticate implements gate.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	var buffer [maxDecoded]byte
	username, password, err := a.read(req.Headers, &buffer)
	if err != nil {
		return a.refuse(req, err)
	}
	identity, err := a.identify(ctx, username, password)
	if err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "basic: header authorization holds credential "+identity.Credential.ID+" of consumer "+identity.Consumer.Name)
	}
	return access.Proof{Identity: identity, From: access.Location{Header: "authorization"}}, nil
}

// refuse passes an error on, with a note for those who ask why.
func (*Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindBasic, "no Basic credential in the header authorization", err)
}
