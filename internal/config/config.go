package config

import (
	"net/netip"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
)

// Config is a whole, validated configuration. Nobody changes it after Load.
// Paths are absolute.
type Config struct {
	Listen         Listen
	Consumers      Consumers
	Authentication Authentication
	// Routes and Default have everything filled in that the file left to the
	// defaults.
	Routes  []gate.Route
	Default gate.Route
	Policy  Policy
	// Identity are the managed headers.
	Identity []gate.ManagedHeader
	// Assertion is nil when no identity is signed.
	Assertion *Assertion
	Cache     Cache
	Telemetry Telemetry
	// Files are the files that the configuration was read from; none for the
	// embedded defaults.
	Files []string
	// Revision changes when the contents do.
	Revision string
}

// Listen says where Postern answers, and how it leaves. None of it is
// reloaded.
type Listen struct {
	GRPC, HTTP, Admin Listener
	// AdminTokens are those that the admin API takes, and AdminHosts names that
	// its listener may be called by beside localhost and its own address.
	AdminTokens []AdminToken
	AdminHosts  []string
	// FaultAsError tells Envoy of a fault as an error, so that its
	// failure_mode_allow may let the request through.
	FaultAsError bool
	Drain        Drain
}

// Listener is one address: "host:port" or "unix:/path".
type Listener struct {
	Address        string
	TrustedProxies []netip.Prefix
	// TLS is nil for plain text.
	TLS *TLS
}

// TLS are the files of a listener's certificate; with ClientCAFile a client
// must show a certificate that it signed.
type TLS struct{ CertFile, KeyFile, ClientCAFile string }

// Drain says how a process leaves on SIGTERM.
type Drain struct {
	// NotReady is how long it answers while it says that it isn't ready.
	NotReady time.Duration
	// Timeout is how long requests under way may take after that.
	Timeout time.Duration
}

// Authentication says which credentials are believed and where they stand.
type Authentication struct {
	// Order is the order in which a credential names the request's identity.
	Order           []access.Kind
	HideCredentials bool
	// Forward are the kinds whose credential reaches the upstream although
	// credentials are hidden.
	Forward           []access.Kind
	APIKey            APIKey
	JWT               JWT
	Basic             Basic
	Signature         signature.Config
	ClientCertificate clientcert.Config
	// Introspection is nil when no server is configured.
	Introspection *Introspection
}

// Basic says how passwords are asked for and how many are verified at once.
type Basic struct {
	Realm    string
	Verifier basic.VerifierConfig
}

// Introspection is one server that tells of opaque tokens.
type Introspection struct {
	Server introspect.ServerConfig
	Answer introspect.Config
}

// Assertion is the signed identity for the upstream.
type Assertion struct {
	Header string
	Config assertion.Config
}

// Location is a place in a request: a header, with a scheme or bare, or a
// query parameter.
type Location struct{ Header, Scheme, Query string }

// APIKey says where API keys stand.
type APIKey struct{ In []Location }

// JWT says which tokens are believed.
type JWT struct {
	In          []Location
	Leeway      time.Duration
	MaxLifetime time.Duration
	Issuers     []Issuer
}

// Issuer is one issuer whose tokens are believed.
type Issuer struct {
	Name, Issuer          string
	JWKSFile, JWKSURL     string
	Algorithms, Audiences []string
	ConsumerClaim         string
	UnknownConsumer       string
	Roles, Groups, Scopes []string
	MaxStale              time.Duration
}

// Cache bounds what is remembered. MaxMemory 0 remembers nothing.
type Cache struct {
	MaxMemory        int64
	TTL, NegativeTTL time.Duration
}

// Telemetry says what is logged and exported.
type Telemetry struct {
	LogLevel  string
	LogFormat string
	// OTLPEndpoint is a URL, which may hold a token.
	OTLPEndpoint access.Secret
	// AllowSample is the part of allows that have a line in the decision log.
	AllowSample float64
}
