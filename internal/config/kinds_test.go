package config_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
)

// privatePEM is a new key as it stands in a file.
func privatePEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// kinds is a configuration with every key of the further kinds, in a folder
// with all that it refers to.
const kinds = `
consumers: {environments: [prod]}
authentication:
  forward: [jwt, introspection]
  basic: {realm: The API, workers: 3, queue: 5, wait: 1s}
  signature: {clock_skew: 1m, dialects: [apisix, kong], required_headers: [Host], dangerously_repeatable: [kong], dangerously_unsigned_target: true, dangerously_unsigned_body: true}
  client_certificate: {headers: [Client-Cert], ca_file: ca.pem, unknown: ignore, ignore_proxy_certificate: true}
  jwt: {leeway: 10s}
  introspection:
    name: keycloak
    url: http://keycloak:8080/introspect
    dangerously_ask_over_plain_http: true
    client_id: postern
    client_secret: file:secret
    client_auth: client_secret_post
    token_type_hint: refresh_token
    timeout: 1s
    in: [{header: X-Token}]
    audiences: [orders]
    token_types: [Bearer, Offline]
    takes_jwt: true
    consumer_claim: azp
    unknown_consumer: ephemeral
    roles: [r]
    groups: [g]
    scopes: [s]
    ttl: 30s
identity:
  client_id_header: X-Client-ID
  assertion: {header: X-Identity, key: file:signing.pem, ttl: 30s, audience: upstream, issuer: us, previous_keys: [file:old.pem]}
`

func kindsFolder(t *testing.T) string {
	t.Helper()
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{
		"postern.yaml": kinds, "secret": "canary\n", "ca.pem": "authorities",
		"signing.pem": privatePEM(t, elliptical), "old.pem": privatePEM(t, edwards),
	} {
		write(t, filepath.Join(folder, name), text)
	}
	return folder
}

