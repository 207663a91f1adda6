package life

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

// The secrets of every folder that these tests serve from.
const (
	adminToken = "life-admin-token-0123456789abcdefghijkl"
	pepper     = "life-pepper-0123456789abcdefghijklmnopqrstuvwxyz"
	// fileKey is of the consumer that folder declares in a file.
	fileKey = "life-file-key-0123456789abcdefghijklmnopqrstuv"
)

// onSQLite is a store in the folder itself.
const onSQLite = `{driver: sqlite, dsn: postern.db, pepper: "file:pepper"}`

// onPostgres is a store whose address stands in a file, since that may hold a
// password.
const onPostgres = `{driver: postgres, dsn: "file:dsn", pepper: "file:pepper"}`

// folder makes a folder with a postern.yaml. Further lines go below consumers,
// and below the whole.
func folder(t testing.TB, store, consumers, more string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": adminToken, "pepper": pepper, "key": fileKey,
		"consumers.yaml": "consumers:\n  - name: declared\n    roles: [reader]\n    credentials:\n      - {type: api_key, id: declared-key, key: \"file:key\"}\n",
		"postern.yaml": "listen:\n  admin: {tokens: [{name: ops, role: admin, token: \"file:token\"}]}\n  drain: {not_ready: 0s, timeout: 1s}\n" +
			"consumers:\n  files: [consumers.yaml]\n  store: " + store + "\n" + consumers +
			// How fast the machine is must not decide what policy does.
			"policy: {timeout: 10s}\n" + more,
	} {
		harness.Write(t, filepath.Join(dir, name), content)
	}
	return dir
}

// folderOn is a folder whose store is that PostgreSQL.
func folderOn(t testing.TB, dsn, consumers string) string {
	t.Helper()
	dir := folder(t, onPostgres, consumers, "telemetry: {log_level: error}\n")
	harness.Write(t, filepath.Join(dir, "dsn"), dsn)
	return dir
}

// instance is a running Postern with a client of all its doors.
type instance struct {
	*harness.Postern
	http *http.Client
}

func start(t testing.TB, dir string) *instance {
	t.Helper()
	return attach(t, harness.StartPostern(t, dir))
}

func attach(t testing.TB, p *harness.Postern) *instance {
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return &instance{Postern: p, http: &http.Client{Transport: transport, Timeout: harness.Patience}}
}

// call asks the admin API. An error means that no answer came.
func (i *instance) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+i.Admin+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	response, err := i.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, content, err
}

// must is an answer of the admin API that is read into a value, nil for none.
func (i *instance) must(t testing.TB, method, path, body string, into any) {
	t.Helper()
	status, content, err := i.call(t.Context(), method, path, body)
	if err != nil || status/100 != 2 {
		t.Fatalf("%s %s: %d %s, %v", method, path, status, content, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s %s: %s: %v", method, path, content, err)
	}
}

// key is a key as it is shown once.
type key struct {
	ID       string `json:"id"`
	Key      string `json:"key"`
	Replaces string `json:"replaces"`
}

// consumer makes one that the library's policies let read.
func (i *instance) consumer(t testing.TB, name string) {
	t.Helper()
	i.must(t, http.MethodPost, "/v1/consumers", fmt.Sprintf(`{"name":%q,"roles":["reader"]}`, name), nil)
}

func (i *instance) key(t testing.TB, consumer string) key {
	t.Helper()
	var made key
	i.must(t, http.MethodPost, "/v1/consumers/"+consumer+"/keys", `{}`, &made)
	return made
}

// keys makes consumers with a key each.
func (i *instance) keys(t testing.TB, prefix string, n int) []key {
	t.Helper()
	made := make([]key, n)
	for at := range made {
		name := fmt.Sprintf("%s-%d", prefix, at)
		i.consumer(t, name)
		made[at] = i.key(t, name)
	}
	return made
}

// revocation is what the API answers to one.
type revocation struct {
	Receipt struct {
		Sequence  int64 `json:"sequence"`
		Complete  bool  `json:"complete"`
		Instances []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
			Done bool   `json:"done"`
		} `json:"instances"`
	} `json:"receipt"`
}

// revoke ends a key. An empty wait waits for nobody else.
func (i *instance) revoke(t testing.TB, id, wait string) revocation {
	t.Helper()
	body := `{"reason":"test"}`
	if wait != "" {
		body = fmt.Sprintf(`{"reason":"test","wait":%q}`, wait)
	}
	var done revocation
	i.must(t, http.MethodPost, "/v1/keys/"+id+"/revoke", body, &done)
	return done
}

// instances are the ids of those that are in the list.
func (i *instance) instances(t testing.TB) map[string]bool {
	t.Helper()
	var list struct {
		Instances []struct {
			ID string `json:"id"`
		} `json:"instances"`
	}
	i.must(t, http.MethodGet, "/v1/instances", "", &list)
	ids := map[string]bool{}
	for _, one := range list.Instances {
		ids[one.ID] = true
	}
	return ids
}

// verdict is what a door says: its status, and the code of a no.
type verdict struct {
	status int
	code   string
}

var (
	allowed     = verdict{status: http.StatusOK}
	unavailable = verdict{http.StatusServiceUnavailable, "fault"}
	// refused is all that the holder of an unknown or revoked key is told.
	refused = verdict{http.StatusUnauthorized, "invalid_credential"}
)

// ask asks the forward-auth door about a key.
func (i *instance) ask(ctx context.Context, value string) (verdict, error) {
	return i.askAt(ctx, value, "/anything")
}

func (i *instance) askAt(ctx context.Context, value, path string) (verdict, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.HTTP+"/forward-auth/traefik", nil)
	if err != nil {
		return verdict{}, err
	}
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Uri": path, "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https", "X-Api-Key": value,
	} {
		req.Header.Set(name, value)
	}
	response, err := i.http.Do(req)
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	_, err = io.Copy(io.Discard, response.Body)
	return verdict{response.StatusCode, response.Header.Get("X-Postern-Code")}, err
}

// is fails the test unless the door says that of a key.
func (i *instance) is(t testing.TB, k key, want verdict) {
	t.Helper()
	if got, err := i.ask(t.Context(), k.Key); got != want || err != nil {
		t.Fatalf("the key %s gets %v, %v; want %v", k.ID, got, err, want)
	}
}

// settles is is, for an answer that the store is asked for: a machine that is
// busy otherwise may be too slow for its bound, and then the answer is 503.
func (i *instance) settles(t testing.TB, k key, want verdict) {
	t.Helper()
	harness.WaitFor(t, "an answer that comes from the store", func() error {
		got, err := i.ask(t.Context(), k.Key)
		if err == nil && got == unavailable && want != unavailable {
			return errors.New("503")
		}
		if got != want || err != nil {
			t.Fatalf("the key %s gets %v, %v; want %v", k.ID, got, err, want)
		}
		return nil
	})
}

// becomes waits until the door says that of a key. It asks so often that the
// time that this takes can be measured.
func (i *instance) becomes(t testing.TB, k key, want verdict) {
	t.Helper()
	began := time.Now()
	for {
		got, err := i.ask(t.Context(), k.Key)
		if err == nil && got == want {
			return
		}
		if time.Since(began) > harness.Patience {
			t.Fatalf("the key %s still gets %v, %v; want %v", k.ID, got, err, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// postern runs the program itself, with the environment of the test, and
// returns what it printed.
func postern(t testing.TB, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := command(t, args...)
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("postern %s: %v\n%s%s", strings.Join(args, " "), err, output, stderr.String())
	}
	return strings.TrimSpace(string(output))
}
