package bearer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The names that tests use.
const (
	shopIss  = "https://id.example.com/realms/shop"
	otherIss = "https://id.example.com/realms/other"
	secret   = "demo-secret-of-at-least-thirty-two-bytes!"
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// pairs are the private keys of a test run: making RSA keys is slow.
type pairs struct {
	rsa1, rsa2, weak *rsa.PrivateKey
	ec256, ec384     *ecdsa.PrivateKey
	ed               ed25519.PrivateKey
}

func makePairs() *pairs {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return &pairs{
		rsa1: must(rsa.GenerateKey(rand.Reader, 2048)), rsa2: must(rsa.GenerateKey(rand.Reader, 2048)),
		weak:  must(rsa.GenerateKey(rand.Reader, 1024)),
		ec256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		ec384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		ed:    must(ed, err),
	}
}

var keysOfRun = sync.OnceValue(makePairs)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token of a header and claims as they are written.
func sign(header, claims string, method jwt.SigningMethod, key any) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	return input + "." + b64(must(method.Sign(input, key)))
}

// hs signs as the consumer mobile-app does.
func hs(header, claims string) string {
	return sign(header, claims, jwt.SigningMethodHS256, []byte(secret))
}

// rs signs as the issuer shop does.
func rs(header, claims string) string {
	return sign(header, claims, jwt.SigningMethodRS256, keysOfRun().rsa1)
}

const (
	hsHead = `{"alg":"HS256","typ":"JWT"}`
	rsHead = `{"alg":"RS256","typ" : "JWT","kid":"r1"}`
)

