package bearer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// publisher is an issuer's server in memory, so that its tests run on a clock
// of their own.
type publisher struct {
	mu      sync.Mutex
	body    string
	err     error
	takes   time.Duration
	fetches []time.Time
}

func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	body, err, takes := p.body, p.err, p.takes
	p.fetches = append(p.fetches, time.Now())
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (p *publisher) publish(body string, err error, takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body, p.err, p.takes = body, err, takes
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.fetches)
}

// remote is shop with its keys behind a URL, on the bubble's clock. Jitter is
// none.
func remote(t *testing.T, p *publisher, change func(*IssuerConfig)) (*Authenticator, *Issuers) {
	t.Helper()
	config := shopConfig("")
	config.JWKSURL, config.UnknownConsumer = "https://id.example.com/keys", UnknownEphemeral
	if change != nil {
		change(&config)
	}
	issuers, err := OpenIssuers(t.Context(), []IssuerConfig{config}, Deps{
		Client: &http.Client{Transport: p}, Now: time.Now, Jitter: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuers.Close)
	return New(demoConfig(), issuers, demoRecords(), openCache(t, 0, time.Now), "r1", time.Now), issuers
}

// fresh is a token of shop on the bubble's clock.
func fresh(kid string) string {
	claims := fmt.Sprintf(`{"iss":%q,"aud":"orders-api","azp":"x","exp":%d}`, shopIss, time.Now().Add(100*time.Hour).Unix())
	return rs(`{"alg":"RS256","kid":"`+kid+`"}`, claims)
}

func oneKey(kid string) string { return jwks(jwkOf(kid, &keysOfRun().rsa1.PublicKey, "")) }

func answers(t *testing.T, a *Authenticator, token string, want access.Code) {
	t.Helper()
	if _, err := ask(a, token); codeOf(err) != want {
		t.Errorf("answer %q (%v), want %q", codeOf(err), err, want)
	}
}

func TestRow22Rotation(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, issuers := remote(t, p, nil)
		synctest.Wait()
		old := fresh("r1")
		answers(t, a, old, "")
		named := issuers.keysPrint()

		time.Sleep(10 * time.Second)
		p.publish(jwks(jwkOf("r2", &keysOfRun().rsa1.PublicKey, "")), nil, 100*time.Millisecond)
		start := time.Now()
		answers(t, a, fresh("r2"), "")
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("the first token with the new key took %v", took)
		}
		if issuers.keysPrint() == named {
			t.Error("the keys are not named anew")
		}
		answers(t, a, old, access.CodeInvalidCredential)
	})
}

func TestRow22RemovedKeyEndsWithTheNextFetch(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, _ := remote(t, p, nil)
		synctest.Wait()
		token := fresh("r1")
		answers(t, a, token, "")
		p.publish(oneKey("r2"), nil, 0)
		time.Sleep(time.Minute + time.Second)
		answers(t, a, token, access.CodeInvalidCredential)
	})
}

// TestRow22RemovedKeyEndsWhatIsRemembered: tokens go with their key, though
// they were proven a moment before.
func TestRow22RemovedKeyEndsWhatIsRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jwks.json")
	write(t, file, oneKey("r1"))
	store, issuers := demoRecords(), open(t, []IssuerConfig{shopConfig(file)}, Deps{Now: noon})
	a := New(demoConfig(), issuers, store, openCache(t, 1<<20, noon), "r1", noon)
	token := rs(rsHead, shop(""))
	eventually(t, "the token is remembered", func() bool {
		before := store.asked.Load()
		_, err := ask(a, token)
		return err == nil && store.asked.Load() == before
	})
	named := issuers.keysPrint()
	write(t, file, oneKey("r2"))
	eventually(t, "the file is read again", func() bool { return issuers.keysPrint() != named })
	answers(t, a, token, access.CodeInvalidCredential)
}

// TestRow22UnknownKidIsNotRemembered: a token that came before its key's fetch
// was allowed brings it about as soon as it is.
func TestRow22UnknownKidIsNotRemembered(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, _ := remote(t, p, func(c *IssuerConfig) { c.Refresh = time.Hour })
		a.cache = openCache(t, 1<<20, time.Now)
		synctest.Wait()
		answers(t, a, fresh("made-up"), access.CodeInvalidCredential)
		p.publish(oneKey("r2"), nil, 0)
		token := fresh("r2")
		time.Sleep(askEvery - time.Second)
		answers(t, a, token, access.CodeInvalidCredential)
		time.Sleep(time.Second)
		answers(t, a, token, "")
	})
}

// good shows a token that the keys at hand verify: no flood holds it up.
func good(t *testing.T, a *Authenticator) {
	t.Helper()
	token, start := fresh("r1"), time.Now()
	answers(t, a, token, "")
	if took := time.Since(start); took != 0 {
		t.Errorf("a good token took %v within the flood", took)
	}
}

