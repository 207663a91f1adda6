package basic_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/credential/basic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time       { return start.Add(time.Duration(c.passed.Load())) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// Every credential has this password, and one of these hashes of it: of the
// cheapest bcrypt, so that tests are quick, by libxcrypt's crypt(3).
const (
	secret     = "correct horse"
	secretHash = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
)

// decoy has the work of secretHash.
var decoy = access.NewSecret("$2b$04$" + strings.Repeat(".", 53))

// store holds credentials by username, and counts.
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
	case found == nil || ref.Kind != access.KindBasic:
		return nil, consumer.ErrNotFound
	default:
		return found, nil
	}
}

func newStore() *store {
	s := &store{found: map[string]*consumer.Found{}}
	app := &access.Consumer{Name: "app", Enabled: true, Environment: "prod", Roles: []string{"reader"}, Groups: []string{"premium"}}
	retired := &access.Consumer{Name: "retired", Environment: "prod"}
	dev := &access.Consumer{Name: "dev-app", Enabled: true, Environment: "dev"}
	for username, found := range map[string]consumer.Found{
		"good":            {Consumer: app, Credential: &access.Credential{ID: "good", Enabled: true, Scopes: []string{"orders:read"}}},
		"app@example.com": {Consumer: app, Credential: &access.Credential{ID: "mail", Enabled: true}},
		"ending":          {Consumer: app, Credential: &access.Credential{ID: "ending", Enabled: true, ExpiresAt: start.Add(10 * time.Second)}},
		"ended":           {Consumer: app, Credential: &access.Credential{ID: "ended", Enabled: true, ExpiresAt: start}},
		"disabled":        {Consumer: app, Credential: &access.Credential{ID: "disabled", ExpiresAt: start.Add(-time.Hour)}},
		"retired":         {Consumer: retired, Credential: &access.Credential{ID: "retired", Enabled: true}},
		"dev":             {Consumer: dev, Credential: &access.Credential{ID: "dev", Enabled: true}},
	} {
		found.Credential.Kind = access.KindBasic
		found.Password = access.NewSecret(secretHash)
		s.found[username] = &found
	}
	s.found["broken"] = &consumer.Found{Consumer: app, Credential: s.found["good"].Credential, Password: access.NewSecret("canary")}
	return s
}

// bench is an authenticator with all that it stands on.
type bench struct {
	*basic.Authenticator
	store    *store
	clock    *clock
	cache    *cache.Cache[*access.Identity]
	verifier *basic.Verifier
	// verified are the hashes that were verified, in order.
	mu       sync.Mutex
	verified []access.Secret
}

type verify func(access.Secret, []byte) (bool, error)

// setUp makes an authenticator that verifies as `with` does, or really.
func setUp(t testing.TB, config basic.Config, bounds basic.VerifierConfig, memory int64, with verify) *bench {
	t.Helper()
	b := &bench{store: newStore(), clock: &clock{}}
	if with == nil {
		with = password.Verify
	}
	bounds.Verify = func(hash access.Secret, candidate []byte) (bool, error) {
		b.mu.Lock()
		b.verified = append(b.verified, hash)
		b.mu.Unlock()
		return with(hash, candidate)
	}
	var err error
	if b.verifier, err = basic.NewVerifier(bounds, rand.Reader); err != nil {
		t.Fatal(err)
	}
	b.cache, err = cache.New(cache.Options[*access.Identity]{
		MaxMemory: memory, MaxNegatives: 1000, TTL: time.Minute, NegativeTTL: 5 * time.Second, Now: b.clock.Now,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cache.Close)
	if config.Decoys == nil {
		config.Decoys = []access.Secret{decoy}
	}
	b.Authenticator = basic.New(config, b.verifier, b.store, b.cache, "revision-1", b.clock.Now)
	return b
}

func (b *bench) verifications() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.verified)
}

func request(lines ...string) *access.Request {
	req := &access.Request{Headers: access.Headers{{Name: "accept", Value: "*/*"}}}
	for _, line := range lines {
		req.Headers = append(req.Headers, access.Header{Name: "authorization", Value: line})
	}
	return req
}

