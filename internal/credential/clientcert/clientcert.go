package clientcert

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/proof"
	"github.com/postern-authz/postern/internal/gate"
)

// The headers that may tell of a certificate, in lower case.
const (
	forwardedHeader = "x-forwarded-client-cert"
	certHeader      = "client-cert"
	chainHeader     = "client-cert-chain"
)

// Headers are all headers that may tell of a client's certificate, in lower
// case.
func Headers() []string { return []string{forwardedHeader, certHeader, chainHeader} }

// Unknown says what becomes of a certificate that leads to no consumer.
type Unknown string

// What may become of it. The zero value is UnknownReject.
const (
	UnknownReject Unknown = "reject"
	UnknownIgnore Unknown = "ignore"
)

// Config says which certificates are believed.
type Config struct {
	// Headers are those that a trusted proxy is believed in: "client-cert" and
	// "x-forwarded-client-cert", without case. None, the default, leaves what
	// the gateway itself tells in CheckRequest. Name one only where every
	// trusted proxy replaces the client's own.
	Headers []string
	// CAFile holds the certificates, as PEM, that a client's has to lead to.
	// Empty: the gateway's own verification is relied on.
	CAFile string
	// Unknown says what becomes of a certificate that leads to no consumer;
	// empty is UnknownReject.
	Unknown Unknown
	// IgnoreProxyCertificate takes the certificate of the connection from a
	// trusted proxy for the proxy's own, which is no consumer's credential.
	IgnoreProxyCertificate bool
	// Realm names the protected space to clients (RFC 9110 section 11.5).
	Realm string
	// Environments are the environments whose consumers are believed; none
	// means that all are.
	Environments []string
}

// Check says what is wrong with a Config, but for the CA file, which New reads.
func (c Config) Check() error {
	for _, name := range c.Headers {
		if lower := strings.ToLower(name); lower != forwardedHeader && lower != certHeader {
			return fmt.Errorf("headers: %q is neither %s nor %s", name, certHeader, forwardedHeader)
		}
	}
	switch c.Unknown {
	case "", UnknownReject, UnknownIgnore:
		return nil
	}
	return fmt.Errorf("unknown: %q is neither %s nor %s", c.Unknown, UnknownReject, UnknownIgnore)
}

// Authenticator proves client certificates.
type Authenticator struct {
	config    Config
	forwarded bool // forwardedHeader is believed
	cert      bool // certHeader is believed
	roots     *x509.CertPool
	challenge string
	beside    []string // all headers that tell of a certificate
	scope     string
	store     consumer.Store
	cache     *cache.Cache[*access.Identity]
	now       func() time.Time
}

var _ gate.Authenticator = (*Authenticator)(nil)

// New makes an authenticator over a store. What it proves is remembered in the
// cache under the revision, the configuration and the CA file's content. The
// error names what is wrong with the configuration or the CA file: without the
// file that it was told to believe in, it would believe too much or nothing.
func New(config Config, store consumer.Store, c *cache.Cache[*access.Identity], revision string, now func() time.Time) (*Authenticator, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	roots, content, err := readRoots(config.CAFile)
	if err != nil {
		return nil, err
	}
	return &Authenticator{
		config:    config,
		forwarded: slices.ContainsFunc(config.Headers, func(name string) bool { return strings.EqualFold(name, forwardedHeader) }),
		cert:      slices.ContainsFunc(config.Headers, func(name string) bool { return strings.EqualFold(name, certHeader) }),
		roots:     roots,
		beside:    Headers(),
		challenge: proof.Challenge("ClientCertificate", config.Realm),
		scope:     scopeOf(config, content, revision),
		store:     store,
		cache:     c,
		now:       now,
	}, nil
}

// scopeOf names all that an answer depends on beside what was shown.
func scopeOf(config Config, roots, revision string) string {
	scope := cache.Digest(append([]string{revision, roots}, config.Environments...)...)
	return string(scope[:])
}

// Kind implements gate.Authenticator.
func (*Authenticator) Kind() access.Kind { return access.KindClientCertificate }

// Challenge implements gate.Authenticator. HTTP has no scheme for certificates,
// which are asked for in the TLS handshake, and every 401 needs a challenge
// (RFC 9110 section 15.5.2): this one is of the right form and no browser acts
// on it. "Mutual" is taken by another thing (RFC 8120).
func (a *Authenticator) Challenge(bool) string { return a.challenge }

// Authenticate implements gate.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	seen, err := a.look(req)
	if err != nil {
		return a.refuse(req, err)
	}
	identity, err := a.identify(ctx, seen, req.Explain)
	if err != nil {
		return a.refuse(req, err)
	}
	if req.Explain.On() {
		req.Explain.Note("authenticate", "client_certificate: proves credential "+identity.Credential.ID+" of consumer "+identity.Consumer.Name)
	}
	return access.Proof{Identity: identity, From: access.Location{Header: seen.header}, Beside: a.beside}, nil
}

// refuse passes an error on, with a note for those who ask why.
func (a *Authenticator) refuse(req *access.Request, err error) (access.Proof, error) {
	return proof.Refuse(req, access.KindClientCertificate, "no certificate that counts", a.settle(err))
}
