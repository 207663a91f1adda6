package bearer

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/place"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is JWTs as they are configured: all that the program has to know of
// them.
type Kind struct {
	Config
	// Issuers live on across authenticators; nil: none.
	Issuers *Issuers
}

// Headers are those that may hold a token, in lower case.
func (k Kind) Headers() []string { return place.Headers(k.In) }

// Open makes their authenticator.
func (k Kind) Open(store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error) {
	return New(k.Config, k.Issuers, store, c, revision, now), nil
}
