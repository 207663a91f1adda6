package clientcert_test

import (
	"context"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/clientcert"
)

var appName = pkix.Name{CommonName: "app", Organization: []string{"Example, Inc."}}

const (
	mobile     = "spiffe://example.com/mobile"
	otherURI   = "spiffe://example.com/other"
	unknownURI = "spiffe://example.com/nobody"
)

func TestNamesOfACertificate(t *testing.T) {
	b := setUp(t, clientcert.Config{Environments: []string{"prod"}}, 0)
	for name, tt := range map[string]struct {
		plan plan
		want string
	}{
		"URI":                         {plan{uris: []string{mobile}}, "uri"},
		"DNS":                         {plan{dns: []string{"App.Example.com"}}, "dns"},
		"subject":                     {plan{subject: appName}, "subject"},
		"URI before DNS and subject":  {plan{uris: []string{mobile}, dns: []string{"app.example.com"}, subject: appName}, "uri"},
		"second URI":                  {plan{uris: []string{unknownURI, mobile}}, "uri"},
		"URI with separators":         {plan{uris: []string{"spiffe://example.com/a,b;c%20"}}, "odd"},
		"unknown":                     {plan{uris: []string{unknownURI}, dns: []string{"nobody.example.com"}, subject: pkix.Name{CommonName: "nobody"}}, "invalid"},
		"no name at all":              {plan{}, "invalid"},
		"two consumers":               {plan{uris: []string{otherURI}, dns: []string{"app.example.com"}}, "invalid"},
		"two consumers by URI":        {plan{uris: []string{mobile, otherURI}}, "invalid"},
		"common name as DNS":          {plan{subject: pkix.Name{CommonName: "app.example.com"}}, "invalid"},
		"URI as DNS":                  {plan{dns: []string{mobile}}, "invalid"},
		"DNS as URI":                  {plan{uris: []string{"app.example.com"}}, "invalid"},
		"subject as DNS":              {plan{dns: []string{"CN=app,O=Example\\, Inc."}}, "invalid"},
		"URI in other case":           {plan{uris: []string{"spiffe://example.com/Mobile"}}, "invalid"},
		"wildcard":                    {plan{dns: []string{"*.example.com"}}, "invalid"},
		"a part of the subject":       {plan{subject: pkix.Name{CommonName: "app"}}, "invalid"},
		"URI with NUL":                {plan{uris: []string{mobile + "\x00.evil.test"}}, "invalid"},
		"NUL beside a good name":      {plan{uris: []string{mobile}, dns: []string{"app.example.com\x00.evil.test"}}, "invalid"},
		"line end beside a good name": {plan{uris: []string{mobile, "spiffe://example.com/\r\nx"}}, "invalid"},
		"control in the subject":      {plan{uris: []string{mobile}, subject: pkix.Name{CommonName: "app\x00"}}, "invalid"},
		"odd DNS beside a good name":  {plan{uris: []string{mobile}, dns: []string{"a,b"}}, "uri"},
		"too many DNS names":          {plan{uris: []string{mobile}, dns: many(17)}, "invalid"},
		"many DNS names":              {plan{uris: []string{mobile}, dns: many(16)}, "uri"},
		"disabled credential":         {plan{dns: []string{"disabled.example.com"}}, "invalid"},
		"disabled beside a good one":  {plan{uris: []string{mobile}, dns: []string{"disabled.example.com"}}, "invalid"},
		"disabled consumer":           {plan{dns: []string{"retired.example.com"}}, "invalid"},
		"consumer of elsewhere":       {plan{dns: []string{"dev.example.com"}}, "invalid"},
		"ended credential":            {plan{dns: []string{"ended.example.com"}}, "expired"},
		"ended beside a good one":     {plan{uris: []string{mobile}, dns: []string{"ended.example.com"}}, "expired"},
		"ended certificate":           {plan{uris: []string{mobile}, from: -2 * time.Hour, to: -time.Second}, "expired"},
		"in its last moment":          {plan{uris: []string{mobile}, from: -2 * time.Hour, to: 0}, "uri"},
		"ended, of nobody":            {plan{uris: []string{unknownURI}, from: -2 * time.Hour, to: -time.Second}, "invalid"},
		"ended, of a disabled one":    {plan{dns: []string{"disabled.example.com"}, from: -2 * time.Hour, to: -time.Second}, "invalid"},
		"not valid yet":               {plan{uris: []string{mobile}, from: time.Second, to: time.Hour}, "invalid"},
		"large":                       {plan{uris: []string{mobile}, extra: make([]byte, 15<<10)}, "uri"},
		"too large":                   {plan{uris: []string{mobile}, extra: make([]byte, 16<<10)}, "invalid"},
	} {
		req := makeCertificate(t, tt.plan, nil).shown()
		if got := b.ask(req); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func many(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.example.com", i)
	}
	return names
}

func TestFingerprint(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 0)
	certificate := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	b.store.add("sha256:"+certificate.fingerprint(), consumer.Found{Consumer: app, Credential: &access.Credential{ID: "fingerprint", Enabled: true}})
	for name, req := range map[string]*access.Request{
		"certificate":    certificate.shown(),
		"field":          forwarded("client-cert: " + certificate.field()),
		"forwarded":      forwarded(`x-forwarded-client-cert: Cert="` + certificate.escaped() + `"`),
		"forwarded hash": forwarded("x-forwarded-client-cert: Hash=" + strings.ToUpper(certificate.fingerprint())),
	} {
		if got := b.ask(req); got != "fingerprint" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	b.store.add("sha256:"+certificate.fingerprint(), consumer.Found{Consumer: other, Credential: &access.Credential{ID: "fingerprint", Enabled: true}})
	if got := b.ask(certificate.shown()); got != "invalid" {
		t.Errorf("fingerprint of another consumer: %s", got)
	}
	twin := makeCertificate(t, plan{uris: []string{"spiffe://example.com/twin"}}, nil)
	if got := b.ask(source(twin.escaped(), mobile)); got != "invalid" {
		t.Errorf("a principal beside another certificate: %s", got)
	}
}

func TestPrincipalAlone(t *testing.T) {
	b := setUp(t, clientcert.Config{}, 0)
	for principal, want := range map[string]string{
		mobile:                               "uri",
		"app.example.com":                    "dns",
		`CN=app,O=Example\, Inc.`:            "subject",
		unknownURI:                           "invalid",
		"":                                   "none",
		"app":                                "invalid",
		mobile + "\x00":                      "invalid",
		"dns:app.example.com":                "invalid",
		"uri:" + mobile:                      "invalid",
		`subject:CN=app,O=Example\, Inc.`:    "invalid",
		"sha256:" + strings.Repeat("00", 32): "invalid",
		`CN=app,O=Example\, Inc.,X=`:         "invalid",
		strings.Repeat("a", 1<<20):           "invalid",
	} {
		if got := b.ask(source("", principal)); got != want {
			t.Errorf("%.80q: got %s, want %s", principal, got, want)
		}
	}
	root := makeCertificate(t, plan{authority: true}, nil)
	strict := setUp(t, clientcert.Config{CAFile: caFile(t, root)}, 0)
	if got := strict.ask(source("", mobile)); got != "invalid" {
		t.Errorf("with a CA file, a principal alone is %s", got)
	}
}

// An untrusted peer's headers are not there, nor are those that no
// configuration names.
func TestHeadersAreBelievedOfTrustedProxiesAlone(t *testing.T) {
	all, none := setUp(t, clientcert.Config{Headers: everyHeader}, 0), setUp(t, clientcert.Config{}, 0)
	certificate := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	for _, line := range []string{
		"x-forwarded-client-cert: URI=" + mobile,
		`x-forwarded-client-cert: Cert="` + certificate.escaped() + `"`,
		"x-forwarded-client-cert: junk", "x-forwarded-client-cert: ",
		"client-cert: " + certificate.field(), "client-cert: junk",
	} {
		req := forwarded(line)
		if got := none.ask(req); got != "none" {
			t.Errorf("%.40s, not configured: %s", line, got)
		}
		if got := all.ask(req); got == "none" {
			t.Errorf("%.40s, trusted: %s", line, got)
		}
		req.Trusted = false
		if got := all.ask(req); got != "none" {
			t.Errorf("%.40s, untrusted: %s", line, got)
		}
		req.Source.Principal = otherURI
		if got := all.ask(req); got != "other" {
			t.Errorf("%.40s, untrusted, beside a principal: %s", line, got)
		}
	}
}

func TestForwardedClientCert(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 0)
	mine := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	theirs := makeCertificate(t, plan{uris: []string{otherURI}}, nil)
	issuer := makeCertificate(t, plan{authority: true}, nil)
	hash := "Hash=" + mine.fingerprint()
	for name, tt := range map[string]struct{ value, want string }{
		"as Envoy writes it":         {"By=spiffe://example.com/edge;" + hash + `;Subject="CN=x,O=Example\, \"Inc.\"";URI=` + mobile, "uri"},
		"with Cert":                  {"By=spiffe://example.com/edge;" + hash + `;Cert="` + mine.escaped() + `";Subject="";URI=`, "uri"},
		"with Chain":                 {hash + `;Chain="` + mine.escaped() + issuer.escaped() + `"`, "uri"},
		"with both":                  {`Chain="` + mine.escaped() + issuer.escaped() + `";Cert="` + mine.escaped() + `"`, "uri"},
		"Cert is not of Chain":       {`Chain="` + mine.escaped() + `";Cert="` + theirs.escaped() + `"`, "invalid"},
		"Hash is not of Cert":        {"Hash=" + theirs.fingerprint() + `;Cert="` + mine.escaped() + `"`, "invalid"},
		"names beside Cert":          {`Cert="` + mine.escaped() + `";URI=` + otherURI, "uri"},
		"keys without case":          {"uRI=" + mobile, "uri"},
		"quoted URI":                 {`URI="` + mobile + `"`, "uri"},
		"DNS":                        {"Hash=" + strings.Repeat("00", 32) + ";DNS=nobody.example.com;DNS=APP.example.com", "dns"},
		"Subject":                    {`Subject="CN=app,O=Example\, Inc."`, "subject"},
		"unknown keys":               {"Later=1;URI=" + mobile, "uri"},
		"the last counts":            {"URI=" + otherURI + ",URI=" + mobile, "uri"},
		"white space at a comma":     {"URI=" + otherURI + ", URI=" + mobile, "uri"},
		"comma in quotes":            {`Subject="CN=x,URI=` + mobile + `"`, "invalid"},
		"semicolon in quotes":        {`Subject="CN=x;URI=` + mobile + `"`, "invalid"},
		"quote opened by the client": {`Hash=1;Subject=",By=spiffe://example.com/edge;Subject="CN=x";URI=` + mobile, "invalid"},
		"never closed":               {`Subject=",URI=` + mobile, "invalid"},
		"closed by an escape":        {`Subject="\",URI=` + mobile, "invalid"},
		"quote within a value":       {`URI=` + mobile + `"`, "invalid"},
		"quote at the front":         {`"URI=` + mobile + `"`, "invalid"},
		"something after a quote":    {`Subject="CN=x"y;URI=` + mobile, "invalid"},
		"two URIs without Cert":      {"URI=spiffe://example.com/x;URI=" + mobile, "invalid"},
		"two hashes":                 {hash + ";" + hash, "invalid"},
		"two certificates":           {`Cert="` + mine.escaped() + `";Cert="` + mine.escaped() + `"`, "invalid"},
		"two subjects":               {`Subject="CN=x";Subject="CN=app,O=Example\, Inc."`, "invalid"},
		"bad hash":                   {"Hash=00;URI=" + mobile, "invalid"},
		"no names":                   {"By=spiffe://example.com/edge;URI=;Subject=\"\"", "invalid"},
		"proxy alone":                {"By=" + mobile, "invalid"},
		"empty":                      {"", "invalid"},
		"empty last element":         {"URI=" + mobile + ",", "invalid"},
		"no pair":                    {"URI=" + mobile + ";junk", "invalid"},
		"semicolon at the end":       {"URI=" + mobile + ";", "invalid"},
		"no key":                     {"=x;URI=" + mobile, "invalid"},
		"control":                    {"URI=" + mobile + ";Later=\x00", "invalid"},
		"URI with NUL":               {"URI=" + mobile + "\x00", "invalid"},
		"backslash in Cert":          {`Cert="\` + mine.escaped() + `"`, "invalid"},
		"junk as Cert":               {`URI=` + mobile + `;Cert="junk"`, "invalid"},
		"too large":                  {"URI=" + mobile + ";Later=" + strings.Repeat("a", 96<<10), "invalid"},
	} {
		if got := b.ask(forwarded("x-forwarded-client-cert: " + tt.value)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	if got := b.ask(forwarded("x-forwarded-client-cert: URI="+mobile, "x-forwarded-client-cert: URI="+mobile)); got != "invalid" {
		t.Errorf("two lines: %s", got)
	}
}

func TestClientCertField(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 0)
	mine := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	field := mine.field()
	issuer := makeCertificate(t, plan{authority: true}, nil).field()
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"good":              {[]string{"client-cert: " + field}, "uri"},
		"with a chain":      {[]string{"client-cert: " + field, "client-cert-chain: " + issuer + ", " + issuer}, "uri"},
		"chain of four":     {[]string{"client-cert: " + field, "client-cert-chain: " + strings.Repeat(issuer+",", 3) + issuer}, "uri"},
		"chain of five":     {[]string{"client-cert: " + field, "client-cert-chain: " + strings.Repeat(issuer+",", 4) + issuer}, "invalid"},
		"chain alone":       {[]string{"client-cert-chain: " + field}, "none"},
		"junk chain":        {[]string{"client-cert: " + field, "client-cert-chain: junk"}, "invalid"},
		"empty chain":       {[]string{"client-cert: " + field, "client-cert-chain: "}, "invalid"},
		"comma at the end":  {[]string{"client-cert: " + field, "client-cert-chain: " + issuer + ","}, "invalid"},
		"two chains":        {[]string{"client-cert: " + field, "client-cert-chain: " + issuer, "client-cert-chain: " + issuer}, "invalid"},
		"two lines":         {[]string{"client-cert: " + field, "client-cert: " + field}, "invalid"},
		"joined":            {[]string{"client-cert: " + field + "," + field}, "invalid"},
		"parameter":         {[]string{"client-cert: " + field + ";a=1"}, "invalid"},
		"no colons":         {[]string{"client-cert: " + strings.Trim(field, ":")}, "invalid"},
		"one colon":         {[]string{"client-cert: :"}, "invalid"},
		"nothing in colons": {[]string{"client-cert: ::"}, "invalid"},
		"white space":       {[]string{"client-cert:  " + field}, "invalid"},
		"PEM":               {[]string{"client-cert: " + mine.escaped()}, "invalid"},
		"line end within":   {[]string{"client-cert: " + field[:20] + "\n" + field[20:]}, "invalid"},
		"cut":               {[]string{"client-cert: " + field[:41] + ":"}, "invalid"},
		"something after":   {[]string{"client-cert: " + appended(mine)}, "invalid"},
		"empty":             {[]string{"client-cert: "}, "invalid"},
		"alias":             {[]string{"client_cert: " + field}, "none"},
	} {
		if got := b.ask(forwarded(tt.lines...)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// appended is a certificate with a byte after it.
func appended(s *signed) string {
	c := *s.Certificate
	c.Raw = append(slices.Clone(c.Raw), 0)
	return (&signed{Certificate: &c}).field()
}

func TestPEM(t *testing.T) {
	b := setUp(t, clientcert.Config{}, 0)
	mine := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	issuer := makeCertificate(t, plan{authority: true}, nil)
	body := strings.TrimSuffix(strings.TrimPrefix(mine.pem(), "-----BEGIN CERTIFICATE-----\n"), "\n-----END CERTIFICATE-----\n")
	for name, tt := range map[string]struct{ text, want string }{
		"as Envoy encodes it":    {mine.escaped(), "uri"},
		"not encoded":            {mine.pem(), "uri"},
		"CRLF":                   {escape(strings.ReplaceAll(mine.pem(), "\n", "\r\n")), "uri"},
		"spaces for line ends":   {strings.ReplaceAll(mine.pem(), "\n", " "), "uri"},
		"chain":                  {mine.escaped() + issuer.escaped(), "uri"},
		"chain of five":          {mine.escaped() + strings.Repeat(issuer.escaped(), 4), "uri"},
		"chain of six":           {mine.escaped() + strings.Repeat(issuer.escaped(), 5), "invalid"},
		"issuer first":           {issuer.escaped() + mine.escaped(), "invalid"},
		"text before":            {"x" + mine.escaped(), "invalid"},
		"text after":             {mine.escaped() + "x", "invalid"},
		"text between":           {mine.escaped() + "x" + issuer.escaped(), "invalid"},
		"bad percent-encoding":   {mine.escaped() + "%zz", "invalid"},
		"broken block first":     {"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n" + mine.pem(), "invalid"},
		"a key":                  {strings.ReplaceAll(mine.pem(), "CERTIFICATE", "PRIVATE KEY"), "invalid"},
		"a PEM header":           {"-----BEGIN CERTIFICATE-----\nA: b\n\n" + body + "\n-----END CERTIFICATE-----\n", "invalid"},
		"no end":                 {"-----BEGIN CERTIFICATE-----\n" + body, "invalid"},
		"empty block":            {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "invalid"},
		"blank":                  {"%20%0A", "invalid"},
		"junk":                   {"junk", "invalid"},
		"base64 of nothing good": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "invalid"},
		"huge":                   {strings.Repeat("a", 1<<20), "invalid"},
		"encoded twice":          {escape(strings.ReplaceAll(mine.escaped(), "%", "%25")), "invalid"},
	} {
		if got := b.ask(source(tt.text, mobile)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	bad := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	for i := range bad.Raw {
		c := *bad.Certificate
		c.Raw = slices.Clone(bad.Raw)
		c.Raw[i] ^= 0x55
		switch got := b.ask((&signed{Certificate: &c}).shown()); got {
		case "uri", "invalid", "expired": // without a CA file nobody looks at the signature
		default:
			t.Fatalf("byte %d flipped: %s", i, got)
		}
	}
}

// An issuer's key may be of any kind, but a huge one costs too much to verify
// with.
func TestKeysOfAnyKind(t *testing.T) {
	b := setUp(t, clientcert.Config{}, 0)
	root := makeCertificate(t, plan{authority: true}, nil)
	mine := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	for bits, want := range map[uint]string{2048: "uri", 8192: "uri", 8193: "invalid", 30_000: "invalid"} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		key := &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.Add(time.Hour), DNSNames: []string{"app.example.com"}}
		der, err := x509.CreateCertificate(crand.Reader, template, root.Certificate, key, root.key)
		if err != nil {
			t.Fatal(err)
		}
		large := &signed{Certificate: &x509.Certificate{Raw: der}}
		if got := b.ask(source(mine.escaped()+large.escaped(), "")); got != want {
			t.Errorf("an issuer's key of %d bits: %s, want %s", bits, got, want)
		}
		if got := b.ask(large.shown()); got != "dns" {
			t.Errorf("a client's key of %d bits: %s", bits, got)
		}
	}
}

func TestSourcesAgree(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 0)
	mine := makeCertificate(t, plan{uris: []string{mobile}, dns: []string{"app.example.com"}}, nil)
	same := makeCertificate(t, plan{uris: []string{mobile}}, nil)
	const xfcc = "x-forwarded-client-cert: "
	for name, tt := range map[string]struct {
		certificate, principal string
		lines                  []string
		want, from             string
	}{
		"connection alone":          {mine.escaped(), mobile, nil, "uri", ""},
		"Envoy's own element":       {mine.escaped(), mobile, []string{xfcc + "Hash=" + mine.fingerprint()}, "uri", "x-forwarded-client-cert"},
		"all three":                 {mine.escaped(), mobile, []string{xfcc + `Cert="` + mine.escaped() + `"`, "client-cert: " + mine.field()}, "uri", "x-forwarded-client-cert"},
		"field":                     {mine.escaped(), "", []string{"client-cert: " + mine.field()}, "uri", "client-cert"},
		"names are the same":        {mine.escaped(), "", []string{xfcc + "URI=" + mobile}, "uri", "x-forwarded-client-cert"},
		"principal and field":       {"", mobile, []string{"client-cert: " + mine.field()}, "uri", "client-cert"},
		"principal and element":     {"", mobile, []string{xfcc + "Hash=" + mine.fingerprint() + ";URI=" + mobile}, "uri", "x-forwarded-client-cert"},
		"another certificate":       {mine.escaped(), "", []string{"client-cert: " + same.field()}, "invalid", ""},
		"another hash":              {mine.escaped(), "", []string{xfcc + "Hash=" + same.fingerprint() + ";URI=" + mobile}, "invalid", ""},
		"another name":              {mine.escaped(), "", []string{xfcc + "URI=" + otherURI}, "invalid", ""},
		"one name more":             {mine.escaped(), "", []string{xfcc + "URI=" + mobile + ";DNS=x.example.com"}, "invalid", ""},
		"headers differ":            {"", "", []string{xfcc + `Cert="` + same.escaped() + `"`, "client-cert: " + mine.field()}, "invalid", ""},
		"another principal":         {"", unknownURI, []string{"client-cert: " + mine.field()}, "invalid", ""},
		"an unreadable principal":   {"", "?", []string{"client-cert: " + mine.field()}, "invalid", ""},
		"a proxy's own and an XFCC": {same.escaped(), mobile, []string{xfcc + "URI=" + otherURI}, "invalid", ""},
	} {
		req := forwarded(tt.lines...)
		req.Source = access.Peer{Certificate: tt.certificate, Principal: tt.principal}
		proof, err := b.Authenticate(context.Background(), req)
		if got := answer(proof, err); got != tt.want || proof.From != (access.Location{Header: tt.from}) {
			t.Errorf("%s: got %s from %+v (%v), want %s", name, got, proof.From, err, tt.want)
		}
	}
}

func TestProxysOwnCertificate(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader, IgnoreProxyCertificate: true}, 0)
	proxy := makeCertificate(t, plan{uris: []string{otherURI}}, nil)
	for name, tt := range map[string]struct {
		trusted bool
		lines   []string
		want    string
	}{
		"the client's counts":            {true, []string{"x-forwarded-client-cert: URI=" + mobile}, "uri"},
		"the client has none":            {true, nil, "none"},
		"a peer that is no proxy":        {false, nil, "other"},
		"a peer that is none, forwarded": {false, []string{"x-forwarded-client-cert: URI=" + mobile}, "other"},
	} {
		for _, peer := range []access.Peer{{Certificate: proxy.escaped()}, {Principal: otherURI}} {
			req := forwarded(tt.lines...)
			req.Trusted, req.Source = tt.trusted, peer
			if got := b.ask(req); got != tt.want {
				t.Errorf("%s: got %s, want %s", name, got, tt.want)
			}
		}
	}
}

