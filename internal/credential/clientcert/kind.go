package clientcert

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/gate"
)

// Kind is client certificates as they are configured: all that the program has
// to know of them.
type Kind struct{ Config Config }

// Headers are all that may tell of a certificate, in lower case, believed or
// not.
func (Kind) Headers() []string { return Headers() }

// Open makes their authenticator.
func (k Kind) Open(store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error) {
	a, err := New(k.Config, store, c, revision, now)
	if err != nil {
		return nil, err // and not a pointer to nothing in an interface
	}
	return a, nil
}
