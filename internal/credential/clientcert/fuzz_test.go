package clientcert_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/clientcert"
)

// believed fails for what no client may cause, and for a proof without a name
// that was shown.
func believed(t *testing.T, b *bench, req *access.Request, text string) {
	t.Helper()
	switch got := b.ask(req); got {
	case "none", "invalid", "expired":
	case "uri", "dns", "subject", "other", "odd", "ending":
		if !strings.Contains(text, "example.com/") && !strings.Contains(strings.ToLower(text), ".example.com") && !strings.Contains(text, "=") {
			t.Fatalf("%q proves %s", text, got)
		}
	default:
		t.Fatalf("%q: %s", text, got)
	}
}

func FuzzForwardedClientCert(f *testing.F) {
	certificate := makeCertificate(f, plan{uris: []string{mobile}}, nil)
	f.Add("By=spiffe://example.com/edge;Hash=" + certificate.fingerprint() + `;Subject="CN=app,O=Example\, Inc.";URI=` + mobile + ";DNS=app.example.com")
	f.Add(`Cert="` + certificate.escaped() + `";Chain="` + certificate.escaped() + `"`)
	f.Add("URI=" + otherURI + `,Subject="\"";URI=` + mobile)
	f.Add(`Subject="`)
	b := setUp(f, clientcert.Config{Headers: everyHeader}, 0)
	f.Fuzz(func(t *testing.T, value string) {
		believed(t, b, forwarded("x-forwarded-client-cert: "+value), value)
		// What stands before a comma changes nothing, as long as it is in order.
		if before := b.ask(forwarded("x-forwarded-client-cert: By=x;Subject=\"CN=\\\"a,\"," + value)); value != "" && before != b.ask(forwarded("x-forwarded-client-cert: "+value)) {
			t.Fatalf("%q: %s behind another element", value, before)
		}
	})
}

func FuzzClientCert(f *testing.F) {
	certificate := makeCertificate(f, plan{uris: []string{mobile}}, nil)
	f.Add(certificate.field(), certificate.field()+", "+certificate.field())
	f.Add("::", ":AQ==:")
	f.Add(":AB==:", ",")
	b := setUp(f, clientcert.Config{Headers: everyHeader}, 0)
	f.Fuzz(func(t *testing.T, cert, chain string) {
		believed(t, b, forwarded("client-cert: "+cert, "client-cert-chain: "+chain), cert+"=")
	})
}

func FuzzSourceCertificate(f *testing.F) {
	certificate := makeCertificate(f, plan{uris: []string{mobile}, dns: []string{"app.example.com"}, subject: appName}, nil)
	f.Add(certificate.escaped(), "")
	f.Add(certificate.pem()+certificate.pem(), mobile)
	f.Add("-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----", "CN=app")
	f.Add("", "app.example.com")
	b := setUp(f, clientcert.Config{}, 0)
	f.Fuzz(func(t *testing.T, certificate, principal string) {
		believed(t, b, source(certificate, principal), certificate+"="+principal)
	})
}

// FuzzDER gets past base64, which mutations of the text seldom do.
func FuzzDER(f *testing.F) {
	f.Add(makeCertificate(f, plan{uris: []string{mobile}, dns: []string{"app.example.com"}, subject: appName}, nil).Raw)
	f.Add(makeCertificate(f, plan{unreadableNames: []byte{0x30, 0x04, 0x86, 0x02, 'a', ':'}}, nil).Raw)
	b := setUp(f, clientcert.Config{Headers: everyHeader}, 0)
	f.Fuzz(func(t *testing.T, der []byte) {
		believed(t, b, forwarded("client-cert: :"+base64.StdEncoding.EncodeToString(der)+":"), string(der))
	})
}
