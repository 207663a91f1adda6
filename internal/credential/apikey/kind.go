package apikey

import (
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is API keys as they are configured: all that the program has to know of
// them.
type Kind struct{ Config }

// Headers are those that may hold a key, in lower case.
func (k Kind) Headers() []string {
	var names []string
	for _, l := range k.In {
		if l.Header != "" {
			names = append(names, strings.ToLower(l.Header))
		}
	}
	return names
}

// Open makes their authenticator.
func (k Kind) Open(store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error) {
	return New(k.Config, store, c, revision, now), nil
}
