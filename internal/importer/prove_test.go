package importer_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/credential/apikey"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/bearer"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/importer"
)

// held are the keys, passwords and secrets that clients hold, by the
// credential's id: as they are in the documents, never as the plan has them.
var held = map[string]string{
	"shop_mobile-key-auth":         "s3cr3t-mobile-key-0123456789abcdef",
	"shop_backoffice-basic-auth":   "s3cr3t-backoffice-password",
	"shop_kiosk-key-auth":          "s3cr3t-kiosk-key-0123456789abcdefg",
	"shop_reports-jwt-auth":        "s3cr3t-of-more-than-thirty-two-bytes",
	"shop_importer-jwt-auth":       "s3cr3t-of-sixty-four-bytes-at-least-for-the-hash-of-the-algorithm",
	"shop_signer-hmac-auth":        "s3cr3t-signing-key-of-32-bytes-or-more",
	"shop_oldsigner-hmac-auth":     "s3cr3t-old-signing-key-of-32-bytes-and-more",
	"default_two-basic-auth":       "s3cr3t-two-password",
	"edge_alice-primary":           "s3cr3t-alice-key-0123456789abcdef0",
	"edge_alice-spare":             "s3cr3t-alice-spare-key-0123456789",
	"edge_alice-login":             "s3cr3t-alice-password",
	"edge_alice-signed":            "s3cr3t-alice-signing-secret-of-32-bytes",
	"jack-key-auth":                "s3cr3t-jack-key-0123456789abcdef01",
	"jack-spare":                   "s3cr3t-jack-spare-key-0123456789",
	"jill-basic-auth":              "s3cr3t-jill-password",
	"jwt_hs-jwt-auth":              "s3cr3t-from-the-environment-of-32-bytes",
	"signer-hmac-auth":             "s3cr3t-apisix-signing-secret-32-bytes",
	"vaulted-key-auth":             "s3cr3t-vaulted-key-0123456789abcdef",
	"off-hashed":                   "s3cr3t-hashed-password",
	"ana-key-1":                    "s3cr3t-ana-key-0123456789abcdef012",
	"ana-sig":                      "s3cr3t-ana-signing-secret-of-32-bytes",
	"json-one-key-auth":            "s3cr3t-json-key-0123456789abcdef012",
	"json-two--3e73187a-jwt-auth":  "s3cr3t-json-secret-of-thirty-two-bytes",
	"JSON-ONE-ddddcce7-basic-auth": "s3cr3t-json-password",
	"dora-main":                    "s3cr3t-dora-key-0123456789abcdef01",
	"dora-token":                   "s3cr3t-dora-secret-of-thirty-two-bytes",
	"dora-signed":                  "s3cr3t-dora-signing-secret-of-32-bytes",
	"acme-key":                     "s3cr3t-acme-key-0123456789abcdef01",
	"globex-key":                   "s3cr3t-globex-key-0123456789abcdef",
	"odd-example.com-406dfb36-legacy-key-b6622cef": "s3cr3t-odd-key-0123456789abcdef0123",
	"6f0c1e6a-3f43-4a55-9d9e-5d5f3b0f7a01":         "s3cr3t-bob-key-0123456789abcdef012",
	"bob-keyauth-b039":                             "s3cr3t-bob-temporary-key-01234567",
	"bob-jwt-bob-issuer":                           "s3cr3t-bob-jwt-secret-of-32-bytes-or-so",
	"bob-basicauth-bob":                            "s3cr3t-kong-password",
	"bob-hmacauth-bob-signer":                      "s3cr3t-bob-signing-secret-of-32-bytes",
	"4712-keyauth-84c2":                            "s3cr3t-custom-key-0123456789abcde",
	"carol-basicauth-carol":                        "s3cr3t-carol-password",
	"dave-keyauth-ecbc":                            "s3cr3t-dave-key-0123456789abcdef01",
	"anon-keyauth-0570":                            "s3cr3t-anon-key-0123456789abcdef01",
	"service_role-basicauth-dashboard":             "s3cr3t-dashboard-password",
	"mobile-key":                                   "demo-mobile-key-0123456789abcdefghijklmnopqrstuv",
	"mobile-jwt":                                   "demo-secret-of-at-least-thirty-two-bytes!",
	"mobile-basic":                                 "demo-password",
	"mobile-sig":                                   "demo-signing-secret-of-thirty-two-b!",
	"ops-key":                                      "demo-ops-key-0123456789abcdefghijklmnopqrstuvwxyz",
	"retired-key":                                  "demo-retired-key-0123456789abcdefghijklmnopqrst",
	"batch-key":                                    "s3cr3t-batch-key-0123456789abcdef0",
}