func TestUnknownMayBeIgnored(t *testing.T) {
	root := makeCertificate(t, plan{authority: true}, nil)
	b := setUp(t, clientcert.Config{Headers: everyHeader, Unknown: clientcert.UnknownIgnore, CAFile: caFile(t, root)}, 1<<20)
	signedBy := func(p plan, issuer *signed) *access.Request { return makeCertificate(t, p, issuer).shown() }
	for name, tt := range map[string]struct {
		req  *access.Request
		want string
	}{
		"unknown":                       {signedBy(plan{uris: []string{unknownURI}}, root), "none"},
		"unknown, of another CA":        {signedBy(plan{uris: []string{unknownURI}}, nil), "none"},
		"unknown principal":             {source("", "cluster.local"), "none"},
		"known":                         {signedBy(plan{uris: []string{mobile}}, root), "uri"},
		"known name, not signed for it": {signedBy(plan{uris: []string{mobile}}, nil), "invalid"},
		"known name, ended":             {signedBy(plan{uris: []string{mobile}, from: -2 * time.Hour, to: -time.Hour}, root), "expired"},
		"known name alone":              {source("", mobile), "invalid"},
		"two consumers":                 {signedBy(plan{uris: []string{mobile, otherURI}}, root), "invalid"},
		"disabled":                      {signedBy(plan{dns: []string{"disabled.example.com"}}, root), "invalid"},
		"broken":                        {source("junk", ""), "invalid"},
		"broken header":                 {forwarded("client-cert: junk"), "invalid"},
		"name with NUL":                 {signedBy(plan{uris: []string{unknownURI + "\x00"}}, root), "invalid"},
	} {
		for range 2 {
			if got := b.ask(tt.req); got != tt.want {
				t.Errorf("%s: got %s, want %s", name, got, tt.want)
			}
		}
	}
}

