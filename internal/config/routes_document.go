package config

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/strictyaml"
)

type routePart struct {
	Name         string       `yaml:"name,required"`
	Match        matchPart    `yaml:"match,required" doc:"What a request must be like; each list that is there must hold."`
	Anonymous    anonymous    `yaml:"anonymous" doc:"allow lets a request without any credential go on to policy."`
	Authenticate authenticate `yaml:"authenticate" doc:"Which kinds are believed here; left out: those of default."`
	Require      requirePart  `yaml:"require" doc:"What is checked before policy."`
	Policy       entrypoint   `yaml:"policy" doc:"The rule that decides here, such as postern/authz/allow."`

	Environments []string            `yaml:"environments" doc:"The environments whose consumers are believed here; left out: those of default."`
	MaxStaleness strictyaml.Duration `yaml:"max_staleness" doc:"As consumers.max_staleness, for this route; left out: that of default."`

	Limits strictyaml.Unsupported `yaml:"limits"`
}

type defaultPart struct {
	Anonymous    anonymous    `yaml:"anonymous" doc:"deny answers 401 to a request without a credential."`
	Authenticate authenticate `yaml:"authenticate" doc:"Which kinds are believed; left out: all of authentication.order."`
	Policy       entrypoint   `yaml:"policy"`

	Environments []string            `yaml:"environments" doc:"The environments whose consumers are believed; left out: all of consumers.environments."`
	MaxStaleness strictyaml.Duration `yaml:"max_staleness" doc:"Left out: consumers.max_staleness."`

	Limits strictyaml.Unsupported `yaml:"limits"`
}

type matchPart struct {
	Methods []string `yaml:"methods" doc:"In upper case; GET does not include HEAD."`
	Hosts   []string `yaml:"hosts" doc:"Without port; *.example.com is any name under it."`
	Paths   []string `yaml:"paths" doc:"Patterns: {name} is one segment, a last {name...} the rest."`
}

type requirePart struct {
	Roles  []string `yaml:"roles" doc:"Any one of them."`
	Scopes []string `yaml:"scopes" doc:"All of them."`
	Groups []string `yaml:"groups" doc:"Any one of them."`
}

// authenticate is a list of kinds, or all_of them.
type authenticate struct {
	Any []kind
	All allOf
}

type allOf struct {
	Kinds []kind `yaml:"all_of,required" doc:"Each of them, and of the same consumer."`
}

// Shape implements strictyaml.Shaped.
func (a *authenticate) Shape(k strictyaml.Kind) any {
	switch k {
	case strictyaml.List:
		return &a.Any
	case strictyaml.Mapping:
		return &a.All
	default:
		return nil
	}
}

// Expected implements strictyaml.Shaped.
func (*authenticate) Expected() string {
	return "a list of kinds such as [api_key, jwt], or {all_of: [api_key, jwt]}"
}

// headers is the name of a preset, or header to field.
type headers struct {
	Preset preset
	Fields map[string]string
}

// Shape implements strictyaml.Shaped.
func (h *headers) Shape(k strictyaml.Kind) any {
	switch k {
	case strictyaml.Scalar:
		return &h.Preset
	case strictyaml.Mapping:
		return &h.Fields
	default:
		return nil
	}
}

// Expected implements strictyaml.Shaped.
func (*headers) Expected() string { return "apisix, kong or a mapping of header to field" }

// defaults is what stands where a file says nothing.
func defaults() document {
	d := document{}
	d.Listen.GRPC.Address = "127.0.0.1:9191"
	d.Listen.HTTP.Address = "127.0.0.1:9192"
	d.Listen.HTTP.TrustedProxies = loopback()
	d.Listen.Admin.Address = "127.0.0.1:9193"
	d.Listen.GRPC.FaultResponse = faultDeny
	d.Listen.Drain = drainPart{NotReady: 5 * second, Timeout: 30 * second}
	d.Consumers.Keys = keysPart{Prefix: "postern", Grace: days(30 * 24 * time.Hour), MaxCredentials: 100}
	d.Authentication.Order = []kind{
		kind(access.KindAPIKey), kind(access.KindSignature), kind(access.KindJWT), kind(access.KindBasic), kind(access.KindClientCertificate),
	}
	d.Authentication.HideCredentials = true
	d.Authentication.APIKey.In = []keyPlace{
		{Header: "X-API-Key"},
		{Header: authorization, Scheme: "ApiKey"},
		{Header: authorization, Scheme: bearerScheme},
	}
	d.Authentication.JWT.In = []tokenPlace{{Header: authorization, Scheme: bearerScheme}}
	d.Authentication.JWT.Leeway = 30 * second
	d.Authentication.Basic = basicPart{Realm: realm, Wait: second / 10, Burst: 2 * second}
	d.Authentication.Signature.ClockSkew = strictyaml.Duration(signature.DefaultClockSkew)
	d.Authentication.ClientCertificate.Unknown = unknown(clientcert.UnknownReject)
	d.Authentication.Introspection.In = []tokenPlace{{Header: authorization, Scheme: bearerScheme}}
	d.Authentication.Introspection.ClientAuth = introspect.BasicAuth
	d.Default.Anonymous = anonymousDeny
	d.Policy.Entrypoint = "postern/authz/allow"
	d.Policy.Timeout = second / 50
	d.Policy.KeepRevisions = 10
	d.Policy.Shadow.Sample = 1
	d.Policy.Journal = journalPart{MaxFileSize: 64 << 20, MaxFiles: 16, Sample: 1, Input: journalWhole}
	d.Identity.Headers.Preset = "apisix"
	d.Identity.Assertion = assertionPart{Header: assertion.DefaultHeader, Issuer: assertion.DefaultIssuer, TTL: strictyaml.Duration(assertion.DefaultTTL)}
	d.Cache = cachePart{MaxMemory: 64 << 20, TTL: 60 * second, NegativeTTL: 5 * second}
	d.Telemetry = telemetryPart{LogLevel: "info", LogFormat: "json", DecisionLog: decisionLogPart{AllowSample: 0.01}}
	return d
}
