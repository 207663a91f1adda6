package serve

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
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

// authenticators makes them in the order in which a credential names the
// request's identity. A new kind gets its line here.
func (b *builder) authenticators(next *built) ([]gate.Authenticator, error) {
	makers := map[access.Kind]func(*built) (gate.Authenticator, error){
		access.KindAPIKey:            b.apiKeys,
		access.KindJWT:               b.tokens,
		access.KindBasic:             b.passwords,
		access.KindSignature:         b.signatures,
		access.KindClientCertificate: b.certificates,
		access.KindIntrospection:     b.opaqueTokens,
	}
	var list []gate.Authenticator
	for _, kind := range next.config.Authentication.Order {
		a, err := makers[kind](next)
		if err != nil {
			return nil, err
		}
		list = append(list, b.observer.Authenticator(a))
	}
	return list, nil
}

func (b *builder) apiKeys(next *built) (gate.Authenticator, error) {
	c := next.config
	in := make([]apikey.Location, len(c.Authentication.APIKey.In))
	for i, l := range c.Authentication.APIKey.In {
		in[i] = apikey.Location(l)
	}
	keys := apikey.Config{In: in, Realm: realm, Environments: c.Consumers.Environments}
	if plainSignatures(c.Authentication) {
		keys.Yields = signature.IsPlain
	}
	return apikey.New(keys, next.consumers, b.caches.proofs, next.provenBy(), b.now), nil
}

// plainSignatures reports that X-API-Key may be the key id of a signed request.
func plainSignatures(a config.Authentication) bool {
	dialects := a.Signature.Dialects
	return slices.Contains(a.Order, access.KindSignature) && (len(dialects) == 0 || slices.Contains(dialects, signature.Plain))
}

func (b *builder) tokens(next *built) (gate.Authenticator, error) {
	c := next.config
	in := make([]bearer.Location, len(c.Authentication.JWT.In))
	for i, l := range c.Authentication.JWT.In {
		in[i] = bearer.Location{Header: l.Header, Scheme: l.Scheme}
	}
	return bearer.New(bearer.Config{
		In:           in,
		Realm:        realm,
		Leeway:       c.Authentication.JWT.Leeway,
		MaxLifetime:  c.Authentication.JWT.MaxLifetime,
		SkipKeyForm:  keysUnderBearer(c.Authentication),
		SkipOpaque:   slices.Contains(c.Authentication.Order, access.KindIntrospection),
		Environments: c.Consumers.Environments,
	}, next.issuers, next.consumers, b.caches.proofs, next.provenBy(), b.now), nil
}

func (b *builder) passwords(next *built) (gate.Authenticator, error) {
	c := basic.Config{
		Realm:        next.config.Authentication.Basic.Realm,
		Environments: next.config.Consumers.Environments,
		Decoys:       next.consumers.Decoys(),
	}
	return basic.New(c, b.verifier, next.consumers, b.caches.proofs, next.provenBy(), b.now), nil
}

func (b *builder) signatures(next *built) (gate.Authenticator, error) {
	c := next.config.Authentication.Signature
	c.ClockSkew = min(skewOf(next.config), b.skew)
	return signature.New(c, next.consumers, b.nonces, b.now), nil
}

func (b *builder) certificates(next *built) (gate.Authenticator, error) {
	return clientcert.New(next.config.Authentication.ClientCertificate, next.consumers, b.caches.proofs, next.provenBy(), b.now)
}

func (b *builder) opaqueTokens(next *built) (gate.Authenticator, error) {
	return introspect.New(next.config.Authentication.Introspection.Answer, next.server, next.consumers, b.caches.proofs, next.provenBy(), b.now), nil
}

// keysUnderBearer reports that values with the form of an API key under the
// Bearer scheme are the API keys' authenticator's.
func keysUnderBearer(a config.Authentication) bool {
	return slices.Contains(a.Order, access.KindAPIKey) && slices.ContainsFunc(a.APIKey.In, func(l config.Location) bool { return strings.EqualFold(l.Scheme, "Bearer") })
}

// credentialHeaders are the headers that may hold a credential, in lower case.
func credentialHeaders(a config.Authentication) []string {
	names := []string{"authorization"}
	for _, list := range [][]config.Location{a.APIKey.In, a.JWT.In} {
		for _, l := range list {
			names = append(names, strings.ToLower(l.Header))
		}
	}
	if server := a.Introspection; server != nil {
		for _, l := range server.Answer.In {
			names = append(names, strings.ToLower(l.Header))
		}
	}
	if slices.Contains(a.Order, access.KindSignature) {
		names = append(names, "x-api-key", "x-signature", "x-timestamp", "x-nonce")
	}
	names = append(names, clientcert.Headers()...)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// forwarded are the kinds whose credentials reach the upstream.
func forwarded(a config.Authentication) []access.Kind {
	if a.HideCredentials {
		return a.Forward
	}
	return a.Order
}