// demoAcmeKey is that of the demo's acme-key, whose file has its digest alone.
const demoAcmeKey = "demo-acme-key-0123456789abcdefghijklmnopqrstuvwx"

// refusedHere are credentials that come over and are disabled.
var refusedHere = map[string]bool{"retired-key": true, "batch-cert": true}

// TestEveryCredentialProves imports each document into a real store and proves
// each credential with the authenticator of its kind, by a request that a
// client of the gateway sends: signed in that gateway's dialect.
func TestEveryCredentialProves(t *testing.T) {
	for path, format := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			store := openStore(t)
			plan := read(t, format, path)
			apply(t, store, plan)
			doors := authenticators(t, store)
			for _, c := range plan.Consumers {
				for i := range c.Credentials {
					credential := &c.Credentials[i]
					t.Run(credential.ID, func(t *testing.T) {
						proves(t, doors[credential.Kind], client(t, format, path, credential), c.Consumer.Name, credential.ID)
					})
				}
			}
		})
	}
}

func proves(t *testing.T, door gate.Authenticator, req *access.Request, owner, id string) {
	t.Helper()
	proof, err := door.Authenticate(t.Context(), req)
	if refusedHere[id] {
		var rejected *access.Rejection
		if !errors.As(err, &rejected) {
			t.Fatalf("a disabled credential is answered with %v", err)
		}
		return
	}
	if err != nil {
		var rejected *access.Rejection
		if errors.As(err, &rejected) {
			t.Fatal(rejected.Detail)
		}
		t.Fatal(err)
	}
	if got := proof.Identity; got.Consumer.Name != owner || got.Credential.ID != id {
		t.Errorf("proves %s of %s", got.Credential.ID, got.Consumer.Name)
	}
}

