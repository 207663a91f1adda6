package apikey_test

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/apikey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodKey     = "good-key-0123456789"
	otherKey    = "other-key-0123456789"
	endingKey   = "ending-key-0123456789"
	disabledKey = "disabled-key-0123456789"
	retiredKey  = "retired-key-0123456789"
	devKey      = "dev-key-0123456789"
	unknownKey  = "unknown-key-0123456789"
)

// ownKey has the form of a key that Postern makes.
var ownKey = makeOwnKey()

func makeOwnKey() string {
	key, err := consumer.NewKey("pk", "prod", strings.NewReader(strings.Repeat("r", 64)))
	if err != nil {
		panic(err)
	}
	return string(key.Reveal())
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time       { return start.Add(time.Duration(c.passed.Load())) }
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// store holds credentials by their key's digest, and counts.
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
	case found == nil || ref.Kind != access.KindAPIKey:
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
	for key, found := range map[string]consumer.Found{
		goodKey:     {Consumer: app, Credential: &access.Credential{ID: "good", Enabled: true, Scopes: []string{"orders:read"}}},
		otherKey:    {Consumer: app, Credential: &access.Credential{ID: "other", Enabled: true}},
		ownKey:      {Consumer: app, Credential: &access.Credential{ID: "own", Enabled: true}},
		endingKey:   {Consumer: app, Credential: &access.Credential{ID: "ending", Enabled: true, ExpiresAt: start.Add(10 * time.Second)}},
		disabledKey: {Consumer: app, Credential: &access.Credential{ID: "disabled", ExpiresAt: start.Add(-time.Hour)}},
		retiredKey:  {Consumer: retired, Credential: &access.Credential{ID: "retired", Enabled: true}},
		devKey:      {Consumer: dev, Credential: &access.Credential{ID: "dev", Enabled: true}},
	} {
		found.Credential.Kind = access.KindAPIKey
		sum := sha256.Sum256([]byte(key))
		s.found[string(sum[:])] = &found
	}
	return s
}

var everywhere = []apikey.Location{
	{Header: "X-API-Key"},
	{Header: "Authorization", Scheme: "ApiKey"},
	{Header: "Authorization", Scheme: "Bearer"},
	{Query: "api_key"},
}

// bench is an authenticator with all that it stands on.
type bench struct {
	*apikey.Authenticator
	store *store
	clock *clock
	cache *cache.Cache[*access.Identity]
}