// underKid puts another header before the rest of a token, whose signature is
// then nobody's: that the kid is unknown is found out first.
func underKid(kid, rest string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"`+kid+`"}`)) + "." + rest
}

func TestRow23FloodOfUnknownKids(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, _ := remote(t, p, func(c *IssuerConfig) { c.Refresh = time.Hour })
		synctest.Wait()
		p.publish(oneKey("r1"), nil, 10*time.Second)       // slower than the patience, and than the timeout
		_, signed, _ := strings.Cut(fresh("made-up"), ".") // signing each would take longer than all the rest
		begin := time.Now()
		var flood sync.WaitGroup
		for client := range 500 {
			flood.Go(func() {
				for n := range 200 {
					if n%50 == 1 {
						good(t, a)
					}
					start := time.Now()
					answers(t, a, underKid(fmt.Sprint("made-up-", client, "-", n), signed), access.CodeInvalidCredential)
					if took := time.Since(start); took > patience {
						t.Errorf("an unknown kid took %v", took)
					}
				}
			})
		}
		flood.Wait()
		if took := time.Since(begin); took > askEvery {
			t.Fatalf("the flood took %v, and so more than one fetch", took)
		}
		if n := p.count(); n != 2 {
			t.Errorf("%d fetches, want the first and one for 100,000 unknown kids", n)
		}
	})
}

func TestRow23OneFetchInThirtySeconds(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, _ := remote(t, p, func(c *IssuerConfig) { c.Refresh = time.Hour })
		synctest.Wait()
		for range 90 { // 10 a second would be no different
			answers(t, a, fresh("made-up"), access.CodeInvalidCredential)
			time.Sleep(time.Second)
		}
		if n := p.count(); n != 1+3 {
			t.Errorf("%d fetches in 90 s, want the first and 3", n)
		}
	})
}

func TestRow24Outage(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{body: oneKey("r1")}
		a, issuers := remote(t, p, func(c *IssuerConfig) { c.MaxStale = time.Hour })
		synctest.Wait()
		token := fresh("r1")
		last := issuers.State()[0].LastSuccess
		p.publish("", errors.New("connection refused"), 0)
		time.Sleep(59 * time.Minute)
		answers(t, a, token, "")
		s := issuers.State()[0]
		if !s.Stale || s.Keys != 1 || !s.LastSuccess.Equal(last) || !strings.Contains(s.LastError, "refused") {
			t.Errorf("state in the outage: %+v", s)
		}
		named := issuers.keysPrint()
		time.Sleep(2 * time.Minute)
		answers(t, a, token, access.CodeFault)
		if issuers.Ready() == nil || issuers.State()[0].Keys != 0 || issuers.keysPrint() == named {
			t.Errorf("past max-stale: ready %v, state %+v", issuers.Ready(), issuers.State())
		}
		p.publish(oneKey("r1"), nil, 0)
		time.Sleep(time.Minute + time.Second)
		answers(t, a, token, "")
		if s := issuers.State()[0]; s.Stale || s.LastError != "" {
			t.Errorf("state once it is back: %+v", s)
		}
	})
}

func TestRow24ColdStart(t *testing.T) {
	keysOfRun()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{err: errors.New("connection refused")}
		a, issuers := remote(t, p, nil)
		token, own := fresh("r1"), hs(hsHead, fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d}`, time.Now().Add(time.Hour).Unix()))
		answers(t, a, token, access.CodeFault)
		answers(t, a, own, "")
		answers(t, a, corrupt(own), access.CodeInvalidCredential)
		if err := issuers.Ready(); err == nil || !strings.Contains(err.Error(), "shop") {
			t.Errorf("ready: %v", err)
		}
		time.Sleep(5 * time.Minute)
		if n := p.count(); n < 8 || n > 12 {
			t.Errorf("%d tries in 5 minutes, want 1, 2, 4, … 60 s apart", n)
		}
		p.publish(oneKey("r1"), nil, 0)
		time.Sleep(time.Minute + time.Second)
		answers(t, a, token, "")
		if err := issuers.Ready(); err != nil {
			t.Errorf("ready: %v", err)
		}
	})
}