func authenticators(t *testing.T, store consumer.Store) map[access.Kind]gate.Authenticator {
	t.Helper()
	memory, err := cache.New(cache.Options[*access.Identity]{
		MaxMemory: 1 << 20, MaxNegatives: 1000, TTL: time.Minute, NegativeTTL: time.Second, Now: clock,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(memory.Close)
	verifier, err := basic.NewVerifier(basic.VerifierConfig{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := clientcert.New(clientcert.Config{}, store, memory, "1", clock)
	if err != nil {
		t.Fatal(err)
	}
	jwtKind := bearer.New(bearer.Config{In: []bearer.Location{{Header: "Authorization", Scheme: "Bearer"}}}, issuers(t), store, memory, "1", clock)
	return map[access.Kind]gate.Authenticator{
		access.KindAPIKey:            apikey.New(apikey.Config{In: []apikey.Location{{Header: "X-API-Key"}}}, store, memory, "1", clock),
		access.KindBasic:             basic.New(basic.Config{}, verifier, store, memory, "1", clock),
		access.KindSignature:         signature.New(signature.Config{}, store, signature.NewMemory(1000, clock), clock),
		access.KindClientCertificate: certificates,
		access.KindJWT:               jwtKind,
		access.KindIssuer:            jwtKind,
	}
}

// issuers are shop, whose key is that of testdata.
func issuers(t *testing.T) *bearer.Issuers {
	t.Helper()
	public, err := jwk.Import(privateKey(t, "rsa.pem").Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := bearer.OpenIssuers(t.Context(), []bearer.IssuerConfig{{
		Name: "shop", Issuer: "https://id.example.com/shop", JWKSFile: file, Algorithms: []string{"RS256"}, Audiences: []string{"api"}, ConsumerClaim: "azp",
	}}, bearer.Deps{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

// client makes the request of a client that holds the credential.
func client(t *testing.T, format importer.Format, path string, c *rules.Credential) *access.Request {
	t.Helper()
	secret := held[c.ID]
	if filepath.Base(path) == "demo.yaml" && c.ID == "acme-key" {
		secret = demoAcmeKey
	}
	public := c.Kind == access.KindClientCertificate || c.Kind == access.KindIssuer || c.PublicKey != ""
	if secret == "" && !public {
		t.Fatal("there is no client that holds this credential")
	}
	switch c.Kind {
	case access.KindAPIKey:
		return request("x-api-key", secret)
	case access.KindBasic:
		return request("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+secret)))
	case access.KindSignature:
		return signed(format, c.KeyID, secret)
	case access.KindClientCertificate:
		return presented(t, c)
	case access.KindIssuer:
		return token(t, "RS256", map[string]any{"iss": "https://id.example.com/shop", "aud": "api", "azp": c.Value}, "")
	}
	return token(t, c.Algorithm, map[string]any{claimOf(format): string(c.Key.Reveal())}, secret)
}

// claimOf is where a gateway's tokens name the credential: APISIX takes the
// claim key, Kong iss.
func claimOf(format importer.Format) string {
	if format == importer.Deck || format == importer.Postern {
		return "iss"
	}
	return "key"
}

func request(lines ...string) *access.Request {
	req := &access.Request{
		Door: access.GRPC, Method: "GET", Protocol: "HTTP/1.1", Scheme: "https", Size: -1, Host: "api.example.com",
		RawHost: "api.example.com", Path: "/orders", RawPath: "/orders?id=1", Query: "id=1",
	}
	for i := 0; i < len(lines); i += 2 {
		req.Headers = append(req.Headers, access.Header{Name: lines[i], Value: lines[i+1]})
	}
	return req
}

// signed signs a request in the dialect of the format's gateway, or in the
// plain one.
func signed(format importer.Format, id, secret string) *access.Request {
	date := now.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString(mac(text)) }
	switch format {
	case importer.Deck:
		text := "date: " + date + "\n@request-target: get /orders?id=1"
		return request("date", date, "authorization", `hmac username="`+id+`", algorithm="hmac-sha256", headers="date @request-target", signature="`+b64(text)+`"`)
	case importer.Postern:
		stamp := strconv.FormatInt(now.UnixMilli(), 10)
		return request("x-api-key", id, "x-timestamp", stamp, "x-nonce", "nonce-0123456789abcdef", "x-signature", hex.EncodeToString(mac(stamp+".nonce-0123456789abcdef.")))
	}
	text := id + "\nGET /orders?id=1\ndate: " + date + "\n"
	return request("date", date, "authorization", `Signature keyId="`+id+`",algorithm="hmac-sha256",headers="@request-target date",signature="`+b64(text)+`"`)
}

func token(t *testing.T, algorithm string, claims map[string]any, secret string) *access.Request {
	t.Helper()
	var key any = []byte(secret)
	switch algorithm {
	case "RS256":
		key = privateKey(t, "rsa.pem")
	case "ES256":
		key = privateKey(t, "ec.pem")
	}
	claims["exp"] = now.Add(time.Minute).Unix()
	text, err := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), jwt.MapClaims(claims)).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return request("authorization", "Bearer "+text)
}

func privateKey(t *testing.T, name string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

// presented is a request over a connection whose certificate has that name.
func presented(t *testing.T, c *rules.Credential) *access.Request {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	switch {
	case c.URISAN != "":
		uri, err := url.Parse(c.URISAN)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = []*url.URL{uri}
	case c.DNSSAN != "":
		template.DNSNames = []string{c.DNSSAN}
	default:
		template.Subject = pkix.Name{CommonName: "bob"}
	}
	key := privateKey(t, "ec.pem")
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	req := request()
	req.Source.Certificate = url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return req
}
