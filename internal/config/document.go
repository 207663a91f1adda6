package config

import (
	"github.com/postern-authz/postern/internal/strictyaml"
)

// document is postern.yaml as it is written. The tag `doc` describes a key in
// the schema. What is of type Unsupported belongs to the format and is refused
// by this version.
type document struct {
	Listen         listenPart         `yaml:"listen" doc:"Where Postern answers."`
	Consumers      consumersPart      `yaml:"consumers" doc:"Where consumers are declared."`
	Authentication authenticationPart `yaml:"authentication" doc:"Which credentials are believed and where they stand."`
	Routes         []routePart        `yaml:"routes" doc:"The first route that matches a request judges it."`
	Default        defaultPart        `yaml:"default" doc:"For requests that no route matches, and for what routes leave out."`
	Policy         policyPart         `yaml:"policy" doc:"Which policy decides."`
	Identity       identityPart       `yaml:"identity" doc:"What the upstream is told of the consumer."`
	Cache          cachePart          `yaml:"cache" doc:"What is remembered of proofs and decisions."`
	Telemetry      telemetryPart      `yaml:"telemetry" doc:"What is logged and exported."`

	Limits strictyaml.Unsupported `yaml:"limits"`
	Usage  strictyaml.Unsupported `yaml:"usage"`
}

type listenPart struct {
	GRPC  grpcPart  `yaml:"grpc" doc:"The door of Envoy's ext_authz over gRPC."`
	HTTP  httpPart  `yaml:"http" doc:"The doors of forward-auth over HTTP."`
	Admin adminPart `yaml:"admin" doc:"The admin API, health, readiness and metrics."`
	Drain drainPart `yaml:"drain" doc:"How the process leaves on SIGTERM."`
}

type grpcPart struct {
	Address        string               `yaml:"address" doc:"ADDRESS:PORT, or unix:PATH."`
	TrustedProxies []strictyaml.Network `yaml:"trusted_proxies" doc:"Peers whose x-forwarded-for is walked."`
	TrustAnyProxy  bool                 `yaml:"dangerously_trust_any_proxy" doc:"Accepts trusted_proxies that hold everybody: any client can then name its own address."`
	FaultResponse  faultResponse        `yaml:"fault_response" doc:"error tells a fault to Envoy as an error, and Envoy's failure_mode_allow then lets the request through."`
	TLS            tlsPart              `yaml:"tls" doc:"Left out: plain text."`
}

type httpPart struct {
	Address        string               `yaml:"address" doc:"ADDRESS:PORT, or unix:PATH."`
	TrustedProxies []strictyaml.Network `yaml:"trusted_proxies" doc:"Gateways whose X-Forwarded-* headers are believed."`
	TrustAnyProxy  bool                 `yaml:"dangerously_trust_any_proxy" doc:"Accepts trusted_proxies that hold everybody: any client can then forge the request that is judged."`
	TLS            tlsPart              `yaml:"tls" doc:"Left out: plain text."`
}

type adminPart struct {
	Address string           `yaml:"address" doc:"ADDRESS:PORT, or unix:PATH."`
	Tokens  []adminTokenPart `yaml:"tokens" doc:"Who may use the API; without any, it listens on this machine alone."`
	Hosts   []string         `yaml:"hosts" doc:"Names that the listener may be called by, without port, beside localhost and its own address."`
	TLS     tlsPart          `yaml:"tls" doc:"Left out: plain text."`
}

type tlsPart struct {
	CertFile     string `yaml:"cert_file,required" doc:"The certificate chain in PEM; read again when it changes."`
	KeyFile      string `yaml:"key_file,required" doc:"Its private key in PEM."`
	ClientCAFile string `yaml:"client_ca_file" doc:"With it, a client must show a certificate that one of these authorities signed."`
}

type drainPart struct {
	NotReady strictyaml.Duration `yaml:"not_ready" doc:"How long requests are still answered while /readyz and the health service say no: longer than the gateway takes to notice."`
	Timeout  strictyaml.Duration `yaml:"timeout" doc:"How long requests under way may take after that."`
}

type consumersPart struct {
	Files        []string `yaml:"files" doc:"Paths and patterns, relative to this file; watched."`
	Environments []string `yaml:"environments" doc:"The environments whose credentials are believed; left out: all."`

	Store        storePart           `yaml:"store" doc:"A database of consumers that change while Postern runs; left out: files only."`
	MaxStaleness strictyaml.Duration `yaml:"max_staleness" doc:"How long ago the store may have been heard of, for consumers that are kept there and for unknown credentials; beyond that the answer is 503. 0s: no limit."`
	Keys         keysPart            `yaml:"keys" doc:"How keys are made in the store, and how long they live."`
}

