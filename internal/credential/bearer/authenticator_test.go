package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

func TestIdentityOfConsumerBoundToken(t *testing.T) {
	proof, err := ask(demo(t), hs(hsHead, mobile(`,"scope":"admin","roles":["admin"],"big":9007199254740993`)))
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	if id.Consumer.Name != "mobile-app" || id.Credential.ID != "mobile-jwt" || id.Issuer != "" {
		t.Errorf("proven: consumer %s, credential %s, issuer %q", id.Consumer.Name, id.Credential.ID, id.Issuer)
	}
	// What the consumer says of itself is a claim and gives it nothing.
	want := [][]string{{"own:scope"}, {"reader"}, {"premium"}}
	if diff := cmp.Diff(want, [][]string{id.Scopes, id.Roles, id.Groups}); diff != "" {
		t.Errorf("scopes, roles, groups: %s", diff)
	}
	if got := encode(id.Claims["big"]); got != "9007199254740993" {
		t.Errorf("a large number came as %s", got)
	}
	if want := (access.Location{Header: "authorization"}); proof.From != want {
		t.Errorf("from %v, want %v", proof.From, want)
	}
}

func TestIdentityOfIssuerBoundToken(t *testing.T) {
	proof, err := ask(demo(t), rs(rsHead, shop(`,"realm_access":{"roles":["offline","reader"]},
		"resource_access":{"orders-api":{"v1":{"roles":["wrong"]}},"orders-api.v1":{"roles":["orders-reader"]}},
		"groups":"/gold","scope":"openid orders:read  record:scope"`)))
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	if id.Consumer.Name != "mobile-app" || id.Credential.ID != "mobile-oidc" || id.Issuer != "shop" {
		t.Errorf("proven: consumer %s, credential %s, issuer %q", id.Consumer.Name, id.Credential.ID, id.Issuer)
	}
	want := [][]string{{"record:scope", "openid", "orders:read"}, {"reader", "offline", "orders-reader"}, {"premium", "/gold"}}
	if diff := cmp.Diff(want, [][]string{id.Scopes, id.Roles, id.Groups}); diff != "" {
		t.Errorf("scopes, roles, groups: %s", diff)
	}
}

func TestScopesAsList(t *testing.T) {
	proof, err := ask(demo(t), rs(rsHead, shop(`,"scope":["a:b","c"],"groups":null`)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"record:scope", "a:b", "c"}, proof.Identity.Scopes); diff != "" {
		t.Error(diff)
	}
}

func TestEphemeralConsumer(t *testing.T) {
	// The other issuer makes ephemeral consumers; a value that shop's record
	// has is nobody's there.
	other := strings.Replace(shop(`,"groups":["g"]`), shopIss, otherIss, 1)
	token := sign(rsHead, other, methodOf("RS256"), keysOfRun().rsa2)
	proof, err := ask(demo(t), token)
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	if id.Consumer.Name != "mobile-app" || !id.Consumer.Ephemeral || len(id.Roles) != 0 || len(id.Scopes) != 0 || id.Issuer != "other" {
		t.Errorf("proven: %+v of issuer %q, roles %v, scopes %v", id.Consumer, id.Issuer, id.Roles, id.Scopes)
	}
	if diff := cmp.Diff([]string{"g"}, id.Groups); diff != "" {
		t.Error(diff)
	}
}