func encode(userPass string) string { return base64.StdEncoding.EncodeToString([]byte(userPass)) }

func login(username, password string) *access.Request {
	return request("Basic " + encode(username+":"+password))
}

// answer puts an outcome in one word: the credential's id, "none", "invalid",
// "expired", "busy" or "fault".
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
	case rejected.Code == access.CodeTooManyFailures && rejected.RetryAfter == time.Second:
		return "busy"
	case rejected.Code == access.CodeInvalidCredential:
		return "invalid"
	}
	return "unknown code " + string(rejected.Code)
}

func (b *bench) ask(req *access.Request) string {
	return answer(b.Authenticate(context.Background(), req))
}

func TestWhatIsTakenAsAPassword(t *testing.T) {
	good := encode("good:" + secret)
	for name, tt := range map[string]struct {
		req  *access.Request
		want string
	}{
		"no credential":              {request(), "none"},
		"good":                       {request("Basic " + good), "good"},
		"scheme in other case":       {request("bASIC " + good), "good"},
		"username with at sign":      {login("app@example.com", secret), "mail"},
		"another scheme":             {request("Bearer " + good), "none"},
		"scheme that begins alike":   {request("Basics " + good), "none"},
		"wrong password":             {login("good", secret+"x"), "invalid"},
		"a part of the password":     {login("good", secret[:5]), "invalid"},
		"password in other case":     {login("good", strings.ToUpper(secret)), "invalid"},
		"more after a colon":         {login("good", secret+":"), "invalid"},
		"a colon before":             {login("good", ":"+secret), "invalid"},
		"unknown username":           {login("nobody", secret), "invalid"},
		"username in other case":     {login("GOOD", secret), "invalid"},
		"username with space":        {login("good ", secret), "invalid"},
		"username of wide letters":   {login("ｇｏｏｄ", secret), "invalid"},
		"NUL after the username":     {login("good\x00", secret), "invalid"},
		"NUL after the password":     {login("good", secret+"\x00"), "invalid"},
		"line break in the password": {login("good", secret+"\n"), "invalid"},
		"delete in the password":     {login("good", secret+"\x7f"), "invalid"},
		"C1 control in the password": {login("good", secret+"\u0085"), "invalid"},
		"password is not UTF-8":      {login("good", secret+"\xff"), "invalid"},
		"password of 512 bytes":      {login("good", strings.Repeat("x", 512)), "invalid"},
		"password of 513 bytes":      {login("good", strings.Repeat("x", 513)), "invalid"},
		"a megabyte":                 {login("good", strings.Repeat("x", 1<<20)), "invalid"},
		"empty password":             {login("good", ""), "invalid"},
		"empty username":             {login("", secret), "invalid"},
		"a colon alone":              {login("", ""), "invalid"},
		"no colon":                   {request("Basic " + encode("good")), "invalid"},
		"scheme alone":               {request("Basic"), "invalid"},
		"scheme and a space":         {request("Basic "), "invalid"},
		"two spaces":                 {request("Basic  " + good), "invalid"},
		"tab":                        {request("Basic\t" + good), "invalid"},
		"space after":                {request("Basic " + good + " "), "invalid"},
		"line break inside":          {request("Basic " + good[:4] + "\n" + good[4:]), "invalid"},
		"carriage return at the end": {request("Basic " + good + "\r"), "invalid"},
		"not base64":                 {request("Basic good:" + secret), "invalid"},
		"base64 without padding":     {request("Basic " + strings.TrimRight(encode("good:"+secret+"x"), "=")), "invalid"},
		"padding too much":           {request("Basic " + good + "="), "invalid"},
		"more after the padding":     {request("Basic " + encode("good:"+secret+"x") + "AAAA"), "invalid"},
		"base64 of URLs":             {request("Basic " + base64.URLEncoding.EncodeToString([]byte("good:\u07ff\u07ff\u07ff"))), "invalid"},
		"unused bits set":            {request("Basic Z29vZDpjb3JyZWN0IGhvcnNlMR=="), "invalid"},
		"empty line":                 {request(""), "invalid"},
		"white space line":           {request(" "), "invalid"},
		"white space before":         {request(" Basic " + good), "invalid"},
		"two lines":                  {request("Basic "+good, "Bearer x"), "invalid"},
		"two equal lines":            {request("Basic "+good, "Basic "+good), "invalid"},
		"joined":                     {request("Basic " + good + ",Basic " + good), "invalid"},
		"joined with another":        {request("Bearer x,Basic " + good), "invalid"},
		"within another's value":     {request("Bearer x, Basic " + good), "none"},
		"joined values":              {request("Basic " + good + "," + good), "invalid"},
		"in another header":          {&access.Request{Headers: access.Headers{{Name: "proxy-authorization", Value: "Basic " + good}}}, "none"},
		"disabled credential":        {login("disabled", secret), "invalid"},
		"disabled consumer":          {login("retired", secret), "invalid"},
		"ended":                      {login("ended", secret), "expired"},
		"ended, wrong password":      {login("ended", secret+"x"), "invalid"},
		"disabled, wrong password":   {login("disabled", secret+"x"), "invalid"},
		"a hash that can't be read":  {login("broken", secret), "fault"},
		"the hash as the password":   {login("good", secretHash), "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
			for range 2 { // the second time from memory
				if got := b.ask(tt.req); got != tt.want {
					t.Fatalf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

// The unused bits of the table's last base64 are the only thing wrong with it.
func TestUnusedBitsAreAllThatIsWrong(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 0, func(_ access.Secret, p []byte) (bool, error) { return string(p) == secret+"1", nil })
	for value, want := range map[string]string{"Z29vZDpjb3JyZWN0IGhvcnNlMQ==": "good", "Z29vZDpjb3JyZWN0IGhvcnNlMR==": "invalid"} {
		if got := b.ask(request("Basic " + value)); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

func TestPasswordsMayBeOfAnyScriptAndLength(t *testing.T) {
	for _, candidate := range []string{"пароль:пароль", "密码密码密码密码", "::", strings.Repeat("x", 512)} {
		b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 0, func(_ access.Secret, p []byte) (bool, error) { return string(p) == candidate, nil })
		if got := b.ask(login("good", candidate)); got != "good" {
			t.Errorf("%q: got %s", candidate, got)
		}
	}
}

// Whoever asks costs one verification of the same work, and is told the same:
// neither time nor words say which usernames there are.
func TestUnknownAndKnownUsernamesCostAlike(t *testing.T) {
	for name, tt := range map[string]struct{ username, password, want string }{
		"unknown":                   {"nobody", secret, "invalid"},
		"wrong password":            {"good", "wrong", "invalid"},
		"disabled":                  {"disabled", secret, "invalid"},
		"disabled and wrong":        {"disabled", "wrong", "invalid"},
		"disabled consumer":         {"retired", secret, "invalid"},
		"disabled consumer, wrong":  {"retired", "wrong", "invalid"},
		"of another environment":    {"dev", secret, "invalid"},
		"of another one, wrong":     {"dev", "wrong", "invalid"},
		"expired and wrong":         {"ended", "wrong", "invalid"},
		"expired":                   {"ended", secret, "expired"},
		"good":                      {"good", secret, "good"},
		"unknown, password over 72": {"nobody", strings.Repeat("x", 73), "invalid"},
		"known, password over 72":   {"good", strings.Repeat("x", 73), "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, basic.Config{Environments: []string{"prod"}}, basic.VerifierConfig{}, 1<<20, nil)
			_, err := b.Authenticate(context.Background(), login(tt.username, tt.password))
			if got := answer(access.Proof{Identity: &access.Identity{Credential: &access.Credential{ID: "good"}}}, err); got != tt.want {
				t.Errorf("got %s", got)
			}
			if len(b.verified) != 1 {
				t.Fatalf("%d verifications", len(b.verified))
			}
			parsed, err := password.Parse(string(b.verified[0].Reveal()))
			if err != nil || parsed.Decoy() != decoy {
				t.Errorf("verified something of other work: %v", err)
			}
		})
	}
}

// Decoys are spread over the usernames that there are not, each of which keeps
// its own.
func TestEveryDecoyIsUsedAndKept(t *testing.T) {
	decoys := []access.Secret{access.NewSecret("a"), access.NewSecret("b"), access.NewSecret("c")}
	b := setUp(t, basic.Config{Decoys: decoys}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return false, nil })
	for i := range 100 {
		for try := range 2 {
			if got := b.ask(login(fmt.Sprint("nobody-", i), fmt.Sprint(try))); got != "invalid" {
				t.Fatal(got)
			}
		}
		if b.verified[2*i] != b.verified[2*i+1] {
			t.Fatal("the decoy changed with the password")
		}
	}
	for _, want := range decoys {
		if !slices.Contains(b.verified, want) {
			t.Error("a decoy is never used")
		}
	}
}

// Even a verification that says yes to everything lets no unknown user in.
func TestADecoyProvesNobody(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return true, nil })
	if got := b.ask(login("nobody", secret)); got != "invalid" {
		t.Error(got)
	}
}

func TestWithoutDecoysTheDummyIsVerified(t *testing.T) {
	b := setUp(t, basic.Config{Decoys: []access.Secret{}}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return false, nil })
	b.ask(login("nobody", secret))
	if len(b.verified) != 1 || b.verified[0] != password.Dummy() {
		t.Errorf("%d verifications", len(b.verified))
	}
}

