//go:build keycloak

// Package keycloak follows deploy/keycloak/README.md with a real Keycloak:
// `make test-keycloak`.
package keycloak

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	documented = "127.0.0.1:8080"
	secret     = "secret-of-a-test-and-of-nothing-else"
)

// others are consumers, too, so that nothing but their tokens can be what is
// refused.
const others = `
  - name: stranger-prod
    credentials:
      - {id: stranger-oidc, type: issuer, issuer: shop, value: stranger}
      - {id: stranger-offline, type: issuer, issuer: shop-offline, value: stranger}
  - name: outsider-prod
    credentials:
      - {id: outsider-offline, type: issuer, issuer: shop-offline, value: outsider}
`

// realm is a running Keycloak in which the page's commands were run.
type realm struct {
	address string
	home    string // of kcadm.sh's own settings
	bin     string
	http    *http.Client
}

func start(t *testing.T) *realm {
	t.Helper()
	dist := filepath.Join(harness.Root(t), ".tools", "keycloak-26.4.5")
	if home := os.Getenv("KEYCLOAK_HOME"); home != "" {
		dist = home
	}
	if _, err := os.Stat(filepath.Join(dist, "bin", "kc.sh")); err != nil {
		harness.Missing(t, "Keycloak is not there: run `make keycloak`, or name one in $KEYCLOAK_HOME")
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r := &realm{
		address: harness.FreeAddress(t), home: t.TempDir(), bin: filepath.Join(dist, "bin"),
		http: &http.Client{Timeout: harness.Patience, Transport: transport},
	}
	_, port, _ := strings.Cut(r.address, ":")
	// kc.sh passes SIGTERM on to the java that it starts, or becomes it. The database is in that one's memory.
	cmd := exec.Command("bash", filepath.Join(r.bin, "kc.sh"), "start-dev", "--http-host=127.0.0.1", "--http-port="+port, "--db=dev-mem")
	cmd.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD="+secret, "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m")
	harness.Start(t, "keycloak", cmd, func() error {
		_, err := r.get("http://" + r.address + "/realms/master/.well-known/openid-configuration")
		return err
	})
	return r
}

func (r *realm) get(address string) (string, error) {
	response, err := r.http.Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return string(text), err
}

// run runs a script as a reader of the page would.
func (r *realm) run(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script, documented, r.address))
	cmd.Env = append(os.Environ(), "HOME="+r.home, "PATH="+r.bin+":"+os.Getenv("PATH"), "MOBILE_SECRET="+secret, "ORDERS_SECRET="+secret,
		"KC_BOOTSTRAP_ADMIN_PASSWORD="+secret, "JAVA_TOOL_OPTIONS=-Duser.home="+r.home)
	output, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec's own, as it is
			stderr = e.Stderr
		}
		t.Fatalf("%s\n%v\n%s%s", script, err, output, stderr)
	}
	return strings.TrimSpace(string(output))
}

// tokens are what the realm gives a client for its credentials.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (r *realm) tokens(t *testing.T, scope string) tokens {
	t.Helper()
	return r.tokensOf(t, "mobile-app", scope)
}