// TestEphemeralConsumerTakesNoOthersName: to the upstream, an ephemeral
// consumer of a declared one's name would be that one.
func TestEphemeralConsumerTakesNoOthersName(t *testing.T) {
	records := demoRecords()
	records.found[consumer.NameReference("Ops-Console")] = &consumer.Found{Consumer: &access.Consumer{Name: "Ops-Console", Enabled: true}}
	a := New(demoConfig(), demoIssuers(t), records, openCache(t, 0, noon), "r1", noon)
	claim := func(name string) string {
		quoted, _ := json.Marshal(name)
		return strings.NewReplacer(shopIss, otherIss, `"mobile-app"`, string(quoted)).Replace(shop(""))
	}
	for name, want := range map[string]bool{
		"new-app": true, "ops-console": false, "OPS-CONSOLE": false, "a b": false, "a\r\nb": false, "..": false, "ü": false,
	} {
		proof, err := ask(a, sign(rsHead, claim(name), methodOf("RS256"), keysOfRun().rsa2))
		var rejection *access.Rejection
		if (err == nil) != want || err != nil && !errors.As(err, &rejection) {
			t.Errorf("%q: %+v, %v", name, proof.Identity, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	good := hs(hsHead, mobile(""))
	config := demoConfig()
	config.In = append(config.In, Location{Header: "X-Token"}, Location{Header: "X-Schemed", Scheme: "JWT"})
	a := New(config, nil, demoRecords(), openCache(t, 0, noon), "r1", noon)
	lines := func(pairs ...string) (h access.Headers) {
		for i := 0; i < len(pairs); i += 2 {
			h = append(h, access.Header{Name: pairs[i], Value: pairs[i+1]})
		}
		return h
	}
	const invalid, missing = access.CodeInvalidCredential, access.CodeMissingCredential
	for name, c := range map[string]struct {
		headers access.Headers
		want    access.Code
	}{
		"none":                     {nil, missing},
		"bearer":                   {lines("authorization", "Bearer "+good), ""},
		"bearer in any case":       {lines("authorization", "bEARER "+good), ""},
		"custom header":            {lines("x-token", good), ""},
		"custom header and scheme": {lines("x-schemed", "jwt "+good), ""},
		"custom header's scheme":   {lines("x-schemed", good), invalid},
		"other scheme":             {lines("authorization", "Basic YTpi"), missing},
		"a key":                    {lines("authorization", "Bearer "+demoKey(t)), missing},
		"a key in a header":        {lines("x-token", demoKey(t)), invalid},
		"bare scheme":              {lines("authorization", "Bearer"), invalid},
		"scheme and space":         {lines("authorization", "Bearer "), invalid},
		"two spaces":               {lines("authorization", "Bearer  "+good), invalid},
		"tab":                      {lines("authorization", "Bearer\t"+good), invalid},
		"space behind":             {lines("authorization", "Bearer "+good+" "), invalid},
		"empty header":             {lines("authorization", ""), invalid},
		"empty custom header":      {lines("x-token", ""), invalid},
		"two lines":                {lines("authorization", "Bearer "+good, "authorization", "Bearer "+good), invalid},
		"two lines, one basic":     {lines("authorization", "Basic YTpi", "authorization", "Bearer "+good), invalid},
		"two custom lines":         {lines("x-token", good, "x-token", good), invalid},
		"joined":                   {lines("authorization", "Bearer "+good+",Bearer "+good), invalid},
		"joined values":            {lines("x-token", good+","+good), invalid},
		"two places":               {lines("authorization", "Bearer "+good, "x-token", good), invalid},
		"alias is no place":        {lines("x_token", good), missing},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(context.Background(), &access.Request{Headers: c.headers})
			if codeOf(err) != c.want {
				t.Errorf("answer %q (%v), want %q", codeOf(err), err, c.want)
			}
		})
	}
}

// TestSkipOpaque: with introspection beside it, what is no JWS is not its own.
func TestSkipOpaque(t *testing.T) {
	config := demoConfig()
	config.SkipOpaque = true
	config.In = append(config.In, Location{Header: "X-Token"})
	skipping := New(config, nil, demoRecords(), openCache(t, 0, noon), "r1", noon)
	const invalid, missing = access.CodeInvalidCredential, access.CodeMissingCredential
	for name, c := range map[string]struct {
		header, value string
		skips, takes  access.Code
	}{
		"a good token":           {"authorization", "Bearer " + hs(hsHead, mobile("")), "", ""},
		"an opaque token":        {"authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA", missing, invalid},
		"an opaque token, whole": {"x-token", "2YotnFZFEjr1zCsicMWpAA", missing, missing},
		"a JWE":                  {"authorization", "Bearer a.b.c.d.e", missing, invalid},
		"no JWT in three parts":  {"authorization", "Bearer a.b.c", invalid, invalid},
		"nothing":                {"authorization", "Bearer ", invalid, invalid},
	} {
		req := &access.Request{Headers: access.Headers{{Name: c.header, Value: c.value}}}
		if _, err := skipping.Authenticate(context.Background(), req); codeOf(err) != c.skips {
			t.Errorf("%s: answer %q (%v), want %q", name, codeOf(err), err, c.skips)
		}
		if _, err := demo(t).Authenticate(context.Background(), req); codeOf(err) != c.takes {
			t.Errorf("%s, where none are skipped: answer %q (%v), want %q", name, codeOf(err), err, c.takes)
		}
	}
}

func demoKey(t *testing.T) string {
	t.Helper()
	key, err := consumer.NewKey("pst", "prod", strings.NewReader(strings.Repeat("0123456789abcdef", 8)))
	if err != nil {
		t.Fatal(err)
	}
	return string(key.Reveal())
}

func TestChallenge(t *testing.T) {
	a := New(Config{Realm: `a "b"`}, nil, nil, nil, "", noon)
	if got, want := a.Challenge(false), `Bearer realm="a \"b\""`; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
	if got, want := a.Challenge(true), `Bearer realm="a \"b\"", error="invalid_token"`; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
	if a.Kind() != access.KindJWT {
		t.Errorf("kind %s", a.Kind())
	}
}

func TestMaxLifetimeAndLeeway(t *testing.T) {
	config := demoConfig()
	config.MaxLifetime, config.Leeway = time.Hour, time.Hour // a minute at most counts
	a := New(config, nil, demoRecords(), openCache(t, 1<<20, noon), "r1", noon)
	for expires, want := range map[time.Duration]access.Code{
		time.Hour:                     "",
		time.Hour + time.Minute:       "",
		time.Hour + 61*time.Second:    access.CodeInvalidCredential,
		-59 * time.Second:             "",
		-time.Minute:                  access.CodeExpiredCredential,
		time.Duration(99) * time.Hour: access.CodeInvalidCredential,
	} {
		token := hs(hsHead, fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d}`, noon().Add(expires).Unix()))
		if _, err := ask(a, token); codeOf(err) != want {
			t.Errorf("exp in %v: answer %q (%v), want %q", expires, codeOf(err), err, want)
		}
	}
}

func TestEnvironments(t *testing.T) {
	config := demoConfig()
	config.Environments = []string{"prod"}
	a := New(config, demoIssuers(t), demoRecords(), openCache(t, 0, noon), "r1", noon)
	if _, err := ask(a, hs(hsHead, mobile(""))); err != nil {
		t.Errorf("prod: %v", err)
	}
	dev := strings.Replace(mobile(""), "mobile-issuer", "partner-key", 1)
	if _, err := ask(demo(t), hs(hsHead, dev)); err != nil {
		t.Errorf("dev where all are believed: %v", err)
	}
	if _, err := ask(a, hs(hsHead, dev)); codeOf(err) != access.CodeInvalidCredential {
		t.Errorf("dev where prod is believed: %v", err)
	}
}

func TestStoreTroubleIsAFaultAndNotRemembered(t *testing.T) {
	store := demoRecords()
	a := New(demoConfig(), demoIssuers(t), store, openCache(t, 1<<20, noon), "r1", noon)
	for name, token := range map[string]string{"consumer": hs(hsHead, mobile("")), "issuer": rs(rsHead, shop(""))} {
		store.err = errors.New("store is down")
		if _, err := ask(a, token); codeOf(err) != access.CodeFault || !errors.Is(err, store.err) {
			t.Errorf("%s: answer %v, want a fault of the store", name, err)
		}
		store.err = nil
		if _, err := ask(a, token); err != nil {
			t.Errorf("%s, once it is back: %v", name, err)
		}
	}
}

// TestBadSignatureAsksNoStore: whoever makes up an issuer's tokens makes no work
// for the store.
func TestBadSignatureAsksNoStore(t *testing.T) {
	store := demoRecords()
	a := New(demoConfig(), demoIssuers(t), store, openCache(t, 0, noon), "r1", noon)
	if _, err := ask(a, corrupt(rs(rsHead, shop("")))); codeOf(err) != access.CodeInvalidCredential {
		t.Errorf("answer %v", err)
	}
	if n := store.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestCache(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return noon().Add(time.Duration(offset.Load())) }
	store := demoRecords()
	c := openCache(t, 1<<20, now)
	a := New(demoConfig(), nil, store, c, "r1", now)
	token := hs(hsHead, fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d}`, noon().Unix()+10))
	if _, err := ask(a, token); err != nil {
		t.Fatal(err)
	}
	asked := store.asked.Load()
	eventually(t, "the identity is remembered", func() bool {
		before := store.asked.Load()
		_, err := ask(a, token)
		return err == nil && store.asked.Load() == before
	})

	other := New(demoConfig(), nil, store, c, "r2", now)
	if _, err := ask(other, token); err != nil || store.asked.Load() == asked {
		t.Errorf("another revision: %v, store asked %d times", err, store.asked.Load())
	}
	config := demoConfig()
	config.Environments = []string{"dev"}
	if _, err := ask(New(config, nil, store, c, "r1", now), token); codeOf(err) != access.CodeInvalidCredential {
		t.Errorf("another configuration under the same revision: %v", err)
	}

	offset.Store(int64(39 * time.Second))
	if _, err := ask(a, token); err != nil {
		t.Errorf("within exp and leeway: %v", err)
	}
	offset.Store(int64(40 * time.Second))
	if _, err := ask(a, token); codeOf(err) != access.CodeExpiredCredential {
		t.Errorf("at the end of exp and leeway: %v", err)
	}
}