func TestWhatNobodyCanHaveIsNeverVerified(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 0, nil)
	for _, req := range []*access.Request{
		request("Basic"), request("Basic x"), request("Basic " + encode("good")), login("good", ""), login("", secret),
		login("good", strings.Repeat("x", 513)), login(strings.Repeat("x", 257), secret), request("Basic " + strings.Repeat("A", basic.MaxEncoded+4)),
		login("good", "\xff"), login("good\n", secret), request("Basic "+encode("good:"+secret), "Basic x"),
	} {
		if got := b.ask(req); got != "invalid" {
			t.Errorf("%q: got %s", req.Headers, got)
		}
	}
	if b.verifications() != 0 || b.store.finds.Load() != 0 {
		t.Error("the store was asked, or a password verified")
	}
}

func TestProofSaysWhoAndWhere(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	proof, err := b.Authenticate(context.Background(), login("good", secret))
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	got := fmt.Sprint(id.Consumer.Name, id.Credential.ID, id.Scopes, id.Roles, id.Groups)
	if want := fmt.Sprint("app", "good", []string{"orders:read"}, []string{"reader"}, []string{"premium"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if proof.From != (access.Location{Header: "authorization"}) {
		t.Errorf("from %+v", proof.From)
	}
}

func TestEnvironments(t *testing.T) {
	for name, tt := range map[string]struct {
		believed      []string
		goodIs, devIs string
	}{
		"all":  {nil, "good", "dev"},
		"prod": {[]string{"prod"}, "good", "invalid"},
		"both": {[]string{"dev", "prod"}, "good", "dev"},
	} {
		b := setUp(t, basic.Config{Environments: tt.believed}, basic.VerifierConfig{}, 1<<20, nil)
		for username, want := range map[string]string{"good": tt.goodIs, "dev": tt.devIs} {
			if got := b.ask(login(username, secret)); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
}

// Authenticators share one cache, as across a reload.
func TestOtherRulesShareNothing(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	req := login("dev", secret)
	if got := b.ask(req); got != "dev" {
		t.Fatalf("got %s", got)
	}
	strict := basic.New(basic.Config{Environments: []string{"prod"}}, b.verifier, b.store, b.cache, "revision-1", b.clock.Now)
	if got := answer(strict.Authenticate(context.Background(), req)); got != "invalid" {
		t.Errorf("other environments: got %s", got)
	}
	next := basic.New(basic.Config{}, b.verifier, &store{}, b.cache, "revision-2", b.clock.Now)
	if got := answer(next.Authenticate(context.Background(), req)); got != "invalid" {
		t.Errorf("other revision: got %s", got)
	}
	other, err := basic.NewVerifier(basic.VerifierConfig{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := basic.New(basic.Config{}, other, &store{}, b.cache, "revision-1", b.clock.Now)
	if got := answer(foreign.Authenticate(context.Background(), req)); got != "invalid" {
		t.Errorf("other key: got %s", got)
	}
}

func TestPasswordEndsAtItsExpiryWhileRemembered(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	req := login("ending", secret)
	if got := b.ask(req); got != "ending" {
		t.Fatalf("got %s", got)
	}
	b.clock.pass(10*time.Second - 1)
	if got := b.ask(req); got != "ending" || b.verifications() != 1 {
		t.Fatalf("got %s after %d verifications", got, b.verifications())
	}
	b.clock.pass(1)
	if got := b.ask(req); got != "expired" {
		t.Fatalf("got %s", got)
	}
}

func TestOneBadPairRepeatedCostsOneVerification(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	for _, req := range []*access.Request{login("good", "wrong"), login("nobody", "wrong")} {
		before := b.verifications()
		for range 5 {
			if got := b.ask(req); got != "invalid" {
				t.Fatalf("got %s", got)
			}
		}
		if n := b.verifications() - before; n != 1 {
			t.Errorf("%d verifications", n)
		}
	}
	b.clock.pass(5 * time.Second)
	before := b.verifications()
	if b.ask(login("good", "wrong")); b.verifications() == before {
		t.Error("a negative outlived its time")
	}
}

func TestAFaultIsNotRemembered(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	b.store.err = errors.New("store is down")
	for range 2 {
		if got := b.ask(login("good", secret)); got != "fault" {
			t.Fatalf("got %s", got)
		}
	}
	b.store.err = nil
	if got := b.ask(login("good", secret)); got != "good" {
		t.Fatalf("got %s: the fault was remembered", got)
	}
}

func TestNoPasswordInErrorsOrNotes(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{}, 1<<20, nil)
	for _, username := range []string{"good", "canary-user", "disabled", "retired", "broken", "ended"} {
		for _, p := range []string{secret, "canary-password", "canary-password\n", "canary" + strings.Repeat("x", 512)} {
			for _, req := range []*access.Request{login(username, p), request("Basic " + encode(username+":"+p) + "!"), request("Basic "+encode(username+":"+p), "Basic x")} {
				req.Explain = &access.Explanation{}
				_, err := b.Authenticate(context.Background(), req)
				if len(req.Explain.Steps) != 1 || req.Explain.Steps[0].Stop != "authenticate" {
					t.Fatalf("steps: %+v", req.Explain.Steps)
				}
				text := fmt.Sprint(err, req.Explain.Steps)
				for _, hidden := range []string{secret, "canary", encode(username + ":" + p)[:12]} {
					if strings.Contains(text, hidden) {
						t.Errorf("%q is in %q", hidden, text)
					}
				}
			}
		}
	}
}

func TestChallenge(t *testing.T) {
	for realm, want := range map[string]string{
		"":             `Basic realm="", charset="UTF-8"`,
		"api":          `Basic realm="api", charset="UTF-8"`,
		`the "api" \o`: `Basic realm="the \"api\" \\o", charset="UTF-8"`,
	} {
		b := setUp(t, basic.Config{Realm: realm}, basic.VerifierConfig{}, 0, nil)
		for _, rejected := range []bool{true, false} {
			if got := b.Challenge(rejected); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if b.Kind() != access.KindBasic {
			t.Error("another kind")
		}
	}
}

// With the cache switched off every answer is the same, whatever the order of
// requests and however time passes.
func TestCacheChangesNoAnswer(t *testing.T) {
	quick := func(_ access.Secret, p []byte) (bool, error) { return string(p) == secret, nil }
	config := basic.Config{Environments: []string{"prod"}}
	on, off := setUp(t, config, basic.VerifierConfig{}, 1<<20, quick), setUp(t, config, basic.VerifierConfig{}, 0, quick)
	usernames := []string{"good", "app@example.com", "ending", "ended", "disabled", "retired", "dev", "nobody", ""}
	passwords := []string{secret, secret, "wrong", "wronger", ""}
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range 5_000 {
		req := login(usernames[random.IntN(len(usernames))], passwords[random.IntN(len(passwords))])
		proof, err := on.Authenticate(context.Background(), req)
		plain, plainErr := off.Authenticate(context.Background(), req)
		if a, b := answer(proof, err), answer(plain, plainErr); a != b || proof.From != plain.From || fmt.Sprint(err) != fmt.Sprint(plainErr) {
			t.Fatalf("request %d: %s (%v) with the cache, %s (%v) without", i, a, err, b, plainErr)
		}
		step := time.Duration(random.IntN(10)) * time.Millisecond
		on.clock.pass(step)
		off.clock.pass(step)
	}
	if on.verifications() >= off.verifications()/2 {
		t.Errorf("%d verifications with the cache, %d without", on.verifications(), off.verifications())
	}
}

func FuzzAuthenticate(f *testing.F) {
	for _, value := range []string{"Basic " + encode("good:"+secret), "Basic Z29vZDpjb3JyZWN0IGhvcnNlMR==", "Basic\t", "basic " + encode("a:b:c"), "Bearer x", "Basic Zm9v\r\nOmJhcg==", "Basic " + encode("good:\u07ff")} {
		f.Add(value)
	}
	b := setUp(f, basic.Config{}, basic.VerifierConfig{}, 1<<20, func(_ access.Secret, p []byte) (bool, error) { return string(p) == secret, nil })
	f.Fuzz(func(t *testing.T, value string) {
		req := request(value)
		req.Explain = &access.Explanation{}
		switch got := b.ask(req); got {
		case "none":
			if len(value) >= 6 && strings.EqualFold(value[:6], "basic ") {
				t.Fatalf("%q holds no credential", value)
			}
		case "invalid", "expired":
		case "fault", "busy":
			t.Fatal("what a client sends is never a fault, and one alone never too much")
		default: // proven: then the value is this very spelling
			_, userPass, _ := strings.Cut(value, " ")
			text, err := base64.StdEncoding.DecodeString(userPass)
			username, p, _ := strings.Cut(string(text), ":")
			if err != nil || encode(string(text)) != userPass || p != secret || b.store.found[username] == nil {
				t.Fatalf("proven as %s by %q", got, value)
			}
		}
	})
}

// A store's hashes can't all be read at the start, so their work is learnt as
// they are met.
func TestWorkOfAStoreIsLearnt(t *testing.T) {
	b := setUp(t, basic.Config{Decoys: []access.Secret{}}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return false, nil })
	b.ask(login("good", "wrong"))
	for i := range 100 {
		b.ask(login(fmt.Sprint("nobody-", i), "wrong"))
	}
	for _, want := range []access.Secret{password.Dummy(), decoy} {
		if !slices.Contains(b.verified[1:], want) {
			t.Error("an amount of work is never used for those that there are not")
		}
	}
}

// What was learnt is the program's: a reload, which makes another authenticator,
// does not forget it.
func TestWorkStaysLearntAcrossReloads(t *testing.T) {
	b := setUp(t, basic.Config{Decoys: []access.Secret{}}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return false, nil })
	b.ask(login("good", "wrong"))
	b.Authenticator = basic.New(basic.Config{}, b.verifier, b.store, b.cache, "revision-2", b.clock.Now)
	for i := range 100 {
		b.ask(login(fmt.Sprint("nobody-", i), "wrong"))
	}
	if !slices.Contains(b.verified[1:], decoy) {
		t.Error("what was learnt before the reload is forgotten")
	}
}

// Work that is known from files is not learnt once more: each amount counts once.
func TestKnownWorkIsNotLearntAgain(t *testing.T) {
	other := access.NewSecret("other")
	b := setUp(t, basic.Config{Decoys: []access.Secret{}}, basic.VerifierConfig{}, 0, func(access.Secret, []byte) (bool, error) { return false, nil })
	b.ask(login("good", "wrong")) // learns decoy
	b.Authenticator = basic.New(basic.Config{Decoys: []access.Secret{decoy, other}}, b.verifier, b.store, b.cache, "revision-2", b.clock.Now)
	count := map[access.Secret]int{}
	for i := range 1000 {
		b.ask(login(fmt.Sprint("nobody-", i), "wrong"))
		count[b.verified[len(b.verified)-1]]++
	}
	if count[decoy] < 400 || count[other] < 400 {
		t.Errorf("%d and %d of 1000, want half of them each", count[decoy], count[other])
	}
}
