package certname_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/consumer/certname"
)

const fingerprint = "2b00042f7481c7b056c4b410d28f33cf2b00042f7481c7b056c4b410d28f33cf"

func TestNames(t *testing.T) {
	colons := strings.ToUpper(fingerprint[:2])
	for i := 2; i < len(fingerprint); i += 2 {
		colons += ":" + strings.ToUpper(fingerprint[i:i+2])
	}
	for _, tt := range []struct {
		name string
		form func(string) (string, error)
		text string
		want string // empty: refused
	}{
		{"SPIFFE ID", certname.URI, "spiffe://example.com/mobile", "uri:spiffe://example.com/mobile"},
		{"URN", certname.URI, "urn:uuid:1", "uri:urn:uuid:1"},
		{"case is kept", certname.URI, "spiffe://example.com/Mobile", "uri:spiffe://example.com/Mobile"},
		{"URI without scheme", certname.URI, "example.com/mobile", ""},
		{"URI with a bad scheme", certname.URI, "1a://x", ""},
		{"URI of a scheme alone", certname.URI, "spiffe:", ""},
		{"URI with NUL", certname.URI, "spiffe://example.com/mobile\x00.evil", ""},
		{"URI with a space", certname.URI, "spiffe://example.com/a b", ""},
		{"URI beyond ASCII", certname.URI, "spiffe://example.com/é", ""},
		{"long URI", certname.URI, "spiffe://" + strings.Repeat("a", 2048), ""},
		{"empty URI", certname.URI, "", ""},
		{"DNS name", certname.DNS, "App.Example.COM", "dns:app.example.com"},
		{"one label", certname.DNS, "my_app", "dns:my_app"},
		{"wildcard", certname.DNS, "*.example.com", "dns:*.example.com"},
		{"DNS name with NUL", certname.DNS, "app.example.com\x00.evil.test", ""},
		{"final dot", certname.DNS, "app.example.com.", ""},
		{"star within", certname.DNS, "a.*.com", ""},
		{"URI as DNS name", certname.DNS, "spiffe://example.com/mobile", ""},
		{"subject as DNS name", certname.DNS, "CN=app", ""},
		{"long label", certname.DNS, strings.Repeat("a", 64) + ".test", ""},
		{"empty DNS name", certname.DNS, "", ""},
		{"fingerprint", certname.Fingerprint, fingerprint, "sha256:" + fingerprint},
		{"fingerprint as openssl writes it", certname.Fingerprint, colons, "sha256:" + fingerprint},
		{"short fingerprint", certname.Fingerprint, fingerprint[2:], ""},
		{"fingerprint of other digits", certname.Fingerprint, "g" + fingerprint[1:], ""},
		{"fingerprint in part with colons", certname.Fingerprint, colons[:94] + ":", ""},
	} {
		got, err := tt.form(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
	}
}

func TestSubject(t *testing.T) {
	const want = "subject:CN=app,OU=mobile,O=Example\\, Inc.,C=KR"
	for name, tt := range map[string]struct{ text, want string }{
		"plain":                     {`CN=app,OU=mobile,O=Example\, Inc.,C=KR`, want},
		"spaces at separators":      {`CN = app, OU = mobile , O=Example\, Inc., C=KR`, want},
		"types in lower case":       {`cn=app,ou=mobile,o=Example\, Inc.,c=KR`, want},
		"types as numbers":          {`2.5.4.3=app,OID.2.5.4.11=mobile,O=Example\, Inc.,C=KR`, want},
		"semicolons":                {`CN=app;OU=mobile;O=Example\, Inc.;C=KR`, want},
		"escapes as bytes":          {`CN=\61pp,OU=mobile,O=Example\2C Inc.,C=KR`, want},
		"values as DER":             {`CN=#0c03617070,OU=#1306` + "6d6f62696c65" + `,O=Example\, Inc.,C=KR`, want},
		"another order":             {`C=KR,O=Example\, Inc.,OU=mobile,CN=app`, `subject:C=KR,O=Example\, Inc.,OU=mobile,CN=app`},
		"other case of a value":     {`CN=App`, `subject:CN=App`},
		"UTF-8 and BoringSSL's":     {`CN=caf\C3\A9`, `subject:CN=café`},
		"UTF-8 raw":                 {`CN=café`, `subject:CN=café`},
		"several in one part":       {`UID=7+CN=app,O=x`, `subject:CN=app+UID=7,O=x`},
		"the same, other order":     {`CN=app + UID=7,O=x`, `subject:CN=app+UID=7,O=x`},
		"email":                     {`emailAddress=a@b.test,CN=app`, `subject:EMAILADDRESS=a@b.test,CN=app`},
		"email as number":           {`1.2.840.113549.1.9.1=#1608` + "6140622e74657374" + `,CN=app`, `subject:EMAILADDRESS=a@b.test,CN=app`},
		"a type that has no name":   {`1.2.3.4=x`, `subject:1.2.3.4=x`},
		"a value that is no text":   {`1.2.3.4=#020101`, `subject:1.2.3.4=#020101`},
		"a text like that":          {`1.2.3.4=\#020101`, `subject:1.2.3.4=\#020101`},
		"quotes and backslashes":    {`CN=a\"b\\c`, `subject:CN=a\"b\\c`},
		"spaces at the edges":       {`CN=\ app\ ,O=x`, `subject:CN=\ app\ ,O=x`},
		"equals sign":               {`CN=a=b`, `subject:CN=a=b`},
		"escaped equals sign":       {`CN=a\=b`, `subject:CN=a=b`},
		"empty":                     {``, ``},
		"no type":                   {`app`, ``},
		"unknown type":              {`FOO=app`, ``},
		"number with zeros":         {`2.5.4.03=app`, ``},
		"openssl's old form":        {`/C=KR/CN=app`, ``},
		"separator at the end":      {`CN=app,`, ``},
		"separator at the front":    {`,CN=app`, ``},
		"two separators":            {`CN=app,,O=x`, ``},
		"no value":                  {`CN=,O=x`, ``},
		"raw quote":                 {`CN="app"`, ``},
		"backslash at the end":      {`CN=app\`, ``},
		"backslash before a letter": {`CN=\zapp`, ``},
		"NUL":                       {`CN=app\00`, ``},
		"control":                   {"CN=app\x01", ``},
		"no UTF-8":                  {`CN=\FF`, ``},
		"direction of text":         {"CN=app\u202e", ``},
		"odd digits":                {`CN=#0c0`, ``},
		"two values in digits":      {`CN=#0c01610c0161`, ``},
		"too long":                  {"CN=" + strings.Repeat("a", 4096), ``},
		"too many attributes":       {strings.Repeat("CN=a,", 64) + "CN=a", ``},
	} {
		got, err := certname.Subject(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

func der(t testing.TB, name pkix.RDNSequence) []byte {
	t.Helper()
	b, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func oid(arcs ...int) asn1.ObjectIdentifier { return arcs }

// One name, as Go, OpenSSL and Envoy write it and as a certificate holds it,
// has one reference.
func TestSubjectOfACertificate(t *testing.T) {
	sequence := pkix.RDNSequence{
		{{Type: oid(2, 5, 4, 6), Value: "KR"}},
		{{Type: oid(2, 5, 4, 10), Value: "Example, Inc."}},
		{{Type: oid(2, 5, 4, 3), Value: "café"}, {Type: oid(0, 9, 2342, 19200300, 100, 1, 1), Value: "7"}},
		{{Type: oid(1, 2, 840, 113549, 1, 9, 1), Value: "a@b.test"}},
	}
	const want = `subject:EMAILADDRESS=a@b.test,CN=café+UID=7,O=Example\, Inc.,C=KR`
	got, err := certname.SubjectDER(der(t, sequence))
	if err != nil || got != want {
		t.Fatalf("got %q, %v", got, err)
	}
	for _, text := range []string{
		sequence.String(), // Go
		`emailAddress=a@b.test,UID=7+CN=caf\C3\A9,O=Example\, Inc.,C=KR`, // Envoy, openssl -nameopt RFC2253
		strings.TrimPrefix(want, "subject:"),
	} {
		if same, err := certname.Subject(text); err != nil || same != want {
			t.Errorf("%q: got %q, %v", text, same, err)
		}
	}
	if got, err := certname.SubjectDER(der(t, nil)); err != nil || got != "" {
		t.Errorf("the empty name: %q, %v", got, err)
	}
	for name, bad := range map[string][]byte{
		"no DER":     []byte("CN=app"),
		"nothing":    nil,
		"more":       append(der(t, sequence), 0),
		"NUL":        der(t, pkix.RDNSequence{{{Type: oid(2, 5, 4, 3), Value: "app\x00evil"}}}),
		"too long":   der(t, pkix.RDNSequence{{{Type: oid(2, 5, 4, 3), Value: strings.Repeat("a", 9000)}}}),
		"empty part": {0x30, 0x02, 0x31, 0x00},
	} {
		if got, err := certname.SubjectDER(bad); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, err := certname.SubjectDER(der(t, pkix.RDNSequence{{{Type: oid(2, 5, 4, 3), Value: "a\nb"}}})); !errors.Is(err, certname.ErrUnprintable) {
		t.Errorf("a control: %v", err)
	}
	number := der(t, pkix.RDNSequence{{{Type: oid(2, 5, 4, 3), Value: big.NewInt(1)}}})
	if got, err := certname.SubjectDER(number); err != nil || got != "subject:CN=#020101" {
		t.Errorf("a number: %q, %v", got, err)
	}
}

// A reference read again is the same reference, so that a record may hold it.
func FuzzSubject(f *testing.F) {
	for _, seed := range []string{`CN=app,O=Example\, Inc.`, `UID=7+CN=\C3\A9,1.2.3=#020101`, `CN=\#x\ `, `CN = a ;O=b`, `2.5.4.3=#0c03617070`, `1.0=#0C00`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reference, err := certname.Subject(text)
		if err != nil {
			return
		}
		again, err := certname.Subject(strings.TrimPrefix(reference, "subject:"))
		if len(reference) < 4096 && (err != nil || again != reference) {
			t.Fatalf("%q: %q, then %q, %v", text, reference, again, err)
		}
	})
}

func FuzzSubjectDER(f *testing.F) {
	f.Add(der(f, pkix.RDNSequence{{{Type: oid(2, 5, 4, 3), Value: " app#"}}, {{Type: oid(1, 2, 3), Value: 1}}}))
	f.Add([]byte{0x30, 0x02, 0x31, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		reference, err := certname.SubjectDER(der)
		if err != nil || reference == "" || len(reference) >= 4096 || strings.Contains(reference, "=,") || strings.Contains(reference, "=+") || strings.HasSuffix(reference, "=") {
			return // an attribute without a value can't be declared
		}
		again, err := certname.Subject(strings.TrimPrefix(reference, "subject:"))
		if err != nil || again != reference {
			t.Fatalf("%x: %q, then %q, %v", der, reference, again, err)
		}
	})
}
