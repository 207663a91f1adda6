package clientcert_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/clientcert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time       { return start.Add(time.Duration(c.passed.Load())) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// store holds credentials by reference, and counts.
type store struct {
	found map[string]*consumer.Found
	err   error
	finds atomic.Int64
}

func (s *store) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	s.finds.Add(1)
	switch found := s.found[ref.Value]; {
	case s.err != nil:
		return nil, s.err
	case found == nil || ref.Kind != access.KindClientCertificate || ref.Issuer != "":
		return nil, consumer.ErrNotFound
	default:
		return found, nil
	}
}

var (
	app     = &access.Consumer{Name: "app", Enabled: true, Environment: "prod", Roles: []string{"reader"}, Groups: []string{"premium"}}
	other   = &access.Consumer{Name: "other", Enabled: true, Environment: "prod"}
	retired = &access.Consumer{Name: "retired", Environment: "prod"}
	dev     = &access.Consumer{Name: "dev-app", Enabled: true, Environment: "dev"}
)

func newStore() *store {
	s := &store{found: map[string]*consumer.Found{}}
	for reference, found := range map[string]consumer.Found{
		"uri:spiffe://example.com/mobile":   {Consumer: app, Credential: &access.Credential{ID: "uri", Enabled: true, Scopes: []string{"orders:read"}}},
		"dns:app.example.com":               {Consumer: app, Credential: &access.Credential{ID: "dns", Enabled: true}},
		"subject:CN=app,O=Example\\, Inc.":  {Consumer: app, Credential: &access.Credential{ID: "subject", Enabled: true}},
		"uri:spiffe://example.com/other":    {Consumer: other, Credential: &access.Credential{ID: "other", Enabled: true}},
		"dns:disabled.example.com":          {Consumer: app, Credential: &access.Credential{ID: "disabled", ExpiresAt: start.Add(-time.Hour)}},
		"dns:retired.example.com":           {Consumer: retired, Credential: &access.Credential{ID: "retired", Enabled: true}},
		"dns:dev.example.com":               {Consumer: dev, Credential: &access.Credential{ID: "dev", Enabled: true}},
		"dns:ending.example.com":            {Consumer: app, Credential: &access.Credential{ID: "ending", Enabled: true, ExpiresAt: start.Add(10 * time.Second)}},
		"dns:ended.example.com":             {Consumer: app, Credential: &access.Credential{ID: "ended", Enabled: true, ExpiresAt: start}},
		"uri:spiffe://example.com/a,b;c%20": {Consumer: app, Credential: &access.Credential{ID: "odd", Enabled: true}},
	} {
		s.add(reference, found)
	}
	return s
}

func (s *store) add(reference string, found consumer.Found) {
	found.Credential.Kind = access.KindClientCertificate
	s.found[reference] = &found
}

// bench is an authenticator with all that it stands on.
type bench struct {
	*clientcert.Authenticator
	store *store
	clock *clock
	cache *cache.Cache[*access.Identity]
}

var everyHeader = []string{"Client-Cert", "X-Forwarded-Client-Cert"}

func setUp(t testing.TB, config clientcert.Config, memory int64) *bench {
	t.Helper()
	b := &bench{store: newStore(), clock: &clock{}}
	var err error
	b.cache, err = cache.New(cache.Options[*access.Identity]{
		MaxMemory: memory, MaxNegatives: 100, TTL: time.Hour, NegativeTTL: time.Hour, Now: b.clock.Now,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cache.Close)
	b.Authenticator, err = clientcert.New(config, b.store, b.cache, "revision-1", b.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) ask(req *access.Request) string {
	return answer(b.Authenticate(context.Background(), req))
}

// answer puts an outcome in one word: the credential's id, "none", "invalid",
// "expired" or "fault".
func answer(proof access.Proof, err error) string {
	var rejected *access.Rejection
	switch {
	case err == nil:
		return proof.Identity.Credential.ID
	case err == access.ErrNoCredential:
		return "none"
	case !errors.As(err, &rejected):
		return "fault"
	case rejected.Code == access.CodeExpiredCredential:
		return "expired"
	case rejected.Code == access.CodeInvalidCredential:
		return "invalid"
	}
	return "unknown code " + string(rejected.Code)
}

// signed is a certificate with the key that it certifies.
type signed struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// plan is a certificate to be made; its zero value is good for an hour and a
// client's.
type plan struct {
	uris, dns       []string
	subject         pkix.Name
	rawSubject      []byte
	from, to        time.Duration // from start; both zero: an hour before and after
	usage           []x509.ExtKeyUsage
	authority       bool
	extra           []byte // grows the certificate
	unreadableNames []byte // in place of the SANs
}

var serial atomic.Int64

// makeCertificate signs a plan by an issuer, or by itself.
func makeCertificate(t testing.TB, p plan, issuer *signed) *signed {
	t.Helper()
	if p.from == 0 && p.to == 0 {
		p.from, p.to = -time.Hour, time.Hour
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: p.subject, RawSubject: p.rawSubject,
		NotBefore: start.Add(p.from), NotAfter: start.Add(p.to), ExtKeyUsage: p.usage,
		BasicConstraintsValid: true, IsCA: p.authority,
	}
	if p.authority {
		template.KeyUsage = x509.KeyUsageCertSign
	} else if p.usage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if names := alternatives(t, p); names != nil {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names})
	}
	if p.extra != nil {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: p.extra})
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil { // some plans make what nobody reads
		certificate = &x509.Certificate{Raw: der}
	}
	return &signed{certificate, key}
}

// alternatives writes SANs byte by byte, so that they may be bad ones.
func alternatives(t testing.TB, p plan) []byte {
	if p.unreadableNames != nil || len(p.uris)+len(p.dns) == 0 {
		return p.unreadableNames
	}
	var names []asn1.RawValue
	for tag, list := range map[int][]string{6: p.uris, 2: p.dns} {
		for _, name := range list {
			names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(name)})
		}
	}
	value, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (s *signed) fingerprint() string {
	sum := sha256.Sum256(s.Raw)
	return hex.EncodeToString(sum[:])
}

func (s *signed) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Raw}))
}

// escaped is as Envoy writes it (urlEncodedPemEncodedPeerCertificate).
func (s *signed) escaped() string { return escape(s.pem()) }

func escape(text string) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(text)
}

// field is as RFC 9440 has it.
func (s *signed) field() string { return ":" + base64.StdEncoding.EncodeToString(s.Raw) + ":" }

func caFile(t testing.TB, roots ...*signed) string {
	t.Helper()
	var text strings.Builder
	for _, root := range roots {
		text.WriteString("# a root\n" + root.pem())
	}
	return write(t, text.String())
}

func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// source is what Envoy says of the connection.
func source(certificate, principal string) *access.Request {
	return &access.Request{Source: access.Peer{Certificate: certificate, Principal: principal}}
}

// forwarded is a request of a trusted proxy.
func forwarded(lines ...string) *access.Request {
	req := &access.Request{Trusted: true}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Headers = append(req.Headers, access.Header{Name: name, Value: value})
	}
	return req
}

func (s *signed) shown() *access.Request { return source(s.escaped(), "") }
