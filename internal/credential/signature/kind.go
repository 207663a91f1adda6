package signature

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is signed requests as they are configured: all that the program has to
// know of them.
type Kind struct {
	Config
	// Nonces are one memory for the whole program.
	Nonces Nonces
}

// Headers are those that may hold a signature, or a part of what it needs, in
// lower case.
func (Kind) Headers() []string {
	return []string{"authorization", keyHeader, signatureHeader, timestampHeader, nonceHeader}
}

// Open makes their authenticator. A signature that holds is never remembered as
// proven, so that it needs neither cache nor revision.
func (k Kind) Open(store consumer.Store, _ *cache.Cache[*access.Identity], _ string, now func() time.Time) (gate.Authenticator, error) {
	return New(k.Config, store, k.Nonces, now), nil
}