// TestRow24LastGoodSetStays: whatever comes instead of a set, the last good one
// serves, and no request waits.
func TestRow24LastGoodSetStays(t *testing.T) {
	keysOfRun()
	for name, c := range map[string]struct {
		body  string
		takes time.Duration
	}{
		"HTML":         {"<html>", 0},
		"empty set":    {`{"keys":[]}`, 0},
		"private part": {jwks(jwkOf("r1", &keysOfRun().rsa2.PublicKey, `,"d":"AQ"`)), 0},
		"cut":          {oneKey("r9")[:100], 0},
		"huge":         {strings.Repeat(" ", 2<<20) + oneKey("r9"), 0},
		"hanging":      {oneKey("r9"), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &publisher{body: oneKey("r1")}
				a, issuers := remote(t, p, nil)
				synctest.Wait()
				p.publish(c.body, nil, c.takes)
				time.Sleep(10 * time.Minute)
				start := time.Now()
				answers(t, a, fresh("r1"), "")
				if took := time.Since(start); took != 0 {
					t.Errorf("a request waited %v", took)
				}
				if s := issuers.State()[0]; !s.Stale || s.Keys != 1 {
					t.Errorf("state: %+v", s)
				}
			})
		})
	}
}

func TestFileIsReadAgain(t *testing.T) {
	keys, file := keysOfRun(), filepath.Join(t.TempDir(), "jwks.json")
	write(t, file, oneKey("r1"))
	issuers := open(t, []IssuerConfig{shopConfig(file)}, Deps{})
	if err := issuers.Ready(); err != nil {
		t.Fatalf("not ready with its file: %v", err)
	}
	has := func(kid string) bool {
		set, err := issuers.list[0].keys(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, ok := set.find(header{alg: "RS256", kid: kid, hasKid: true})
		return ok
	}
	named := issuers.keysPrint()
	write(t, file, jwks(jwkOf("r2", &keys.rsa2.PublicKey, "")))
	eventually(t, "the new key is known and the old is not", func() bool { return has("r2") && !has("r1") })
	if issuers.keysPrint() == named {
		t.Error("the keys are not named anew")
	}
	write(t, file, "{")
	eventually(t, "the bad file is seen", func() bool { return issuers.State()[0].Stale })
	if !has("r2") {
		t.Error("the last good set is gone")
	}
	write(t, file, oneKey("r1"))
	eventually(t, "it is good again", func() bool { return has("r1") && !issuers.State()[0].Stale })
}

func TestOpenIssuersRefusesBadConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jwks.json")
	write(t, file, oneKey("r1"))
	for name, c := range map[string]struct {
		change func(*IssuerConfig)
		says   string
	}{
		"no name":         {func(c *IssuerConfig) { c.Name = "" }, "name"},
		"no issuer":       {func(c *IssuerConfig) { c.Issuer = "" }, "issuer"},
		"no audiences":    {func(c *IssuerConfig) { c.Audiences = nil }, "audiences"},
		"no claim":        {func(c *IssuerConfig) { c.ConsumerClaim = "" }, "consumer_claim"},
		"no algorithms":   {func(c *IssuerConfig) { c.Algorithms = nil }, "algorithms"},
		"HS256":           {func(c *IssuerConfig) { c.Algorithms = []string{"RS256", "HS256"} }, "HS256"},
		"none":            {func(c *IssuerConfig) { c.Algorithms = []string{"none"} }, "none"},
		"unknown":         {func(c *IssuerConfig) { c.UnknownConsumer = "allow" }, "unknown_consumer"},
		"two sources":     {func(c *IssuerConfig) { c.JWKSURL = "https://x.test" }, "one of them"},
		"no such file":    {func(c *IssuerConfig) { c.JWKSFile += "x" }, "no such file"},
		"a folder":        {func(c *IssuerConfig) { c.JWKSFile = filepath.Dir(file) }, "regular file"},
		"ftp":             {func(c *IssuerConfig) { c.JWKSFile, c.JWKSURL = "", "ftp://x.test" }, "jwks_url"},
		"password":        {func(c *IssuerConfig) { c.JWKSFile, c.JWKSURL = "", "https://u:hunter2@x.test" }, "without user"},
		"issuer no URL":   {func(c *IssuerConfig) { c.JWKSFile, c.Issuer = "", "shop" }, "issuer"},
		"negative":        {func(c *IssuerConfig) { c.MaxStale = -1 }, "negative"},
		"everything else": {func(c *IssuerConfig) { c.Name, c.Algorithms, c.Refresh = "", nil, -1 }, "refresh"},
	} {
		config := shopConfig(file)
		c.change(&config)
		issuers, err := OpenIssuers(context.Background(), []IssuerConfig{config}, Deps{})
		if err == nil {
			issuers.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
	}
	twin := shopConfig(file)
	if _, err := OpenIssuers(context.Background(), []IssuerConfig{twin, twin}, Deps{}); err == nil {
		t.Error("the same issuer twice was opened")
	}
}

func TestNoIssuers(t *testing.T) {
	var none *Issuers
	none.Close()
	if none.Ready() != nil || none.State() != nil || none.keysPrint() != "" || none.find("x") != nil {
		t.Error("no issuers are something")
	}
}