func TestEveryKeyOfTheFurtherKindsIsHonoured(t *testing.T) {
	folder := kindsFolder(t)
	got, err := loadPath(filepath.Join(folder, "postern.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	prod := []string{"prod"}
	want := config.Authentication{
		Order:           []access.Kind{access.KindAPIKey, access.KindSignature, access.KindJWT, access.KindBasic, access.KindClientCertificate, access.KindIntrospection},
		HideCredentials: true,
		Forward:         []access.Kind{access.KindJWT, access.KindIntrospection},
		APIKey:          got.Authentication.APIKey,
		JWT:             got.Authentication.JWT,
		Basic:           config.Basic{Realm: "The API", Verifier: basic.VerifierConfig{Workers: 3, Queue: 5, Wait: time.Second, Burst: 2 * time.Second}},
		Signature: signature.Config{
			Dialects: []signature.Dialect{signature.APISIX, signature.Kong}, Realm: "api", ClockSkew: time.Minute, RequiredHeaders: []string{"Host"},
			DangerouslyRepeatable: []signature.Dialect{signature.Kong}, DangerouslyUnsignedTarget: true, DangerouslyUnsignedBody: true, Environments: prod,
		},
		ClientCertificate: clientcert.Config{
			Headers: []string{"Client-Cert"}, CAFile: filepath.Join(folder, "ca.pem"), Unknown: clientcert.UnknownIgnore,
			IgnoreProxyCertificate: true, Realm: "api", Environments: prod,
		},
		Introspection: &config.Introspection{
			Server: introspect.ServerConfig{
				Name: "keycloak", URL: "http://keycloak:8080/introspect", ClientID: "postern", ClientSecret: access.NewSecret("canary"),
				ClientAuth: introspect.PostAuth, TokenTypeHint: "refresh_token", Timeout: time.Second,
			},
			Answer: introspect.Config{
				In: []introspect.Location{{Header: "X-Token"}}, Realm: "api", SkipKeyForm: true, TakesJWT: true,
				Audiences: []string{"orders"}, TokenTypes: []string{"Bearer", "Offline"}, ConsumerClaim: "azp",
				UnknownConsumer: introspect.UnknownEphemeral, Roles: []string{"r"}, Groups: []string{"g"}, Scopes: []string{"s"},
				Leeway: 10 * time.Second, TTL: 30 * time.Second, Environments: prod,
			},
		},
	}
	opts := cmp.Options{cmp.Comparer(func(a, b access.Secret) bool { return a.Equal(b.Reveal()) }), cmpopts.IgnoreFields(basic.VerifierConfig{}, "Verify")}
	if diff := cmp.Diff(want, got.Authentication, opts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	a := got.Assertion
	if a.Header != "X-Identity" || a.Config.TTL != 30*time.Second || a.Config.Audience != "upstream" || a.Config.Issuer != "us" || len(a.Config.PreviousKeys) != 1 {
		t.Errorf("assertion: %+v", a)
	}
	if err := a.Config.Check(); err != nil {
		t.Error(err)
	}
	if !manages(got, "X-Client-ID") || !manages(got, "X-Consumer-Username") {
		t.Errorf("managed headers: %v", got.Identity)
	}
	second, err := config.Load("", nil)
	if err != nil || manages(second, "X-Client-ID") {
		t.Errorf("one configuration's header is in another's: %v", err)
	}
}

// Whatever a configuration depends on is watched, and another content is
// another revision.
func TestFilesOfTheFurtherKindsArePartOfTheRevision(t *testing.T) {
	folder := kindsFolder(t)
	path := filepath.Join(folder, "postern.yaml")
	first, err := loadPath(path)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, older, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	revision := first.Revision
	for name, text := range map[string]string{"secret": "other", "ca.pem": "others", "signing.pem": privatePEM(t, other), "old.pem": privatePEM(t, older)} {
		if !slices.Contains(first.Files, filepath.Join(folder, name)) {
			t.Errorf("%s is not watched: %q", name, first.Files)
		}
		write(t, filepath.Join(folder, name), text)
		next, err := loadPath(path)
		if err != nil || next.Revision == revision {
			t.Fatalf("%s: %v, or the same revision", name, err)
		}
		revision = next.Revision
	}
}

func TestIntrospectionsDefaults(t *testing.T) {
	got, _, err := load(t, "authentication: {introspection: {name: a, issuer: 'https://id.example', client_id: c, client_secret: env:COLLECTOR}}")
	if err != nil {
		t.Fatal(err)
	}
	want := introspect.Config{
		In: []introspect.Location{{Header: "Authorization", Scheme: "Bearer"}}, Realm: "api", SkipKeyForm: true,
		ConsumerClaim: "client_id", UnknownConsumer: "deny", Scopes: []string{"scope"}, Leeway: 30 * time.Second,
	}
	if diff := cmp.Diff(want, got.Authentication.Introspection.Answer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s := got.Authentication.Introspection.Server; s.Issuer != "https://id.example" || s.ClientAuth != introspect.BasicAuth || s.Timeout != 0 {
		t.Errorf("server: %+v", s)
	}
	if kinds := got.Default.Authenticate.Kinds; kinds[len(kinds)-1] != access.KindIntrospection {
		t.Errorf("believed by default: %v", kinds)
	}
	if got, _, err = load(t, "authentication: {order: [api_key], introspection: {name: a, issuer: 'http://localhost', client_id: c, client_secret: env:COLLECTOR}}"); err != nil || len(got.Authentication.Order) != 1 {
		t.Errorf("an order that is written stands: %v, %v", got, err)
	}
}

// TestFurtherKindsRefused has one fault a file, as TestRefused has.
func TestFurtherKindsRefused(t *testing.T) {
	auth := func(text string) string { return "authentication: {" + text + "}" }
	server := func(text string) string {
		return "authentication: {introspection: {name: a, client_id: c, client_secret: env:COLLECTOR, " + text + "}}"
	}
	const (
		at     = ":1: authentication."
		asked  = at + "introspection."
		signed = ":1: identity.assertion."
	)
	tests := []struct{ name, yaml, want string }{
		{"realm", auth(`basic: {realm: ""}`), at + "basic.realm: expected 1 to 128 characters of ASCII"},
		{"realm with a line", auth(`basic: {realm: "a\nb"}`), at + "basic.realm: expected 1 to 128 characters of ASCII"},
		{"workers, queue and wait", auth("basic: {workers: 0, queue: 70000, wait: 0s}"), at + "basic.workers: expected 1 to 1024\n" + at + "basic.queue: expected 1 to 65536\n" + at + "basic.wait: expected 1ms to 10s"},
		{"workers as text", auth("basic: {workers: many}"), at + "basic.workers: expected a whole number, found a string"},

		{"skew", auth("signature: {clock_skew: 16m}"), at + "signature.clock_skew: expected 1s to 15m0s"},
		{"no skew", auth("signature: {clock_skew: 0s}"), at + "signature.clock_skew: expected 1s to 15m0s"},
		{"dialect", auth("signature: {dialects: [aws]}"), at + "signature.dialects[0]: expected plain or apisix or kong"},
		{"no dialect", auth("signature: {dialects: []}"), at + "signature.dialects: is empty; expected at least one, or no key"},
		{"dialect twice", auth("signature: {dialects: [kong, kong]}"), at + "signature.dialects[1]: the dialect kong stands here twice"},
		{"repeatable nonce", auth("signature: {dangerously_repeatable: [plain]}"), at + "signature.dangerously_repeatable[0]: a request of the dialect plain has a nonce and is never repeatable"},
		{"required header", auth("signature: {required_headers: ['X Y']}"), at + "signature.required_headers[0]: expected a header's name"},
		{"required header that is ours", auth("signature: {required_headers: [X-Consumer-Username]}"), at + "signature.required_headers[0]: the header x-consumer-username tells the upstream of the consumer; what a client sends in it is never read"},
		{"a signature's header as a key's", auth("api_key: {in: [{header: X-Signature}]}"), at + "api_key.in[0]: is a place of the kind signature"},
		{"a signature's scheme as a token's", auth("jwt: {in: [{header: Authorization, scheme: hmac}]}"), at + "jwt.in[0]: is a place of the kind signature"},
		{"a password's scheme as a key's", auth("api_key: {in: [{header: Authorization, scheme: BASIC}]}"), at + "api_key.in[0]: is a place of the kind basic"},
		{"a signature's header as identity", "identity: {headers: {X-Nonce: consumer.name}}", at + "signature.dialects: the header x-nonce tells the upstream of the consumer; what a client sends in it is never read"},

		{"certificate's header", auth("client_certificate: {headers: [SSL-Client-Cert]}"), at + "client_certificate.headers[0]: expected Client-Cert or X-Forwarded-Client-Cert"},
		{"no certificate's header", auth("client_certificate: {headers: []}"), at + "client_certificate.headers: is empty; expected at least one, or no key"},
		{"unknown certificate", auth("client_certificate: {unknown: allow}"), at + "client_certificate.unknown: expected reject or ignore"},
		{"no authorities", auth("client_certificate: {ca_file: none.pem}"), at + "client_certificate.ca_file: can't be read: no such file or directory"},
		{"empty authorities", auth("client_certificate: {ca_file: ''}"), at + "client_certificate.ca_file: expected a path"},
		{"certificate as identity", "identity: {headers: {Client-Cert: consumer.name}}", ":1: identity.headers.Client-Cert: has a meaning of its own and can't be managed"},

		{"forwarded twice", auth("forward: [jwt, jwt]"), at + "forward[1]: the kind jwt stands here twice"},
		{"forwarded and not believed", auth("order: [api_key], forward: [jwt]"), at + "forward[0]: the kind jwt is not in authentication.order"},
		{"forwarded where all are", auth("hide_credentials: false, forward: [jwt]"), at + "forward: says nothing where hide_credentials is false: every credential is forwarded"},

		{"introspection without all", auth("introspection: {}"), at + `introspection: lacks the key "client_id"` + "\n" + at + `introspection: lacks the key "client_secret"` + "\n" + at + `introspection: lacks the key "name"`},
		{"no server", server("ttl: 1s"), at + "introspection: expected url or issuer: where tokens are asked about"},
		{"two servers", server("url: 'https://a', issuer: 'https://a'"), asked + "issuer: expected one of url and issuer"},
		{"plain HTTP", server("url: 'http://keycloak/introspect'"), asked + "url: sends tokens and the client's secret over plain HTTP, where anybody in between can read them and answer; expected https, or dangerously_ask_over_plain_http: true beside it"},
		{"plain HTTP to an issuer", server("issuer: 'http://keycloak'"), asked + "issuer: sends tokens and the client's secret over plain HTTP, where anybody in between can read them and answer; expected https, or dangerously_ask_over_plain_http: true beside it"},
		{"no URL", server("url: canary"), asked + "url: expected an https or http URL, without user and fragment"},
		{"server's name", auth("introspection: {name: 'a b', url: 'https://a', client_id: c, client_secret: env:COLLECTOR}"), asked + "name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"an issuer's name", auth("introspection: {name: a, url: 'https://a', client_id: c, client_secret: env:COLLECTOR},\njwt: {issuers: [{name: a, issuer: i, audiences: [x], jwks_file: f}]}"), asked + "name: is the name of the issuer on line 2 too"},
		{"a secret in the file", auth("introspection: {name: a, url: 'https://a', client_id: c, client_secret: canary}"), asked + "client_secret: expected env:NAME or file:PATH, where the secret is"},
		{"an unset secret", auth("introspection: {name: a, url: 'https://a', client_id: c, client_secret: env:CANARY}"), asked + "client_secret: the environment variable that it refers to is not set"},
		{"client_auth", server("url: 'https://a', client_auth: private_key_jwt"), asked + "client_auth: expected client_secret_basic or client_secret_post"},
		{"timeout and ttl", server("url: 'https://a', timeout: 0s, ttl: 25h"), asked + "timeout: expected 1ms to 10s\n" + asked + "ttl: expected 1s to 24h0m0s"},
		{"hint", server("url: 'https://a', token_type_hint: ''"), asked + "token_type_hint: expected a word such as access_token or refresh_token"},
		{"nowhere", server("url: 'https://a', in: []"), asked + "in: expected at least one place; to believe no credential of this kind, leave it out of authentication.order"},
		{"a key's header", server("url: 'https://a', in: [{header: X-API-Key}]"), asked + "in[0]: is a place of API keys too; only the scheme Bearer can be both"},
		{"an identity's header", server("url: 'https://a', in: [{header: X-Consumer-ID}]"), asked + "in[0]: the header x-consumer-id tells the upstream of the consumer; what a client sends in it is never read"},
		{"no audience", server("url: 'https://a', audiences: []"), asked + "audiences: is empty; expected at least one, or no key"},
		{"unknown consumer", server("url: 'https://a', unknown_consumer: allow"), asked + "unknown_consumer: expected deny or ephemeral"},
		{"order without a server", auth("order: [introspection]"), at + "order: believes introspection, but authentication.introspection names no server"},

		{"client's header", "identity: {client_id_header: 'X Y'}", ":1: identity.client_id_header: expected a header's name"},
		{"client's header that means more", "identity: {client_id_header: Host}", ":1: identity.client_id_header: has a meaning of its own and can't be managed"},
		{"client's header that is managed", "identity: {client_id_header: x_consumer_id}", ":1: identity.client_id_header: tells the upstream of something else already"},
		{"client's header that holds keys", "identity: {client_id_header: X_API_Key}", at + "api_key.in[0]: the header x-api-key tells the upstream of the consumer; what a client sends in it is never read\n" + at + "signature.dialects: the header x-api-key tells the upstream of the consumer; what a client sends in it is never read"},

		{"assertion without a key", "identity: {assertion: {}}", ":1: identity.assertion: lacks the key \"key\""},
		{"a key in the file", "identity: {assertion: {key: canary}}", signed + "key: expected env:NAME or file:PATH, where the secret is"},
		{"a key that is none", "identity: {assertion: {key: env:BAD, ttl: 1s, previous_keys: [env:BAD]}}", signed + "ttl: expected 2s to 15m0s\n" + signed + "key: expected a private key in PEM (PKCS #8, BEGIN PRIVATE KEY), EC P-256 or Ed25519, got no PEM\n" + signed + "previous_keys[0]: expected a private key in PEM (PKCS #8, BEGIN PRIVATE KEY), EC P-256 or Ed25519, got no PEM"},
		{"no such key", "identity: {assertion: {key: file:none.pem}}", signed + "key: the file that it refers to can't be read: no such file or directory"},
		{"empty issuer and audience", "identity: {assertion: {key: env:SIGNING, issuer: '', audience: ''}}", signed + "issuer: expected a text without control characters\n" + signed + "audience: expected a text without control characters"},
		{"header", "identity: {assertion: {key: env:SIGNING, header: 'X Y'}}", signed + "header: expected a header's name"},
		{"header of two readings", "identity: {assertion: {key: env:SIGNING, header: X_Identity}}", signed + "header: expected a header's name without '_' and '.', which programs read in two ways"},
		{"header of ours", "identity: {assertion: {key: env:SIGNING, header: X-Postern-Code}}", signed + "header: has a meaning of its own and can't be managed"},
		{"header of the gateway's", "identity: {assertion: {key: env:SIGNING, header: Authorization}}", signed + "header: has a meaning of its own and can't be managed"},
		{"header that is managed", "identity: {client_id_header: X-Who, assertion: {key: env:SIGNING, header: x-who}}", signed + "header: tells the upstream of something else already"},
		{"header that holds tokens", "identity: {assertion: {key: env:SIGNING, header: X-Token}}\nauthentication: {jwt: {in: [{header: X-Token}]}}", ":2: authentication.jwt.in[0]: the header x-token tells the upstream of the consumer; what a client sends in it is never read"},
		{"many keys", "identity: {assertion: {key: env:SIGNING, previous_keys: [" + strings.Repeat("env:SIGNING,", 9) + "]}}", signed + "previous_keys: expected at most 8 keys"},
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signing := privatePEM(t, key)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "postern.yaml")
			write(t, path, tt.yaml)
			c, err := config.Load(path, func(name string) (string, bool) {
				if name == "SIGNING" {
					return signing, true
				}
				return env(name)
			})
			if c != nil || err == nil {
				t.Fatalf("got %+v, %v", c, err)
			}
			got := strings.ReplaceAll(err.Error(), path, "")
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if strings.Contains(strings.ToLower(got), "canary") {
				t.Error("a value that may be a secret is told")
			}
		})
	}
}