func TestCredentialThatEndsWhileCached(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return noon().Add(time.Duration(offset.Load())) }
	store := demoRecords()
	store.found[consumer.Reference{Kind: access.KindJWT, Value: "mobile-issuer"}].Credential.ExpiresAt = noon().Add(5 * time.Second)
	a := New(demoConfig(), nil, store, openCache(t, 1<<20, now), "r1", now)
	token := hs(hsHead, mobile(""))
	for range 3 {
		if _, err := ask(a, token); err != nil {
			t.Fatal(err)
		}
	}
	offset.Store(int64(5 * time.Second))
	if _, err := ask(a, token); codeOf(err) != access.CodeExpiredCredential {
		t.Errorf("at the credential's end: %v", err)
	}
}

// TestPassingRejectionsAreNotRemembered: what becomes good by itself is good at
// once.
func TestPassingRejectionsAreNotRemembered(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return noon().Add(time.Duration(offset.Load())) }
	config := demoConfig()
	config.MaxLifetime = 10 * time.Minute
	store := demoRecords()
	a := New(config, nil, store, openCache(t, 1<<20, now), "r1", now)
	soon := noon().Unix() + 32
	tokens := map[string]string{
		"nbf":          hs(hsHead, mobile(fmt.Sprintf(`,"nbf":%d`, soon))),
		"iat":          hs(hsHead, mobile(fmt.Sprintf(`,"iat":%d`, soon))),
		"max_lifetime": hs(hsHead, fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d}`, noon().Unix()+632)),
		"record":       hs(hsHead, strings.Replace(mobile(""), "mobile-issuer", "new-key", 1)),
	}
	for name, token := range tokens {
		if _, err := ask(a, token); codeOf(err) != access.CodeInvalidCredential {
			t.Errorf("%s, too early: %v", name, err)
		}
	}
	offset.Store(int64(2 * time.Second))
	store.found[consumer.Reference{Kind: access.KindJWT, Value: "new-key"}] = store.found[consumer.Reference{Kind: access.KindJWT, Value: "mobile-issuer"}]
	for name, token := range tokens {
		if _, err := ask(a, token); err != nil {
			t.Errorf("%s, in time: %v", name, err)
		}
	}
}

func TestExplainTellsTheStoryAndNoSecret(t *testing.T) {
	a := New(demoConfig(), demoIssuers(t), demoRecords(), openCache(t, 1<<20, noon), "r1", noon)
	for name, c := range map[string]struct{ token, want string }{
		"consumer": {hs(hsHead, mobile("")), "mobile-jwt"},
		"issuer":   {rs(rsHead, shop("")), "issuer shop"},
		"bad":      {corrupt(rs(rsHead, shop(""))), "signature is not good"},
	} {
		_, _ = ask(a, c.token) // so that it could be remembered
		req := request(c.token)
		req.Explain = &access.Explanation{}
		_, err := a.Authenticate(context.Background(), req)
		story := fmt.Sprint(req.Explain.Steps, err)
		if !strings.Contains(story, c.want) {
			t.Errorf("%s: %q is not in the story: %s", name, c.want, story)
		}
		signature := c.token[strings.LastIndexByte(c.token, '.')+1:]
		if strings.Contains(story, signature) || strings.Contains(story, secret) {
			t.Errorf("%s: a secret is in the story: %s", name, story)
		}
	}
}

// TestMany asks from many goroutines while the keys change under them.
func TestMany(t *testing.T) {
	keys := keysOfRun()
	first, second := oneKey("r1"), jwks(jwkOf("r1", &keys.rsa1.PublicKey, ""), jwkOf("r2", &keys.rsa2.PublicKey, ""))
	p := &publisher{body: first}
	config := shopConfig("")
	config.JWKSURL, config.Refresh = "https://id.example.com/keys", time.Millisecond
	issuers := open(t, []IssuerConfig{config}, Deps{Client: &http.Client{Transport: p}, Now: noon})
	eventually(t, "the issuer is ready", func() bool { return issuers.Ready() == nil })
	a := New(demoConfig(), issuers, demoRecords(), openCache(t, 1<<20, noon), "r1", noon)
	good, bad := rs(rsHead, shop("")), corrupt(rs(rsHead, shop("")))
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 50 {
				if n == 0 {
					p.publish([]string{first, second}[i%2], nil, 0)
				}
				if _, err := ask(a, good); err != nil {
					t.Errorf("good: %v", err)
				}
				if _, err := ask(a, bad); codeOf(err) != access.CodeInvalidCredential {
					t.Errorf("bad: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// eventually polls a condition that another goroutine brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in 10 s: %s", what)
}