func setUp(t testing.TB, config apikey.Config, memory int64) *bench {
	t.Helper()
	b := &bench{store: newStore(), clock: &clock{}}
	var err error
	b.cache, err = cache.New(cache.Options[*access.Identity]{
		MaxMemory: memory, MaxNegatives: 100, TTL: time.Minute, NegativeTTL: 5 * time.Second, Now: b.clock.Now,
		Negative: func(err error) bool { var r *access.Rejection; return errors.As(err, &r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cache.Close)
	b.Authenticator = apikey.New(config, b.store, b.cache, "revision-1", b.clock.Now)
	return b
}

func headers(lines ...string) *access.Request {
	req := &access.Request{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Headers = append(req.Headers, access.Header{Name: name, Value: value})
	}
	return req
}

func query(q string) *access.Request { return &access.Request{Query: q} }

// answer puts an outcome in one word: the credential's id, "none", "invalid",
// "expired" or "fault".
func answer(proof access.Proof, err error) string {
	var rejected *access.Rejection
	switch {
	case err == nil:
		return proof.Identity.Credential.ID
	case errors.Is(err, access.ErrNoCredential):
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

func TestWhatIsTakenAsAKey(t *testing.T) {
	long := strings.Repeat("k", 512)
	for name, tt := range map[string]struct {
		req  *access.Request
		want string
	}{
		"no credential":                   {headers("accept: */*"), "none"},
		"header":                          {headers("x-api-key: " + goodKey), "good"},
		"scheme":                          {headers("authorization: ApiKey " + goodKey), "good"},
		"scheme in other case":            {headers("authorization: aPIkEY " + goodKey), "good"},
		"own form under bearer":           {headers("authorization: Bearer " + ownKey), "own"},
		"own form in the header":          {headers("x-api-key: " + ownKey), "own"},
		"query":                           {query("a=1&api_key=" + goodKey + "&b=2"), "good"},
		"query with escapes":              {query("api_key=good%2Dkey-0123456789"), "good"},
		"alias of the header":             {headers("x_api_key: " + goodKey), "none"},
		"query name in other case":        {query("API_KEY=" + goodKey), "none"},
		"query name as a part":            {query("my_api_key=" + goodKey + "&api_keys=" + goodKey), "none"},
		"bad escapes elsewhere":           {query("x=100%&%zz=1&api_key=" + goodKey), "good"},
		"another scheme":                  {headers("authorization: Basic YTpi"), "none"},
		"a token under bearer":            {headers("authorization: Bearer e30.e30.c2ln"), "none"},
		"a key of other form as bearer":   {headers("authorization: Bearer " + goodKey), "none"},
		"own form with a bad checksum":    {headers("authorization: Bearer " + ownKey[:len(ownKey)-1] + "!"), "none"},
		"key beside a token":              {headers("x-api-key: "+goodKey, "authorization: Bearer e30.e30.c2ln"), "good"},
		"unknown":                         {headers("x-api-key: " + unknownKey), "invalid"},
		"other case":                      {headers("x-api-key: " + strings.ToUpper(goodKey)), "invalid"},
		"a part of a key":                 {headers("x-api-key: " + goodKey[:len(goodKey)-1]), "invalid"},
		"more than a key":                 {headers("x-api-key: " + goodKey + "0"), "invalid"},
		"empty header":                    {headers("x-api-key: "), "invalid"},
		"empty header beside a key":       {headers("x-api-key: ", "authorization: ApiKey "+goodKey), "invalid"},
		"bare scheme":                     {headers("authorization: ApiKey"), "invalid"},
		"scheme and a space":              {headers("authorization: ApiKey "), "invalid"},
		"bare bearer":                     {headers("authorization: Bearer"), "invalid"},
		"empty authorization":             {headers("authorization: "), "invalid"},
		"empty query value":               {query("api_key="), "invalid"},
		"query name without a value":      {query("api_key"), "invalid"},
		"15 bytes":                        {headers("x-api-key: " + long[:15]), "invalid"},
		"512 unknown bytes":               {headers("x-api-key: " + long), "invalid"},
		"513 bytes":                       {headers("x-api-key: " + long + "k"), "invalid"},
		"a megabyte":                      {headers("x-api-key: " + strings.Repeat("k", 1<<20)), "invalid"},
		"not ascii":                       {headers("x-api-key: ключ-0123456789"), "invalid"},
		"nul":                             {headers("x-api-key: good-key\x000123456789"), "invalid"},
		"delete":                          {headers("x-api-key: good-key\x7f0123456789"), "invalid"},
		"white space before":              {headers("x-api-key:  " + goodKey), "invalid"},
		"white space after":               {headers("x-api-key: " + goodKey + "\t"), "invalid"},
		"white space inside":              {headers("x-api-key: good-key 0123456789"), "invalid"},
		"two spaces after the scheme":     {headers("authorization: ApiKey  " + goodKey), "invalid"},
		"tab after the scheme":            {headers("authorization: ApiKey\t" + goodKey), "invalid"},
		"white space before an own key":   {headers("authorization: Bearer  " + ownKey), "invalid"},
		"white space after an own key":    {headers("authorization: Bearer " + ownKey + " "), "invalid"},
		"own key beside another":          {headers("authorization: Bearer " + ownKey + ",x"), "invalid"},
		"plus in the query":               {query("api_key=good-key+0123456789"), "invalid"},
		"bad escape in the value":         {query("api_key=" + goodKey + "%2"), "invalid"},
		"name with escapes":               {query("api%5Fkey=" + goodKey), "invalid"},
		"name with escapes beside":        {query("api_key=" + goodKey + "&%61pi_key=" + goodKey), "invalid"},
		"two lines":                       {headers("x-api-key: "+goodKey, "x-api-key: "+otherKey), "invalid"},
		"two equal lines":                 {headers("x-api-key: "+goodKey, "x-api-key: "+goodKey), "invalid"},
		"joined":                          {headers("x-api-key: " + goodKey + "," + otherKey), "invalid"},
		"joined with a space":             {headers("x-api-key: " + goodKey + ", " + goodKey), "invalid"},
		"two authorization lines":         {headers("authorization: ApiKey "+goodKey, "authorization: ApiKey "+goodKey), "invalid"},
		"two lines of other schemes":      {headers("authorization: Basic YTpi", "authorization: Basic YTpi"), "invalid"},
		"joined authorization":            {headers("authorization: ApiKey " + goodKey + ",ApiKey " + goodKey), "invalid"},
		"two query values":                {query("api_key=" + goodKey + "&api_key=" + goodKey), "invalid"},
		"header and scheme":               {headers("x-api-key: "+goodKey, "authorization: ApiKey "+goodKey), "invalid"},
		"header and own key under bearer": {headers("x-api-key: "+ownKey, "authorization: Bearer "+ownKey), "invalid"},
		"header and query":                {&access.Request{Headers: headers("x-api-key: " + goodKey).Headers, Query: "api_key=" + goodKey}, "invalid"},
		"disabled credential":             {headers("x-api-key: " + disabledKey), "invalid"},
		"disabled consumer":               {headers("x-api-key: " + retiredKey), "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
			for range 2 { // the second time from memory
				if got := answer(b.Authenticate(context.Background(), tt.req)); got != tt.want {
					t.Fatalf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func TestPlacesThatAreNotConfigured(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere[:1]}, 1<<20)
	for name, req := range map[string]*access.Request{
		"query":               query("api_key=" + goodKey),
		"scheme":              headers("authorization: ApiKey " + goodKey),
		"own key as bearer":   headers("authorization: Bearer " + ownKey),
		"two lines elsewhere": headers("authorization: ApiKey a", "authorization: ApiKey b"),
	} {
		if got := answer(b.Authenticate(context.Background(), req)); got != "none" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// What is yielded is the header X-API-Key alone, and only where it is asked for.
func TestYieldsToSignedRequests(t *testing.T) {
	signed := func(h access.Headers) bool {
		_, lines := h.Get("x-signature")
		return lines > 0
	}
	yielding, plain := setUp(t, apikey.Config{In: everywhere, Yields: signed}, 1<<20), setUp(t, apikey.Config{In: everywhere}, 1<<20)
	for name, tt := range map[string]struct {
		req             *access.Request
		yielded, before string
	}{
		"a key":                     {headers("x-api-key: " + goodKey), "good", "good"},
		"a key id":                  {headers("x-api-key: id", "x-signature: 00"), "none", "invalid"},
		"a key, signed":             {headers("x-api-key: "+goodKey, "x-signature: 00"), "none", "good"},
		"two lines, signed":         {headers("x-api-key: a", "x-api-key: b", "x-signature: 00"), "none", "invalid"},
		"a key id and a key":        {headers("x-api-key: id", "x-signature: 00", "authorization: ApiKey "+goodKey), "good", "invalid"},
		"a key id and an own key":   {headers("x-api-key: id", "x-signature: 00", "authorization: Bearer "+ownKey), "own", "invalid"},
		"a key id and a bad scheme": {headers("x-api-key: id", "x-signature: 00", "authorization: ApiKey"), "invalid", "invalid"},
	} {
		if got := answer(yielding.Authenticate(context.Background(), tt.req)); got != tt.yielded {
			t.Errorf("%s: got %s, want %s", name, got, tt.yielded)
		}
		if got := answer(plain.Authenticate(context.Background(), tt.req)); got != tt.before {
			t.Errorf("%s, yielding nothing: got %s, want %s", name, got, tt.before)
		}
	}
}

func TestOnePlaceNamedTwice(t *testing.T) {
	b := setUp(t, apikey.Config{In: []apikey.Location{{Header: "X-API-Key"}, {Header: "x-api-key"}}}, 1<<20)
	if got := answer(b.Authenticate(context.Background(), headers("x-api-key: "+goodKey))); got != "good" {
		t.Errorf("got %s", got)
	}
}

func TestProofSaysWhoAndWhere(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	for _, tt := range []struct {
		req  *access.Request
		from access.Location
	}{
		{headers("x-api-key: " + goodKey), access.Location{Header: "x-api-key"}},
		{headers("authorization: ApiKey " + goodKey), access.Location{Header: "authorization"}},
		{query("api_key=" + goodKey), access.Location{Query: "api_key"}},
	} {
		proof, err := b.Authenticate(context.Background(), tt.req)
		if err != nil {
			t.Fatal(err)
		}
		id := proof.Identity
		got := fmt.Sprint(id.Consumer.Name, id.Credential.ID, id.Scopes, id.Roles, id.Groups)
		if want := fmt.Sprint("app", "good", []string{"orders:read"}, []string{"reader"}, []string{"premium"}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if proof.From != tt.from {
			t.Errorf("from %+v, want %+v", proof.From, tt.from)
		}
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
		b := setUp(t, apikey.Config{In: everywhere, Environments: tt.believed}, 1<<20)
		for key, want := range map[string]string{goodKey: tt.goodIs, devKey: tt.devIs} {
			if got := answer(b.Authenticate(context.Background(), headers("x-api-key: "+key))); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
}

// Two authenticators share one cache, as across a reload.
func TestOtherRulesShareNothing(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	req := headers("x-api-key: " + devKey)
	if got := answer(b.Authenticate(context.Background(), req)); got != "dev" {
		t.Fatalf("got %s", got)
	}
	strict := apikey.New(apikey.Config{In: everywhere, Environments: []string{"prod"}}, b.store, b.cache, "revision-1", b.clock.Now)
	if got := answer(strict.Authenticate(context.Background(), req)); got != "invalid" {
		t.Errorf("other environments: got %s", got)
	}
	next := apikey.New(apikey.Config{In: everywhere}, &store{}, b.cache, "revision-2", b.clock.Now)
	if got := answer(next.Authenticate(context.Background(), req)); got != "invalid" {
		t.Errorf("other revision: got %s", got)
	}
}

func TestKeyEndsAtItsExpiryWhileRemembered(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	req := headers("x-api-key: " + endingKey)
	ask := func() string { return answer(b.Authenticate(context.Background(), req)) }
	if got := ask(); got != "ending" {
		t.Fatalf("got %s", got)
	}
	b.clock.pass(10*time.Second - 1)
	if got := ask(); got != "ending" || b.store.finds.Load() != 1 {
		t.Fatalf("got %s after %d finds", got, b.store.finds.Load())
	}
	b.clock.pass(1)
	if got := ask(); got != "expired" {
		t.Fatalf("got %s", got)
	}
}

func TestUnknownIsRememberedAndFaultIsNot(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	ask := func(key string) string {
		return answer(b.Authenticate(context.Background(), headers("x-api-key: "+key)))
	}
	b.store.err = errors.New("store is down")
	for range 2 {
		if got := ask(goodKey); got != "fault" {
			t.Fatalf("got %s", got)
		}
	}
	b.store.err = nil
	if got := ask(goodKey); got != "good" {
		t.Fatalf("got %s: the fault was remembered", got)
	}
	before := b.store.finds.Load()
	for range 3 {
		if got := ask(unknownKey); got != "invalid" {
			t.Fatalf("got %s", got)
		}
	}
	if finds := b.store.finds.Load() - before; finds != 1 {
		t.Errorf("%d finds of an unknown key", finds)
	}
}

func TestMalformedKeysNeverReachTheStore(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	for _, key := range []string{"", "short", strings.Repeat("k", 513), "good key 0123456789", goodKey + "," + otherKey} {
		if got := answer(b.Authenticate(context.Background(), headers("x-api-key: "+key))); got != "invalid" {
			t.Errorf("%q: got %s", key, got)
		}
	}
	if b.store.finds.Load() != 0 {
		t.Error("the store was asked")
	}
}

func TestMistypedKeysAreNotLookedUp(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere, Prefix: "postern"}, 1<<20)
	key, err := consumer.NewKey("postern", "prod", crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i, mistyped := range []string{strings.Replace(string(key.Reveal()), "prod", "test", 1), strings.ReplaceAll(string(key.Reveal()), "_prod_", "_dev_")} {
		if got := answer(b.Authenticate(context.Background(), headers("x-api-key: "+mistyped))); got != "invalid" {
			t.Errorf("%d: got %s", i, got)
		}
	}
	if b.store.finds.Load() != 0 {
		t.Error("the store was asked")
	}
	if got := answer(b.Authenticate(context.Background(), headers("x-api-key: "+string(key.Reveal())))); got != "invalid" || b.store.finds.Load() != 1 {
		t.Errorf("a well-formed key: got %s, %d finds", got, b.store.finds.Load())
	}
}

func TestNoKeyInErrorsOrNotes(t *testing.T) {
	b := setUp(t, apikey.Config{In: everywhere}, 1<<20)
	b.store.err = nil
	for _, key := range []string{goodKey, unknownKey, disabledKey, retiredKey, goodKey + "," + otherKey, " " + goodKey, "short-key-012", strings.Repeat("k", 513)} {
		for _, req := range []*access.Request{
			headers("x-api-key: " + key), headers("authorization: ApiKey " + key), query("api_key=" + key), query("api_key=" + key + "%"),
			headers("x-api-key: "+key, "x-api-key: "+key), headers("x-api-key: "+key, "authorization: ApiKey "+key),
			headers("authorization: Bearer " + ownKey + " "),
		} {
			req.Explain = &access.Explanation{}
			_, err := b.Authenticate(context.Background(), req)
			if len(req.Explain.Steps) != 1 || req.Explain.Steps[0].Stop != "authenticate" {
				t.Fatalf("steps: %+v", req.Explain.Steps)
			}
			text := fmt.Sprint(err, req.Explain.Steps)
			for _, secret := range []string{strings.TrimSpace(key), goodKey, ownKey} {
				if strings.Contains(text, secret) {
					t.Errorf("a key is in %q", text)
				}
			}
		}
	}
}

func TestChallenge(t *testing.T) {
	for realm, want := range map[string]string{
		"":             `ApiKey realm=""`,
		"api":          `ApiKey realm="api"`,
		`the "api" \o`: `ApiKey realm="the \"api\" \\o"`,
	} {
		b := setUp(t, apikey.Config{Realm: realm}, 0)
		for _, rejected := range []bool{true, false} {
			if got := b.Challenge(rejected); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	if b := setUp(t, apikey.Config{}, 0); b.Kind() != access.KindAPIKey {
		t.Error("another kind")
	}
}

// With the cache switched off every answer is the same, whatever the order of
// requests and however time passes.
func TestCacheChangesNoAnswer(t *testing.T) {
	on, off := setUp(t, apikey.Config{In: everywhere, Environments: []string{"prod"}}, 1<<20), setUp(t, apikey.Config{In: everywhere, Environments: []string{"prod"}}, 0)
	keys := []string{goodKey, otherKey, endingKey, disabledKey, retiredKey, devKey, unknownKey, ownKey, "short"}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5_000 {
		req := headers("x-api-key: " + keys[random.IntN(len(keys))])
		if random.IntN(5) == 0 {
			req = headers("authorization: Bearer " + keys[random.IntN(len(keys))])
		}
		proof, err := on.Authenticate(context.Background(), req)
		plain, plainErr := off.Authenticate(context.Background(), req)
		if a, b := answer(proof, err), answer(plain, plainErr); a != b || proof.From != plain.From || fmt.Sprint(err) != fmt.Sprint(plainErr) {
			t.Fatalf("request %d: %s (%v) with the cache, %s (%v) without", i, a, err, b, plainErr)
		}
		step := time.Duration(random.IntN(10)) * time.Millisecond
		on.clock.pass(step)
		off.clock.pass(step)
	}
	if on.store.finds.Load() >= off.store.finds.Load() {
		t.Error("the cache was not used")
	}
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("x-api-key", goodKey, "")
	f.Add("authorization", "ApiKey "+goodKey, "api_key="+goodKey)
	f.Add("authorization", "Bearer "+ownKey, "%61pi_key=a&api_key")
	f.Add("accept", "*/*", "api_key=good%2dkey-0123456789&x=%zz;api_key=1")
	b := setUp(f, apikey.Config{In: everywhere}, 1<<20)
	f.Fuzz(func(t *testing.T, name, value, q string) {
		req := &access.Request{Headers: access.Headers{{Name: name, Value: value}}, Query: q, Explain: &access.Explanation{}}
		switch got := answer(b.Authenticate(context.Background(), req)); got {
		case "none", "invalid", "expired", "disabled":
		case "fault":
			t.Fatal("what a client sends is never a fault")
		default: // proven: then a known key stands in the request
			if !strings.Contains(value, "key-0123456789") && !strings.Contains(value, ownKey) && !strings.Contains(q, "api_key=") {
				t.Fatalf("proven as %s by %q: %q, query %q", got, name, value, q)
			}
		}
	})
}
