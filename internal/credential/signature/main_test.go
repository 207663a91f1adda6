package signature_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/signature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const (
	startDate = "Tue, 24 Nov 2026 12:00:00 GMT"
	startMs   = "1795521600000"
	secret    = "a-signing-secret-of-thirty-two-b!"
)

// clock stands still until it is moved.
type clock struct {
	from   time.Time
	passed atomic.Int64
}

func (c *clock) Now() time.Time       { return c.from.Add(time.Duration(c.passed.Load())) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// store holds credentials by their key id, and counts.
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
	case found == nil || ref.Kind != access.KindSignature:
		return nil, consumer.ErrNotFound
	default:
		return found, nil
	}
}

func newStore() *store {
	app := &access.Consumer{Name: "app", Enabled: true, Environment: "prod", Roles: []string{"reader"}, Groups: []string{"premium"}}
	found := func(id string, algorithms ...string) *consumer.Found {
		return &consumer.Found{
			Consumer: app, Credential: &access.Credential{ID: id, Kind: access.KindSignature, Enabled: true, Scopes: []string{"orders:read"}},
			Secret: access.NewSecret(secret), Algorithms: algorithms,
		}
	}
	s := &store{found: map[string]*consumer.Found{
		"good":       found("good", "hmac-sha256"),
		"other":      found("other", "hmac-sha256"),
		"silent":     found("silent"),
		"long":       found("long", "hmac-sha384", "hmac-sha512"),
		"old":        found("old", "hmac-sha1"),
		"odd":        found("odd", "hmac-md5", "none", ""),
		"disabled":   found("disabled"),
		"ending":     found("ending"),
		"retired":    found("retired"),
		"dev":        found("dev"),
		"empty":      found("empty"),
		"john-key":   found("john"),
		`back\slash`: found("back"),
		// A key id that a plain signature's text can begin with.
		startMs + ".n.": found("dotted"),
	}}
	s.found["disabled"].Credential.Enabled = false
	s.found["ending"].Credential.ExpiresAt = start.Add(10 * time.Second)
	s.found["retired"].Consumer = &access.Consumer{Name: "retired"}
	s.found["dev"].Consumer = &access.Consumer{Name: "dev-app", Enabled: true, Environment: "dev"}
	s.found["empty"].Secret = access.Secret{}
	s.found["john-key"].Secret = access.NewSecret("john-secret-key")
	return s
}

// bench is an authenticator with all that it stands on.
type bench struct {
	*signature.Authenticator
	store  *store
	clock  *clock
	nonces *signature.Memory
}

func setUp(t testing.TB, config signature.Config) *bench {
	t.Helper()
	if err := config.Check(); err != nil {
		t.Fatal(err)
	}
	b := &bench{store: newStore(), clock: &clock{from: start}}
	b.nonces = signature.NewMemory(64_000, b.clock.Now)
	b.Authenticator = signature.New(config, b.store, b.nonces, b.clock.Now)
	return b
}

func (b *bench) ask(req *access.Request) string {
	return answer(b.Authenticate(context.Background(), req))
}

// answer puts an outcome in one word: the credential's id, "none", "invalid",
// "expired", "too many" or "fault".
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
	case rejected.Code == access.CodeTooManyFailures:
		return "too many"
	}
	return "unknown code " + string(rejected.Code)
}

// request is a GET of /orders?id=1 through Envoy, with header lines added.
func request(lines ...string) *access.Request {
	req := &access.Request{
		Door: access.GRPC, Method: "GET", Protocol: "HTTP/1.1", Scheme: "https", Size: -1,
		Host: "api.example.com", RawHost: "API.example.com:443", Path: "/orders", RawPath: "/orders?id=1", Query: "id=1",
	}
	return with(req, lines...)
}

// post is a POST of a body, all of it passed.
func post(body string, lines ...string) *access.Request {
	req := request(lines...)
	req.Method, req.Body, req.Size = "POST", []byte(body), int64(len(body))
	return with(req, "content-length: "+strconv.Itoa(len(body)))
}

func with(req *access.Request, lines ...string) *access.Request {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Headers = append(req.Headers, access.Header{Name: name, Value: value})
	}
	return req
}

// The following sign as a client does, from the dialects' descriptions and by
// nothing of the package.

func macOf(algorithm, key, text string) []byte {
	h := map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha256": sha256.New, "hmac-sha384": sha512.New384, "hmac-sha512": sha512.New}[algorithm]
	if h == nil {
		h = sha256.New
	}
	mac := hmac.New(h, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func plain(req *access.Request, id, timestamp, nonce string) *access.Request {
	mac := macOf("hmac-sha256", secret, timestamp+"."+nonce+"."+string(req.Body))
	return with(req, "x-api-key: "+id, "x-timestamp: "+timestamp, "x-nonce: "+nonce, "x-signature: "+hex.EncodeToString(mac))
}

func apisixLine(id, algorithm, names, text string) string {
	return `authorization: Signature keyId="` + id + `",algorithm="` + algorithm + `",headers="` + names + `",signature="` + b64(macOf(algorithm, secret, text)) + `"`
}

func kongLine(id, algorithm, names, text string) string {
	return `authorization: hmac username="` + id + `", algorithm="` + algorithm + `", headers="` + names + `", signature="` + b64(macOf(algorithm, secret, text)) + `"`
}

func apisix(id string) *access.Request {
	return request("date: "+startDate, apisixLine(id, "hmac-sha256", "@request-target date", id+"\nGET /orders?id=1\ndate: "+startDate+"\n"))
}

func kong(id string) *access.Request {
	return request("date: "+startDate, kongLine(id, "hmac-sha256", "date @request-target", "date: "+startDate+"\n@request-target: get /orders?id=1"))
}

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return b64(sum[:])
}