type authenticationPart struct {
	Order           []kind     `yaml:"order" doc:"The kinds that are believed; the first that is proven names the credential."`
	HideCredentials bool       `yaml:"hide_credentials" doc:"What proved the consumer does not reach the upstream."`
	Forward         []kind     `yaml:"forward" doc:"The kinds whose credential reaches the upstream all the same."`
	APIKey          apiKeyPart `yaml:"api_key"`
	JWT             jwtPart    `yaml:"jwt"`

	Basic             basicPart         `yaml:"basic" doc:"Usernames and passwords."`
	Signature         signaturePart     `yaml:"signature" doc:"Requests that their client signs with HMAC."`
	ClientCertificate certificatePart   `yaml:"client_certificate" doc:"TLS certificates of clients, as the gateway tells them."`
	Introspection     introspectionPart `yaml:"introspection" doc:"Opaque tokens, which the server that gave them out is asked about (RFC 7662)."`
}

type apiKeyPart struct {
	In []keyPlace `yaml:"in" doc:"All places where a key may stand; a request carries one key, in one of them."`
}

type keyPlace struct {
	Header string `yaml:"header"`
	Scheme string `yaml:"scheme" doc:"For Authorization. Under Bearer, only what has the form of Postern's own keys is a key."`
	Query  string `yaml:"query" doc:"A query parameter. Keys in URLs end in logs."`
}

type jwtPart struct {
	In          []tokenPlace        `yaml:"in" doc:"All places where a token may stand."`
	Leeway      strictyaml.Duration `yaml:"leeway" doc:"How far other clocks may be from ours; at most 60s."`
	MaxLifetime strictyaml.Duration `yaml:"max_lifetime" doc:"The longest that a token may live from now; left out: no limit."`
	Issuers     []issuerPart        `yaml:"issuers"`
}

type tokenPlace struct {
	Header string `yaml:"header,required"`
	Scheme string `yaml:"scheme" doc:"For Authorization."`
}

type issuerPart struct {
	Name            string              `yaml:"name,required" doc:"The issuer's name in consumers' credentials, logs and policy input."`
	Issuer          string              `yaml:"issuer,required" doc:"What iss must be, to the byte."`
	JWKSFile        string              `yaml:"jwks_file" doc:"A file with the issuer's keys, relative to this file."`
	JWKSURL         string              `yaml:"jwks_url" doc:"Where the issuer's keys are fetched. Neither this nor jwks_file: discovery from the issuer."`
	PlainHTTP       bool                `yaml:"dangerously_fetch_over_plain_http" doc:"Accepts keys over plain HTTP from another machine: whoever is in between can make tokens."`
	Algorithms      []string            `yaml:"algorithms" doc:"The only ones believed; left out: RS256 and ES256."`
	Audiences       []string            `yaml:"audiences,required" doc:"A token must be meant for one of them."`
	ConsumerClaim   string              `yaml:"consumer_claim" doc:"The claim that names the consumer; left out: azp."`
	UnknownConsumer string              `yaml:"unknown_consumer" doc:"deny (when left out), or ephemeral: a consumer with nothing but what the token says."`
	Roles           []string            `yaml:"roles" doc:"Claims that hold roles, such as realm_access.roles; left out: none."`
	Groups          []string            `yaml:"groups" doc:"Claims that hold groups; left out: none."`
	Scopes          []string            `yaml:"scopes" doc:"Claims that hold scopes; left out: scope."`
	MaxStale        strictyaml.Duration `yaml:"max_stale" doc:"How long the last good keys serve while none can be fetched; left out: 24h."`
}

type identityPart struct {
	Headers        headers       `yaml:"headers" doc:"A preset (apisix, kong), or a mapping of header to field."`
	ClientIDHeader string        `yaml:"client_id_header" doc:"The header that names the client which a token was issued to, such as X-Client-ID; left out: none."`
	Assertion      assertionPart `yaml:"assertion" doc:"A signed identity for the upstream; left out: none."`
}

type cachePart struct {
	MaxMemory   strictyaml.Size     `yaml:"max_memory" doc:"0 remembers nothing."`
	TTL         strictyaml.Duration `yaml:"ttl"`
	NegativeTTL strictyaml.Duration `yaml:"negative_ttl" doc:"How long a refused credential is remembered."`
}

type telemetryPart struct {
	LogLevel     logLevel        `yaml:"log_level"`
	LogFormat    logFormat       `yaml:"log_format"`
	OTLPEndpoint string          `yaml:"otlp_endpoint" doc:"The URL of an OpenTelemetry collector, or env:NAME or file:PATH where it holds a token; left out: as the OTEL_* variables say."`
	DecisionLog  decisionLogPart `yaml:"decision_log" doc:"One line a denial, and for some allows."`
}

type decisionLogPart struct {
	AllowSample float64 `yaml:"allow_sample" doc:"The part of allows that have a line, from 0 to 1."`
}