func TestCAFile(t *testing.T) {
	root := makeCertificate(t, plan{authority: true, subject: pkix.Name{CommonName: "root"}}, nil)
	middle := makeCertificate(t, plan{authority: true, subject: pkix.Name{CommonName: "middle"}}, root)
	ended := makeCertificate(t, plan{authority: true, subject: pkix.Name{CommonName: "ended"}, from: -2 * time.Hour, to: -time.Hour}, root)
	later := makeCertificate(t, plan{authority: true, subject: pkix.Name{CommonName: "later"}, from: time.Minute, to: time.Hour}, root)
	stranger := makeCertificate(t, plan{authority: true, subject: pkix.Name{CommonName: "root"}}, nil)
	client := func(issuer *signed, change ...func(*plan)) *signed {
		p := plan{uris: []string{mobile}}
		for _, c := range change {
			c(&p)
		}
		return makeCertificate(t, p, issuer)
	}
	server := func(p *plan) { p.usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	past := func(p *plan) { p.from, p.to = -2*time.Hour, -time.Second }
	notCA := client(root)
	for name, tt := range map[string]struct {
		req  *access.Request
		want string
	}{
		"signed by the root":              {client(root).shown(), "uri"},
		"through one between":             {source(client(middle).escaped()+middle.escaped(), ""), "uri"},
		"without the one between":         {client(middle).shown(), "invalid"},
		"signed by itself":                {client(nil).shown(), "invalid"},
		"a root of the same name":         {client(stranger).shown(), "invalid"},
		"a root that it brings itself":    {source(client(stranger).escaped()+stranger.escaped(), ""), "invalid"},
		"a server's":                      {client(root, server).shown(), "invalid"},
		"ended, and else good":            {client(root, past).shown(), "expired"},
		"ended, and signed by another":    {client(stranger, past).shown(), "invalid"},
		"ended, and a server's":           {client(root, past, server).shown(), "invalid"},
		"one between that has ended":      {source(client(ended).escaped()+ended.escaped(), ""), "invalid"},
		"one between that is to come":     {source(client(later).escaped()+later.escaped(), ""), "invalid"},
		"signed by a client":              {source(client(notCA).escaped()+notCA.escaped(), ""), "invalid"},
		"names on a proxy's word":         {forwarded("x-forwarded-client-cert: URI=" + mobile), "invalid"},
		"field with chain":                {chainOf(client(middle), middle), "uri"},
		"the chain stands somewhere else": {elsewhere(client(middle), middle), "uri"},
	} {
		b := setUp(t, clientcert.Config{Headers: everyHeader, CAFile: caFile(t, stranger2(t), root)}, 0)
		if got := b.ask(tt.req); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// stranger2 is a further root in the file.
func stranger2(t testing.TB) *signed { return makeCertificate(t, plan{authority: true}, nil) }

func chainOf(leaf, issuer *signed) *access.Request {
	return forwarded("client-cert: "+leaf.field(), "client-cert-chain: "+issuer.field())
}

// elsewhere has the certificate in one place and its chain in another.
func elsewhere(leaf, issuer *signed) *access.Request {
	req := forwarded(`x-forwarded-client-cert: Chain="` + leaf.escaped() + issuer.escaped() + `"`)
	req.Source.Certificate = leaf.escaped()
	return req
}

func TestBadConfigurations(t *testing.T) {
	root := makeCertificate(t, plan{authority: true}, nil)
	for name, tt := range map[string]struct {
		config clientcert.Config
		says   string
	}{
		"missing CA file":        {clientcert.Config{CAFile: "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		"CA file is a directory": {clientcert.Config{CAFile: t.TempDir()}, "ca_file"},
		"empty CA file":          {clientcert.Config{CAFile: write(t, "")}, "no certificate"},
		"junk CA file":           {clientcert.Config{CAFile: write(t, "junk")}, "no certificate"},
		"key in CA file":         {clientcert.Config{CAFile: write(t, root.pem()+strings.ReplaceAll(root.pem(), "CERTIFICATE", "PRIVATE KEY"))}, "block 2"},
		"bad certificate":        {clientcert.Config{CAFile: write(t, root.pem()+"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, "certificate 2"},
		"huge CA file":           {clientcert.Config{CAFile: write(t, strings.Repeat("\n", 1<<20+1))}, "1048576 bytes"},
		"unknown header":         {clientcert.Config{Headers: []string{"X-SSL-Cert"}}, "X-SSL-Cert"},
		"the chain's":            {clientcert.Config{Headers: []string{"Client-Cert-Chain"}}, "Client-Cert-Chain"},
		"unknown word":           {clientcert.Config{Unknown: "allow"}, `"allow"`},
	} {
		if _, err := clientcert.New(tt.config, newStore(), nil, "", time.Now); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentityAndChallenge(t *testing.T) {
	b := setUp(t, clientcert.Config{Realm: `the "api" \o`}, 1<<20)
	proof, err := b.Authenticate(context.Background(), makeCertificate(t, plan{uris: []string{mobile}}, nil).shown())
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	if id.Consumer != app || !slices.Equal(id.Scopes, []string{"orders:read"}) || !slices.Equal(id.Roles, app.Roles) || !slices.Equal(id.Groups, app.Groups) || id.Claims != nil {
		t.Errorf("identity %+v", id)
	}
	for _, rejected := range []bool{true, false} {
		if got := b.Challenge(rejected); got != `ClientCertificate realm="the \"api\" \\o"` {
			t.Errorf("challenge %s", got)
		}
	}
	if b.Kind() != access.KindClientCertificate || len(clientcert.Headers()) != 3 {
		t.Error("another kind, or other headers")
	}
}

// A proof ends with the certificate, its issuers and the credential, whichever
// is first, also while it is remembered.
func TestProofEndsInTime(t *testing.T) {
	root := makeCertificate(t, plan{authority: true, from: -time.Hour, to: 30 * time.Second}, nil)
	for name, tt := range map[string]struct {
		plan  plan
		ca    string
		lasts time.Duration
		then  string
	}{
		"certificate":       {plan{uris: []string{mobile}, from: -time.Hour, to: 20 * time.Second}, "", 20 * time.Second, "expired"},
		"credential":        {plan{dns: []string{"ending.example.com"}}, "", 10*time.Second - 1, "expired"},
		"second credential": {plan{uris: []string{mobile}, dns: []string{"ending.example.com"}}, "", 10*time.Second - 1, "expired"},
		"issuer":            {plan{uris: []string{mobile}}, caFile(t, root), 30 * time.Second, "invalid"},
	} {
		b := setUp(t, clientcert.Config{CAFile: tt.ca}, 1<<20)
		req := makeCertificate(t, tt.plan, root).shown()
		first := b.ask(req)
		b.clock.pass(tt.lasts)
		if last := b.ask(req); first != last || last == tt.then {
			t.Errorf("%s: %s at first, %s at last", name, first, last)
		}
		if b.clock.pass(1); b.ask(req) != tt.then {
			t.Errorf("%s: %s after its end", name, b.ask(req))
		}
	}
}

func TestRemembered(t *testing.T) {
	b := setUp(t, clientcert.Config{}, 1<<20)
	mine, nobody := makeCertificate(t, plan{uris: []string{mobile}}, nil).shown(), makeCertificate(t, plan{uris: []string{unknownURI}}, nil).shown()
	later := makeCertificate(t, plan{uris: []string{mobile}, from: time.Second, to: time.Hour}, nil).shown()
	b.store.err = errors.New("store is down")
	for range 2 {
		if got := b.ask(mine); got != "fault" {
			t.Fatalf("got %s", got)
		}
	}
	b.store.err = nil
	for req, want := range map[*access.Request]string{mine: "uri", nobody: "invalid"} {
		if got := b.ask(req); got != want {
			t.Fatalf("got %s, want %s: a fault was remembered", got, want)
		}
		before := b.store.finds.Load()
		for range 3 {
			if got := b.ask(req); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		if finds := b.store.finds.Load() - before; finds != 0 {
			t.Errorf("%s: %d finds of what is remembered", want, finds)
		}
	}
	if got := b.ask(later); got != "invalid" {
		t.Fatalf("got %s", got)
	}
	if b.clock.pass(time.Second); b.ask(later) != "uri" {
		t.Error("what was not valid yet is remembered")
	}
}

// Two authenticators over one cache, as before and after a reload, share no
// answer.
func TestRevisionAndCAFileAreInTheDigest(t *testing.T) {
	b := setUp(t, clientcert.Config{}, 1<<20)
	mine := makeCertificate(t, plan{uris: []string{mobile}}, nil).shown()
	if got := b.ask(mine); got != "uri" {
		t.Fatalf("got %s", got)
	}
	for name, config := range map[string]clientcert.Config{
		"CA file":      {CAFile: caFile(t, makeCertificate(t, plan{authority: true}, nil))},
		"environments": {Environments: []string{"dev"}},
	} {
		a, err := clientcert.New(config, b.store, b.cache, "revision-1", b.clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(a.Authenticate(context.Background(), mine)); got != "invalid" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	a, err := clientcert.New(clientcert.Config{}, &store{}, b.cache, "revision-2", b.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(a.Authenticate(context.Background(), mine)); got != "invalid" {
		t.Errorf("another revision: got %s", got)
	}
}

// With the cache switched off every answer is the same, whatever the order of
// requests and however time passes.
func TestCacheChangesNoAnswer(t *testing.T) {
	root := makeCertificate(t, plan{authority: true, from: -time.Hour, to: 20 * time.Second}, nil)
	config := clientcert.Config{Headers: everyHeader, Environments: []string{"prod"}, CAFile: caFile(t, root, makeCertificate(t, plan{authority: true}, nil))}
	on, off := setUp(t, config, 1<<20), setUp(t, config, 0)
	var requests []*access.Request
	for _, p := range []plan{
		{uris: []string{mobile}}, {uris: []string{otherURI}, from: -time.Hour, to: 10 * time.Second}, {uris: []string{unknownURI}},
		{uris: []string{mobile}, from: 5 * time.Second, to: time.Hour}, {dns: []string{"ending.example.com"}}, {dns: []string{"dev.example.com"}},
		{uris: []string{mobile, otherURI}}, {uris: []string{mobile + "\x00"}}, {dns: []string{"disabled.example.com"}},
	} {
		certificate := makeCertificate(t, p, root)
		requests = append(requests, certificate.shown(), forwarded("client-cert: "+certificate.field()), forwarded("x-forwarded-client-cert: Hash="+certificate.fingerprint()))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 3_000 {
		req := requests[random.IntN(len(requests))]
		proof, err := on.Authenticate(context.Background(), req)
		plain, plainErr := off.Authenticate(context.Background(), req)
		if a, b := answer(proof, err), answer(plain, plainErr); a != b || proof.From != plain.From || fmt.Sprint(err) != fmt.Sprint(plainErr) {
			t.Fatalf("request %d: %s (%v) with the cache, %s (%v) without", i, a, err, b, plainErr)
		}
		step := time.Duration(random.IntN(20)) * time.Millisecond
		on.clock.pass(step)
		off.clock.pass(step)
	}
	if on.store.finds.Load() >= off.store.finds.Load() {
		t.Error("the cache was not used")
	}
}

// Who asks why is told each step, and the answer stays.
func TestExplanation(t *testing.T) {
	b := setUp(t, clientcert.Config{Headers: everyHeader}, 1<<20)
	for name, tt := range map[string]struct {
		req  *access.Request
		says string
	}{
		"proven":  {makeCertificate(t, plan{uris: []string{mobile}}, nil).shown(), "uri:" + mobile},
		"unknown": {source("", "nobody.example.com"), "unknown certificate"},
		"none":    {forwarded(), "no certificate"},
		"broken":  {source("junk", ""), "source.certificate holds"},
	} {
		want := b.ask(tt.req)
		tt.req.Explain = &access.Explanation{}
		if got := b.ask(tt.req); got != want || !strings.Contains(fmt.Sprint(tt.req.Explain.Steps), tt.says) {
			t.Errorf("%s: %s, then %s: %v", name, want, got, tt.req.Explain.Steps)
		}
	}
}
