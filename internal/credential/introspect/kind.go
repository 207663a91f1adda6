package introspect

import (
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/place"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is opaque tokens as they are configured: all that the program has to
// know of them. Its zero value is none.
type Kind struct {
	Config
	// Server lives on across authenticators.
	Server *Server
}

// Headers are those that may hold a token, in lower case.
func (k Kind) Headers() []string { return place.Headers(k.In) }

// Open makes their authenticator.
func (k Kind) Open(store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error) {
	if k.Server == nil {
		return nil, errors.New("opaque tokens are believed, but there is no server to ask about them")
	}
	return New(k.Config, k.Server, store, c, revision, now), nil
}
