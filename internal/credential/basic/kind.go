package basic

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is passwords as they are configured: all that the program has to know of
// them.
type Kind struct {
	Config
	// Verifier is one for the whole program.
	Verifier *Verifier
}

// Headers are those that may hold a password, in lower case.
func (Kind) Headers() []string { return []string{"authorization"} }

// Open makes their authenticator.
func (k Kind) Open(store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error) {
	return New(k.Config, k.Verifier, store, c, revision, now), nil
}