func (r *realm) tokensOf(t *testing.T, client, scope string) tokens {
	t.Helper()
	response, err := r.http.PostForm("http://"+r.address+"/realms/shop/protocol/openid-connect/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {scope},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var given tokens
	if err := json.NewDecoder(response.Body).Decode(&given); err != nil || given.Access == "" {
		t.Fatalf("no token: %s %v", response.Status, err)
	}
	return given
}

// briefToken is an access token that lives a second.
func (r *realm) briefToken(t *testing.T) string {
	t.Helper()
	lives := func(seconds string) {
		r.run(t, `mobile=$(kcadm.sh get clients -r shop -q clientId=mobile-app --fields id --format csv --noquotes)
			kcadm.sh update "clients/$mobile" -r shop -s 'attributes."access.token.lifespan"=`+seconds+`'`)
	}
	lives("1")
	defer lives("300")
	return r.tokens(t, "openid").Access
}

// blocks are the page's fenced blocks of one kind, in order.
func blocks(page, info string) []string {
	var found []string
	for _, part := range strings.Split(page, "\n```"+info+"\n")[1:] {
		text, _, _ := strings.Cut(part, "\n```")
		found = append(found, text)
	}
	return found
}

// house is the page's Postern before its realm, behind a real Envoy.
type house struct {
	*realm
	postern *harness.Postern
	client  *harness.Client
}

func open(t *testing.T) *house {
	t.Helper()
	page := harness.Read(t, filepath.Join(harness.Root(t), "deploy", "keycloak", "README.md"))
	scripts, files := blocks(page, "sh runnable"), blocks(page, "yaml")
	if len(scripts) != 3 || len(files) != 2 {
		t.Fatalf("the page has %d scripts and %d files, want 3 and 2", len(scripts), len(files))
	}
	r := start(t)
	for _, script := range scripts {
		r.run(t, script)
	}
	t.Setenv("ORDERS_SECRET", secret)
	dir := t.TempDir()
	harness.Write(t, filepath.Join(dir, "postern.yaml"), strings.ReplaceAll(files[0], documented, r.address))
	harness.Write(t, filepath.Join(dir, "consumers.yaml"), files[1]+"\n"+others)
	postern := harness.StartPostern(t, dir)
	gateway := harness.StartEnvoy(t, harness.StartUpstream(t).Address, []*harness.Postern{postern}, nil)
	gateway.WaitHealthy(t, postern)
	return &house{r, postern, harness.NewClient(t, gateway.URL)}
}

func (h *house) ask(t *testing.T, path, token string) *harness.Answer {
	t.Helper()
	answer, err := h.client.Do(t.Context(), harness.Request{Target: path, Header: http.Header{"Authorization": {"Bearer " + token}, "X-Client-ID": {"forged"}}})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (h *house) mustAnswer(t *testing.T, what, path, token string, status int, code string) {
	t.Helper()
	answer := h.ask(t, path, token)
	if answer.Status != status || answer.Header.Get("X-Postern-Code") != code {
		t.Errorf("%s: %d %s, want %d %s: %s", what, answer.Status, answer.Header.Get("X-Postern-Code"), status, code, answer.Body)
	}
}

// TestPage is one story: a Keycloak takes its time to start.
func TestPage(t *testing.T) {
	h := open(t)
	brief := h.briefToken(t)
	given := h.tokens(t, "openid offline_access")

	t.Run("an access token names consumer, role and client", func(t *testing.T) {
		answer := h.ask(t, "/catalog", given.Access)
		if answer.Status != http.StatusOK || answer.Seen == nil {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		for name, want := range map[string]string{"X-Consumer-Username": "mobile-app-prod", "X-Credential-Identifier": "mobile-oidc", "X-Client-Id": "mobile-app", "Authorization": ""} {
			if got := answer.Seen.Header.Get(name); got != want {
				t.Errorf("%s is %q at the upstream, want %q", name, got, want)
			}
		}
	})
	t.Run("the role decides", func(t *testing.T) {
		answer, err := h.client.Do(t.Context(), harness.Request{Method: http.MethodPost, Target: "/catalog", Header: http.Header{"Authorization": {"Bearer " + given.Access}}})
		if err != nil || answer.Status != http.StatusForbidden {
			t.Errorf("a reader may write: %+v, %v", answer, err)
		}
	})
	t.Run("tokens that are for others are refused", func(t *testing.T) {
		if given.ID == "" || given.Refresh == "" {
			t.Fatal("the realm gave no ID or refresh token")
		}
		refresh := h.tokens(t, "openid").Refresh
		h.mustAnswer(t, "offline token", "/catalog", given.Refresh, 401, "invalid_credential")
		// Where they are introspected, the realm calls them active and adds our audience to the answer.
		for _, path := range []string{"/catalog", "/offline/x"} {
			h.mustAnswer(t, "ID token at "+path, path, given.ID, 401, "invalid_credential")
			h.mustAnswer(t, "refresh token at "+path, path, refresh, 401, "invalid_credential")
		}
	})
	t.Run("a client is believed from its mapper on", func(t *testing.T) {
		h.run(t, `kcadm.sh create clients -r shop -s clientId=stranger -s secret="$MOBILE_SECRET" -s publicClient=false -s serviceAccountsEnabled=true
			kcadm.sh add-roles -r shop --uusername service-account-stranger --rolename reader`)
		before := h.tokensOf(t, "stranger", "openid").Access
		h.run(t, `stranger=$(kcadm.sh get clients -r shop -q clientId=stranger --fields id --format csv --noquotes)
			kcadm.sh create "clients/$stranger/protocol-mappers/models" -r shop -s name=orders-api -s protocol=openid-connect -s protocolMapper=oidc-audience-mapper \
			  -s 'config."included.custom.audience"=orders-api' -s 'config."access.token.claim"=true'`)
		after := h.tokensOf(t, "stranger", "openid").Access
		h.mustAnswer(t, "a token for account", "/catalog", before, 401, "invalid_credential")
		h.mustAnswer(t, "a token for orders-api", "/catalog", after, 200, "")
		h.mustAnswer(t, "a token for orders-api, introspected", "/offline/x", after, 200, "")
	})
	t.Run("an introspected token must be for the audience", func(t *testing.T) {
		h.run(t, `kcadm.sh create clients -r shop -s clientId=outsider -s secret="$MOBILE_SECRET" -s publicClient=false -s serviceAccountsEnabled=true
			kcadm.sh add-roles -r shop --uusername service-account-outsider --rolename reader`)
		h.mustAnswer(t, "a token for account", "/offline/x", h.tokensOf(t, "outsider", "openid").Access, 401, "invalid_credential")
	})
	t.Run("the encryption key is left out", func(t *testing.T) {
		set, err := h.get("http://" + h.address + "/realms/shop/protocol/openid-connect/certs")
		if err != nil || !strings.Contains(set, `"use":"enc"`) {
			t.Fatalf("the realm has no encryption key to leave out: %s %v", set, err)
		}
		if ready, err := h.get("http://" + h.postern.Admin + "/readyz"); err != nil || !strings.Contains(ready, `"keys":1`) {
			t.Errorf("ready: %s %v", ready, err)
		}
	})
	t.Run("a new key is believed, the old one until it ends", func(t *testing.T) {
		id := h.run(t, "kcadm.sh get realms/shop --fields id --format csv --noquotes")
		h.run(t, "kcadm.sh create components -r shop -s name=next -s providerId=rsa-generated -s providerType=org.keycloak.keys.KeyProvider -s parentId="+id+
			` -s 'config.priority=["200"]' -s 'config.enabled=["true"]' -s 'config.active=["true"]' -s 'config.algorithm=["RS256"]'`)
		next := h.tokens(t, "openid").Access
		if header(next) == header(given.Access) {
			t.Fatal("the realm still signs with its first key")
		}
		harness.WaitFor(t, "the new key to be believed", func() error {
			if answer := h.ask(t, "/catalog", next); answer.Status != http.StatusOK {
				return fmt.Errorf("%d %s", answer.Status, answer.Body)
			}
			return nil
		})
		h.mustAnswer(t, "a token of the old key", "/catalog", given.Access, 200, "")
	})
	t.Run("an offline token is introspected, and refused once its client is disabled", func(t *testing.T) {
		h.mustAnswer(t, "offline token", "/offline/x", given.Refresh, 200, "")
		latest := h.tokens(t, "openid").Access
		h.run(t, `kcadm.sh update "clients/$(kcadm.sh get clients -r shop -q clientId=mobile-app --fields id --format csv --noquotes)" -r shop -s enabled=false`)
		harness.WaitFor(t, "the disabled client to be refused", func() error {
			if answer := h.ask(t, "/offline/x", given.Refresh); answer.Header.Get("X-Postern-Code") != "invalid_credential" {
				return fmt.Errorf("%d %s", answer.Status, answer.Body)
			}
			return nil
		})
		h.mustAnswer(t, "an access token that nobody is asked about", "/catalog", latest, 200, "")
	})
	t.Run("a token of the old key ends at its end", func(t *testing.T) {
		harness.WaitFor(t, "a token that lived a second, and the leeway, to be refused", func() error {
			if code := h.ask(t, "/catalog", brief).Header.Get("X-Postern-Code"); code != "expired_credential" {
				return fmt.Errorf("code %q", code)
			}
			return nil
		})
	})
}

// header is the part of a token that names the key.
func header(token string) string { part, _, _ := strings.Cut(token, "."); return part }
