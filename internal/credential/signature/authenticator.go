package signature

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/proof"
	"github.com/postern-authz/postern/internal/gate"
)

// Authenticator proves signed requests.
type Authenticator struct {
	config    Config
	challenge string
	// beside are a dialect's headers beside the one that names the key.
	beside map[Dialect][]string
	store  consumer.Store
	nonces Nonces
	now    func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over a store. The nonces are to outlive it: what
// held once does not hold again under newer rules.
func New(config Config, store consumer.Store, nonces Nonces, now func() time.Time) *Authenticator {
	return &Authenticator{
		config:    config.settled(),
		beside:    map[Dialect][]string{Plain: {signatureHeader, timestampHeader, nonceHeader}},
		challenge: proof.Challenge("Signature", config.Realm),
		store:     store,
		nonces:    nonces,
		now:       now,
	}
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindSignature }

// Challenge implements gate.Authenticator. There is nothing to add for a client
// whose signature was refused.
func (a *Authenticator) Challenge(bool) string { return a.challenge }

// Authenticate implements gate.Authenticator. Whether a signature held before
// is asked last: only one that holds in all else is ever remembered.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	s, err := a.read(req)
	if err != nil {
		return a.refuse(req, err)
	}
	found, err := a.prove(ctx, s)
	if err != nil {
		return a.refuse(req, err)
	}
	if err := a.spend(ctx, s); err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "signature: the "+string(s.dialect)+" signature is of credential "+found.Credential.ID+" of consumer "+found.Consumer.Name)
	}
	return access.Proof{Identity: found.Identity(), From: access.Location{Header: s.header}, Beside: a.beside[s.dialect]}, nil
}

// refuse passes an error on, with a note for those who ask why.
func (*Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindSignature, "no signature in any of its forms", err)
}