// mobile are the claims of a good consumer-bound token, and more.
func mobile(more string) string {
	return fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d%s}`, noon().Unix()+300, more)
}

// shop are the claims of a good token of the issuer shop, and more.
func shop(more string) string {
	return fmt.Sprintf(`{"iss":%q,"aud":["account","orders-api"],"azp":"mobile-app","exp":%d%s}`, shopIss, noon().Unix()+300, more)
}

// jwkOf writes a public key as a JWK.
func jwkOf(kid string, key crypto.PublicKey, more string) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q%s}`, kid, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()), more)
	case *ecdsa.PublicKey:
		point := must(k.Bytes())
		half := len(point) / 2
		return fmt.Sprintf(`{"kty":"EC","crv":%q,"kid":%q,"x":%q,"y":%q%s}`, k.Params().Name, kid, b64(point[1:1+half]), b64(point[1+half:]), more)
	case ed25519.PublicKey:
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q%s}`, kid, b64(k), more)
	}
	panic("no such key")
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// records is a store in memory.
type records struct {
	found map[consumer.Reference]*consumer.Found
	err   error
	asked atomic.Int64
}

func (r *records) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	r.asked.Add(1)
	switch f := r.found[ref]; {
	case r.err != nil:
		return nil, r.err
	case f == nil:
		return nil, consumer.ErrNotFound
	default:
		return f, nil
	}
}

func demoRecords() *records {
	keys := keysOfRun()
	app := &access.Consumer{Name: "mobile-app", Enabled: true, Environment: "prod", Roles: []string{"reader"}, Groups: []string{"premium"}}
	partner := &access.Consumer{Name: "partner", Enabled: true, Environment: "dev"}
	retired := &access.Consumer{Name: "retired", Environment: "prod"}
	own := func(c *access.Consumer, id, alg string, key crypto.PublicKey, secret string) *consumer.Found {
		return &consumer.Found{
			Consumer: c, Credential: &access.Credential{ID: id, Kind: access.KindJWT, Enabled: true, Scopes: []string{"own:scope"}},
			Algorithm: alg, PublicKey: key, Secret: access.NewSecret(secret),
		}
	}
	r := &records{found: map[consumer.Reference]*consumer.Found{}}
	for value, f := range map[string]*consumer.Found{
		"mobile-issuer": own(app, "mobile-jwt", "HS256", nil, secret),
		"mobile-second": own(app, "mobile-second", "HS256", nil, secret),
		"partner-key":   own(partner, "partner-jwt", "HS256", nil, secret),
		"retired-key":   own(retired, "retired-jwt", "HS256", nil, secret),
		"weak-key":      own(app, "weak-jwt", "HS256", nil, "short"),
		"empty-key":     own(app, "empty-jwt", "HS256", nil, ""),
		"hs512-key":     own(app, "hs512-jwt", "HS512", nil, secret+secret),
		"rs-key":        own(app, "rs-jwt", "RS256", &keys.rsa2.PublicKey, ""),
		"ps-key":        own(app, "ps-jwt", "PS256", &keys.rsa2.PublicKey, ""),
		"es-key":        own(app, "es-jwt", "ES256", &keys.ec256.PublicKey, ""),
		"ed-key":        own(app, "ed-jwt", "EdDSA", keys.ed.Public(), ""),
		"small-key":     own(app, "small-jwt", "RS256", &keys.weak.PublicKey, ""),
	} {
		r.found[consumer.Reference{Kind: access.KindJWT, Value: value}] = f
	}
	disabled := *r.found[consumer.Reference{Kind: access.KindJWT, Value: "mobile-issuer"}]
	disabled.Credential = &access.Credential{ID: "off", Kind: access.KindJWT}
	r.found[consumer.Reference{Kind: access.KindJWT, Value: "off-key"}] = &disabled
	ended := disabled
	ended.Credential = &access.Credential{ID: "ended", Kind: access.KindJWT, Enabled: true, ExpiresAt: noon()}
	r.found[consumer.Reference{Kind: access.KindJWT, Value: "ended-key"}] = &ended
	oidc := &access.Credential{ID: "mobile-oidc", Kind: access.KindIssuer, Enabled: true, Scopes: []string{"record:scope"}}
	r.found[consumer.Reference{Kind: access.KindIssuer, Issuer: "shop", Value: "mobile-app"}] = &consumer.Found{Consumer: app, Credential: oidc}
	r.found[consumer.Reference{Kind: access.KindIssuer, Issuer: "shop", Value: "retired-app"}] = &consumer.Found{Consumer: retired, Credential: oidc}
	return r
}

func shopConfig(file string) IssuerConfig {
	return IssuerConfig{
		Name: "shop", Issuer: shopIss, JWKSFile: file, Algorithms: []string{"RS256", "ES256"}, Audiences: []string{"orders-api"},
		ConsumerClaim: "azp", Roles: []string{"realm_access.roles", "resource_access.orders-api.v1.roles"}, Groups: []string{"groups"}, Scopes: []string{"scope"},
	}
}

// demoIssuers are shop, with an encryption key in its set, and other, which has
// another key under the same kid.
func demoIssuers(t testing.TB) *Issuers {
	t.Helper()
	keys := keysOfRun()
	shopFile, otherFile := filepath.Join(t.TempDir(), "shop.json"), filepath.Join(t.TempDir(), "other.json")
	write(t, shopFile, jwks(
		jwkOf("r1", &keys.rsa1.PublicKey, `,"use":"sig","alg":"RS256"`),
		jwkOf("enc", &keys.rsa2.PublicKey, `,"use":"enc","alg":"RSA-OAEP"`),
		jwkOf("e1", &keys.ec256.PublicKey, `,"use":"sig"`),
		jwkOf("e2", keys.ec256.Public(), `,"key_ops":["verify"]`),
		jwkOf("e3", keys.ec384.Public(), "")))
	write(t, otherFile, jwks(jwkOf("r1", &keys.rsa2.PublicKey, "")))
	other := shopConfig(otherFile)
	other.Name, other.Issuer, other.UnknownConsumer = "other", otherIss, UnknownEphemeral
	return open(t, []IssuerConfig{shopConfig(shopFile), other}, Deps{Now: noon})
}

func open(t testing.TB, configs []IssuerConfig, deps Deps) *Issuers {
	t.Helper()
	s, err := OpenIssuers(context.Background(), configs, deps)
	if err != nil {
		t.Fatalf("OpenIssuers: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func write(t testing.TB, path, text string) {
	t.Helper()
	temporary := path + ".new"
	if err := errors.Join(os.WriteFile(temporary, []byte(text), 0o600), os.Rename(temporary, path)); err != nil {
		t.Fatal(err)
	}
}

func openCache(t testing.TB, memory int64, now func() time.Time) *cache.Cache[*access.Identity] {
	t.Helper()
	c, err := cache.New(cache.Options[*access.Identity]{
		MaxMemory: memory, MaxNegatives: 1000, TTL: time.Minute, NegativeTTL: 5 * time.Second, Now: now,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func demoConfig() Config {
	return Config{In: []Location{{Header: "Authorization", Scheme: "Bearer"}}, Realm: "api", Leeway: 30 * time.Second, SkipKeyForm: true}
}

// demo is the whole of it without a cache.
func demo(t testing.TB) *Authenticator {
	return New(demoConfig(), demoIssuers(t), demoRecords(), openCache(t, 0, noon), "r1", noon)
}

func ask(a *Authenticator, token string) (access.Proof, error) {
	return a.Authenticate(context.Background(), request(token))
}

func request(token string) *access.Request {
	return &access.Request{Headers: access.Headers{{Name: "host", Value: "api"}, {Name: "authorization", Value: "Bearer " + token}}}
}

// codeOf says how a token was answered: its rejection's code, "fault", or ""
// when it was proven.
func codeOf(err error) access.Code {
	var r *access.Rejection
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.Code
	case errors.Is(err, access.ErrNoCredential):
		return access.CodeMissingCredential
	}
	return access.CodeFault
}

func encode(v any) string { return string(must(json.Marshal(v))) }
