package life

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

// grace is how long the old key of the user below still counts: long enough to
// be tried, short enough to be waited for. Thirty days pass in the test of the
// keyring, by a clock that can be moved.
const grace = 3 * time.Second

// soon is how long an administrator's change may take to reach a gateway's
// client.
const soon = time.Second

// routes need a scope, so that the key's scopes are seen to matter.
const routes = `routes:
  - name: order
    match: {paths: ["/orders/{id}"]}
    require: {scopes: [orders:read]}
`

// TestUser is the life of a key as its administrator and its holder see it: by
// the program's own commands, and by a client of a real Envoy.
func TestUser(t *testing.T) {
	for name, door := range map[string]func(*instance) []string{
		"straight on the store": func(i *instance) []string { return []string{"--config", filepath.Join(i.Dir, "postern.yaml")} },
		"by a running instance": func(i *instance) []string { return []string{"--server", "http://" + i.Admin} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POSTERN_TOKEN", adminToken)
			i, upstream := start(t, folder(t, onSQLite, "", routes)), harness.StartUpstream(t)
			envoy := harness.StartEnvoy(t, upstream.Address, []*harness.Postern{i.Postern}, nil)
			envoy.WaitHealthy(t, i.Postern)
			u := &user{t: t, client: harness.NewClient(t, envoy.URL), upstream: upstream, door: door(i)}
			u.live()
		})
	}
}

// user is an administrator with a command line, and the holder of the keys that
// it makes.
type user struct {
	t        *testing.T
	client   *harness.Client
	upstream *harness.Upstream
	door     []string
}

func (u *user) live() {
	u.run("consumer", "create", "shop", "--environment", "prod", "--role", "reader")
	narrow := u.make("key", "create", "--consumer", "shop")
	old := u.make("key", "create", "--consumer", "shop", "--scope", "orders:read", "--expires", "90d")
	u.within(soon, old, http.StatusOK, "")
	u.gets(narrow, http.StatusForbidden, "missing_scope")
	u.gets(key{Key: old.Key[:len(old.Key)-1] + "x"}, http.StatusUnauthorized, "invalid_credential")

	before := time.Now()
	next := u.make("key", "rotate", old.ID, "--grace", grace.String())
	rotated := time.Now()
	if next.Replaces != old.ID || next.Key == old.Key {
		u.t.Errorf("the new key replaces %q, want %q", next.Replaces, old.ID)
	}
	u.within(soon, next, http.StatusOK, "")
	u.gracious(old, before, rotated)
	u.gets(next, http.StatusOK, "")

	u.run("key", "revoke", next.ID, "--reason", "test", "--wait", "10s")
	u.gets(next, http.StatusUnauthorized, "invalid_credential")
	u.gets(old, http.StatusUnauthorized, "expired_credential")
	u.run("key", "revoke", next.ID, "--reason", "again")
	u.gets(next, http.StatusUnauthorized, "invalid_credential")
	u.run("audit", "verify")
}

// gracious holds a key that was rotated between two times to its grace: until
// its end it is allowed, and after it it is refused.
func (u *user) gracious(old key, earliest, latest time.Time) {
	u.t.Helper()
	for allowed := 0; ; allowed++ {
		asked := time.Now()
		answer := u.send(old)
		if answer.Status == http.StatusOK && asked.Before(latest.Add(grace)) {
			continue
		}
		if answer.Status != http.StatusUnauthorized || answer.Header.Get("X-Postern-Code") != "expired_credential" || time.Since(earliest) < grace {
			u.t.Fatalf("%s after the rotation the old key gets %d %s", time.Since(latest), answer.Status, answer.Body)
		}
		u.t.Logf("beside the new key the old one was allowed %d times; at its end it was refused", allowed)
		if allowed == 0 {
			u.t.Error("the old key was never allowed beside the new one")
		}
		return
	}
}

func (u *user) run(args ...string) string { return postern(u.t, append(args, u.door...)...) }

// make runs what makes a key.
func (u *user) make(args ...string) key {
	u.t.Helper()
	var made key
	if err := json.Unmarshal([]byte(u.run(append(args, "--output", "json")...)), &made); err != nil || made.Key == "" {
		u.t.Fatalf("%v shows no key: %v", args, err)
	}
	return made
}

func (u *user) send(k key) *harness.Answer {
	u.t.Helper()
	answer, err := u.client.Do(u.t.Context(), harness.Request{Target: "/orders/42", Header: http.Header{"X-Api-Key": {k.Key}}})
	if err != nil {
		u.t.Fatal(err)
	}
	return answer
}

func (u *user) gets(k key, status int, code string) {
	u.t.Helper()
	before := u.upstream.Count()
	answer := u.send(k)
	if answer.Status != status || answer.Header.Get("X-Postern-Code") != code {
		u.t.Fatalf("%d %s %s, want %d %s", answer.Status, answer.Header.Get("X-Postern-Code"), answer.Body, status, code)
	}
	if reached := u.upstream.Count() > before; reached != (status == http.StatusOK) {
		u.t.Errorf("the upstream was reached: %v", reached)
	}
}

// within is gets, once it is so; how long that took is bounded.
func (u *user) within(bound time.Duration, k key, status int, code string) {
	u.t.Helper()
	began := time.Now()
	for time.Since(began) < bound && u.send(k).Status != status {
		time.Sleep(time.Millisecond)
	}
	u.t.Logf("%d after %s", status, time.Since(began))
	u.gets(k, status, code)
}

// command is the program under test.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), harness.Binary(t), args...) // #nosec G204 -- the program under test
}
