package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

const maxLeeway = time.Minute

func (c *checker) authentication(a *authenticationPart, environments []string) Authentication {
	keys, tokens := keyPlaces(a), tokenPlaces(a.JWT.In)
	c.places("authentication.api_key.in", keys, a)
	c.places("authentication.jwt.in", tokens, a)
	c.parted("authentication.jwt.in", keys, tokens)
	return Authentication{
		Order:           c.kinds("authentication.order", a.Order),
		HideCredentials: a.HideCredentials,
		Forward:         c.forward(a),
		APIKey:          APIKey{In: keys},
		JWT: JWT{
			In:          tokens,
			Leeway:      c.span("authentication.jwt.leeway", a.JWT.Leeway, 0, maxLeeway),
			MaxLifetime: c.spanIfThere("authentication.jwt.max_lifetime", a.JWT.MaxLifetime, time.Second, 100*365*24*time.Hour),
			Issuers:     c.issuers(a.JWT.Issuers),
		},
		Basic:             c.basic(&a.Basic),
		Signature:         c.signature(&a.Signature, environments),
		ClientCertificate: c.certificate(&a.ClientCertificate, environments),
		Introspection:     c.introspection(a, environments),
	}
}

// forward are the kinds that reach the upstream although credentials are
// hidden.
func (c *checker) forward(a *authenticationPart) []access.Kind {
	const field = "authentication.forward"
	if len(a.Forward) == 0 {
		return nil
	}
	if !a.HideCredentials {
		c.refuse(field, "says nothing where hide_credentials is false: every credential is forwarded")
	}
	return c.ordered(field, c.kinds(field, a.Forward), a)
}

// ordered refuses kinds that are believed nowhere.
func (c *checker) ordered(field string, kinds []access.Kind, a *authenticationPart) []access.Kind {
	for i, k := range kinds {
		if k != "" && !a.believes(k) {
			c.refuse(at(field, i), "the kind %s is not in authentication.order", k)
		}
	}
	return kinds
}

func keyPlaces(a *authenticationPart) []Location {
	list := make([]Location, len(a.APIKey.In))
	for i, p := range a.APIKey.In {
		list[i] = Location(p)
	}
	return list
}

func tokenPlaces(in []tokenPlace) []Location {
	list := make([]Location, len(in))
	for i, p := range in {
		list[i] = Location{Header: p.Header, Scheme: p.Scheme}
	}
	return list
}

// maxKinds is more than there are.
const maxKinds = 16

// kinds checks that none stands twice.
func (c *checker) kinds(field string, list []kind) []access.Kind {
	if len(list) > maxKinds {
		c.refuse(field, "has %d kinds; expected at most %d", len(list), maxKinds)
		list = list[:1] // what the rest says is no matter any more
	}
	kinds := make([]access.Kind, len(list))
	for i, k := range list {
		if k != "" && slices.Contains(list[:i], k) {
			c.refuse(at(field, i), "the kind %s stands here twice", k)
		}
		kinds[i] = access.Kind(k)
	}
	return kinds
}

// places checks where a kind of credential may stand.
func (c *checker) places(field string, list []Location, a *authenticationPart) {
	if len(list) > maxKinds {
		c.refuse(field, "has %d places; expected at most %d", len(list), maxKinds)
		return
	}
	if len(list) == 0 {
		c.refuse(field, "expected at least one place; to believe no credential of this kind, leave it out of authentication.order")
	}
	for i, l := range list {
		if problem := placeProblem(l); problem != "" {
			c.refuse(at(field, i), "%s", problem)
		}
		if owner := a.owner(l); owner != "" {
			c.refuse(at(field, i), "is a place of the kind %s", owner)
		}
		if slices.ContainsFunc(list[:i], func(other Location) bool { return samePlace(l, other) }) {
			c.refuse(at(field, i), "stands here twice")
		}
	}
}

func placeProblem(l Location) string {
	switch auth := strings.EqualFold(l.Header, authorization); {
	case (l.Header == "") == (l.Query == ""):
		return "expected a header or a query parameter"
	case l.Query != "" && (l.Scheme != "" || !queryForm.MatchString(l.Query)):
		return "expected a query parameter's name of letters, digits, '.', '_', '~' and '-', and no scheme"
	case l.Query != "":
		return ""
	case !headerForm.MatchString(l.Header):
		return "expected a header's name"
	case auth && !headerForm.MatchString(l.Scheme):
		return "expected a scheme with Authorization, such as ApiKey"
	case !auth && l.Scheme != "":
		return "a scheme belongs to the header Authorization"
	case reserved(l.Header) && !auth:
		return fmt.Sprintf("the header %s has a meaning of its own and can't hold a credential", l.Header)
	}
	return ""
}

// parted refuses a place of two kinds, where one would always reject what the
// other proves. Bearer is parted by the form of Postern's own keys.
func (c *checker) parted(field string, keys, tokens []Location) {
	for i, l := range tokens {
		both := slices.ContainsFunc(keys, func(k Location) bool { return samePlace(k, l) })
		if both && !strings.EqualFold(l.Scheme, bearerScheme) {
			c.refuse(at(field, i), "is a place of API keys too; only the scheme Bearer can be both")
		}
	}
}

// keysUnderBearer reports that what has the form of an API key under Bearer is
// one.
func keysUnderBearer(a *authenticationPart) bool {
	return a.believes(access.KindAPIKey) &&
		slices.ContainsFunc(a.APIKey.In, func(p keyPlace) bool { return strings.EqualFold(p.Scheme, bearerScheme) })
}

func samePlace(a, b Location) bool {
	return strings.EqualFold(a.Header, b.Header) && strings.EqualFold(a.Scheme, b.Scheme) && a.Query == b.Query
}

// reserved are headers that a gateway or Postern itself gives a meaning to.
func reserved(name string) bool {
	switch folded := fold(name); folded {
	case "authorization", "client-cert", "client-cert-chain", "connection", "content-digest", "content-length", "content-type",
		"cookie", "date", "digest", "host", "keep-alive", "proxy-authorization",
		"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "forwarded", "x-real-ip", "www-authenticate":
		return true
	default:
		return strings.HasPrefix(folded, "x-forwarded-") || strings.HasPrefix(folded, "x-original-") ||
			strings.HasPrefix(folded, "x-postern-") || strings.HasPrefix(folded, "x-envoy-") ||
			folded == fold(gate.DecisionIDHeader)
	}
}

func at(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
