package serve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/apikey"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/bearer"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
)

// realm names the protected space in challenges (RFC 9110 section 11.5).
const realm = "api"

// kind is a kind of credential as it is configured.
type kind interface {
	// Headers are those that may hold a credential of it, in lower case.
	Headers() []string
	// Open makes what proves its credentials, by the records of a store. What it
	// proves it remembers in the cache, under the revision.
	Open(store consumer.Store, memory *cache.Cache[*access.Identity], revision string, now func() time.Time) (gate.Authenticator, error)
}

// kinds are all that there are. A new one is a folder in internal/credential
// and a line here.
func (b *builder) kinds(n *built) map[access.Kind]kind {
	a := n.config.Authentication
	return map[access.Kind]kind{
		access.KindAPIKey:            apikey.Kind{Config: keys(n.config)},
		access.KindJWT:               bearer.Kind{Config: tokens(n.config), Issuers: n.issuers},
		access.KindBasic:             basic.Kind{Config: passwords(n), Verifier: b.verifier},
		access.KindSignature:         signature.Kind{Config: b.signatures(n.config), Nonces: b.nonces},
		access.KindClientCertificate: clientcert.Kind{Config: a.ClientCertificate},
		access.KindIntrospection:     introspect.Kind{Config: answers(a), Server: n.server},
	}
}

// authenticators makes those of the believed kinds, in the order in which a
// credential names the request's identity.
func (b *builder) authenticators(n *built, kinds map[access.Kind]kind) ([]gate.Authenticator, error) {
	var list []gate.Authenticator
	store := b.ledger.consumers(n.consumers)
	for _, name := range n.config.Authentication.Order {
		k, ok := kinds[name]
		if !ok {
			return nil, fmt.Errorf("there is no kind of credential %q", name)
		}
		a, err := k.Open(store, b.caches.proofs, n.provenBy(), b.now)
		if err != nil {
			return nil, err
		}
		list = append(list, b.observer.Authenticator(a))
	}
	return list, nil
}

// credentialHeaders are the headers that may hold a credential, in lower case,
// of every kind, believed or not.
func credentialHeaders(kinds map[access.Kind]kind) []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Headers()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func keys(c *config.Config) apikey.Config {
	in := make([]apikey.Location, len(c.Authentication.APIKey.In))
	for i, l := range c.Authentication.APIKey.In {
		in[i] = apikey.Location(l)
	}
	keys := apikey.Config{In: in, Realm: realm, Prefix: c.Consumers.Keys.Prefix, Environments: c.Consumers.Environments}
	if plainSignatures(c.Authentication) {
		keys.Yields = signature.IsPlain
	}
	return keys
}

// plainSignatures reports that X-API-Key may be the key id of a signed request.
func plainSignatures(a config.Authentication) bool {
	dialects := a.Signature.Dialects
	return slices.Contains(a.Order, access.KindSignature) && (len(dialects) == 0 || slices.Contains(dialects, signature.Plain))
}

func tokens(c *config.Config) bearer.Config {
	a := c.Authentication
	in := make([]bearer.Location, len(a.JWT.In))
	for i, l := range a.JWT.In {
		in[i] = bearer.Location{Header: l.Header, Scheme: l.Scheme}
	}
	return bearer.Config{
		In:           in,
		Realm:        realm,
		Leeway:       a.JWT.Leeway,
		MaxLifetime:  a.JWT.MaxLifetime,
		SkipKeyForm:  keysUnderBearer(a),
		SkipOpaque:   slices.Contains(a.Order, access.KindIntrospection),
		Environments: c.Consumers.Environments,
	}
}

func passwords(n *built) basic.Config {
	return basic.Config{
		Realm:        n.config.Authentication.Basic.Realm,
		Environments: n.config.Consumers.Environments,
		Decoys:       n.consumers.Decoys(),
	}
}

// signatures are good for no longer than at the start, and remembered for as
// long as then: see builder.skew.
func (b *builder) signatures(c *config.Config) signature.Config {
	signatures := c.Authentication.Signature
	signatures.ClockSkew, signatures.RaisableTo = min(skewOf(c), b.skew), b.skew
	return signatures
}

// answers are believed of no server where none is configured.
func answers(a config.Authentication) introspect.Config {
	if a.Introspection == nil {
		return introspect.Config{}
	}
	return a.Introspection.Answer
}

// keysUnderBearer reports that values with the form of an API key under the
// Bearer scheme are the API keys' authenticator's.
func keysUnderBearer(a config.Authentication) bool {
	return slices.Contains(a.Order, access.KindAPIKey) && slices.ContainsFunc(a.APIKey.In, func(l config.Location) bool { return strings.EqualFold(l.Scheme, "Bearer") })
}

// forwarded are the kinds whose credentials reach the upstream.
func forwarded(a config.Authentication) []access.Kind {
	if a.HideCredentials {
		return a.Forward
	}
	return a.Order
}
