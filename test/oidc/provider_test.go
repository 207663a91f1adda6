package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// The resources of provider.mjs: their tokens' audiences are orders-api and
// reports-api.
const (
	orders  = "https://orders.example.com"
	reports = "https://reports.example.com"
)

// secret and back are those of the clients in provider.mjs.
const (
	secret = "secret-of-a-test"
	back   = "https://app.example.com/back"
)

// provider is oidc-provider, running.
type provider struct {
	issuer  string
	process *harness.Process
	http    *http.Client
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p := &provider{
		issuer: "http://" + harness.FreeAddress(t),
		http:   &http.Client{Timeout: harness.Patience, Jar: jar, Transport: transport, CheckRedirect: stopAtTheApp},
	}
	p.restart(t)
	return p
}

// stopAtTheApp follows redirects up to the client's own address.
func stopAtTheApp(next *http.Request, _ []*http.Request) error {
	if strings.HasPrefix(next.URL.String(), back) {
		return http.ErrUseLastResponse
	}
	return nil
}

// restart runs the provider on its address, with a new key and no memory.
func (p *provider) restart(t *testing.T) {
	t.Helper()
	const how = "needs Node 20 and npm (Debian: apt-get install nodejs npm), then `make tools`"
	node, err := exec.LookPath("node")
	if err != nil {
		harness.Missing(t, "the OpenID Connect provider "+how)
	}
	script := filepath.Join(harness.Root(t), "test", "oidc", "provider", "provider.mjs")
	if _, err := os.Stat(filepath.Join(filepath.Dir(script), "node_modules", "oidc-provider")); err != nil {
		harness.Missing(t, "the OpenID Connect provider is not installed: it "+how)
	}
	// #nosec G204 -- a tool of this test
	p.process = harness.Start(t, "oidc-provider", exec.Command(node, script, harness.Port(p.issuer)), func() error {
		_, err := p.do(context.Background(), http.MethodGet, "/.well-known/openid-configuration", nil)
		return err
	})
}

func (p *provider) stop(t *testing.T) {
	t.Helper()
	p.process.Stop(t)
}

// rotate makes the provider sign with a new key and publish both.
func (p *provider) rotate(t *testing.T) {
	t.Helper()
	if _, err := p.do(t.Context(), http.MethodPost, "/test/rotate", nil); err != nil {
		t.Fatal(err)
	}
}

// tokens is what the token endpoint answers (RFC 6749 section 5.1).
type tokens struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
}

// accessToken is by client credentials; without a resource it is an opaque one.
func (p *provider) accessToken(t *testing.T, client, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if resource != "" {
		form.Set("resource", resource)
		form.Set("scope", "orders:read")
	}
	return p.token(t, client, form).Access
}

// codeFlow is a user's tokens at mobile-app.
func (p *provider) codeFlow(t *testing.T) tokens {
	t.Helper()
	query := url.Values{
		"client_id": {"mobile-app"}, "response_type": {"code"}, "redirect_uri": {back},
		"scope": {"openid orders:read"}, "resource": {orders},
	}
	response, err := p.do(t.Context(), http.MethodGet, "/auth?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(response.Header.Get("Location"))
	if err != nil || at.Query().Get("code") == "" {
		t.Fatalf("the provider sends the user to %q, want a code (%v)", at, err)
	}
	return p.token(t, "mobile-app", url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {back}, "resource": {orders},
	})
}

func (p *provider) token(t *testing.T, client string, form url.Values) (got tokens) {
	t.Helper()
	form.Set("client_id", client)
	form.Set("client_secret", secret)
	response, err := p.do(t.Context(), http.MethodPost, "/token", form)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(response.body, &got); err != nil || got.Access == "" {
		t.Fatalf("the token endpoint answers %s (%v)", response.body, err)
	}
	return got
}

type page struct {
	*http.Response
	body []byte
}

func (p *provider) do(ctx context.Context, method, target string, form url.Values) (page, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.issuer+target, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := p.http.Do(request)
	if err != nil {
		return page{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, target, response.Status, body)
	}
	return page{response, body}, err
}

// issuerState is what /readyz says of an issuer.
type issuerState struct {
	Ready bool   `json:"ready"`
	Keys  int    `json:"keys"`
	Error string `json:"error"`
}

func (h *house) keys(t *testing.T) issuerState {
	t.Helper()
	response, err := h.http.Get("http://" + h.postern.Admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // nothing was written
	var report struct {
		Issuers []issuerState `json:"issuers"`
	}
	if err := json.NewDecoder(response.Body).Decode(&report); err != nil || len(report.Issuers) != 1 {
		t.Fatalf("/readyz tells of %+v (%v), want one issuer", report, err)
	}
	return report.Issuers[0]
}

func (h *house) waitKeys(t *testing.T, n int) {
	t.Helper()
	harness.WaitFor(t, fmt.Sprintf("%d keys", n), func() error {
		if state := h.keys(t); state.Keys != n {
			return fmt.Errorf("%+v", state)
		}
		return nil
	})
}

// lookForKeys brings a fetch about: a token of a key that nobody has seen.
func (h *house) lookForKeys(t *testing.T) {
	t.Helper()
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims := fmt.Sprintf(`{"iss":%q,"aud":"orders-api","client_id":"mobile-app","exp":4102444800}`, h.issuer)
	token := part(`{"alg":"RS256","kid":"never-seen"}`) + "." + part(claims) + "." + part(strings.Repeat("x", 256))
	if answer := h.ask(t, token); answer.Status != http.StatusUnauthorized {
		t.Fatalf("a token of an unknown key: status %d, want 401: %s", answer.Status, answer.Body)
	}
}

// swapSignature is a token under another's signature.
func swapSignature(t *testing.T, token, other string) string {
	t.Helper()
	at, from := strings.LastIndexByte(token, '.'), strings.LastIndexByte(other, '.')
	if at < 0 || from < 0 || token == other {
		t.Fatalf("expected two tokens, got %q and %q", token, other)
	}
	return token[:at] + other[from:]
}
