package life

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/postern-authz/postern/test/harness"
)

// talkative makes the program say all that it ever says.
const talkative = "authentication: {api_key: {in: [{header: X-API-Key}, {query: api_key}]}}\n" +
	"telemetry: {log_level: debug, decision_log: {allow_sample: 1}}\n"

// The secrets that are planted, each to be known again wherever it comes up.
const (
	plantedKey       = "canary-key-0a1b2c3d4e5f6071829304a5b6c7d8e9"
	plantedPassword  = "canary-password-17f6e5d4c3b2a190"
	plantedJWT       = "canary-jwt-secret-293847565647382910aabbccddee"
	plantedSignature = "canary-signing-secret-ffeeddccbbaa0192837465"
	plantedDSN       = "canary-dsn-password-5647382910"
	wrongToken       = "canary-wrong-token-1029384756"
	wrongKey         = "canary-wrong-key-9988776655443322110"
	wrongPassword    = "canary-wrong-password-1122334455"
)

// TestCanaries plants secrets, uses and misuses them, and looks for them in all
// that the program tells, and in its database.
func TestCanaries(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		c := plant(t, start(t, folder(t, onSQLite, "", talkative)))
		c.tell(t)
		c.Stop(t)
		for _, name := range []string{"postern.db", "postern.db-wal", "postern.db-shm"} {
			content, err := os.ReadFile(filepath.Join(c.Dir, name))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			c.told["the database"] += string(content)
		}
		c.judge(t)
	})
	t.Run("postgres", func(t *testing.T) {
		server := harness.StartPostgres(t)
		database := server.Database(t)
		dsn := strings.Replace(server.DSN(database, server.Address), "postgres@", "postgres:"+plantedDSN+"@", 1)
		dir := folder(t, onPostgres, "", talkative)
		harness.Write(t, filepath.Join(dir, "dsn"), dsn)
		c := plant(t, start(t, dir))
		c.tell(t)
		c.told["the database"] = dump(t, server.DSN(database, server.Address))
		server.StopNow(t)
		c.misuse(t) // now the store can't be reached, which is told of, too
		c.get(t, "/readyz")
		c.told["the log without a store"] = c.Output()
		c.judge(t)
	})
}

// canaries are planted secrets and what was told where.
type canaries struct {
	*instance
	secrets, told map[string]string
}

func plant(t *testing.T, i *instance) *canaries {
	t.Helper()
	c := &canaries{i, map[string]string{
		"admin token": adminToken, "pepper": pepper, "key of a file": fileKey, "own key": plantedKey, "password": plantedPassword,
		"secret of tokens": plantedJWT, "secret of signatures": plantedSignature, "password of the DSN": plantedDSN,
		"wrong admin token": wrongToken, "wrong key": wrongKey, "wrong password": wrongPassword,
	}, map[string]string{}}
	i.consumer(t, "shop")
	for _, body := range []string{
		`{"id":"own","type":"api_key","key":"` + plantedKey + `"}`,
		`{"id":"basic","type":"basic","username":"shop","password":"` + plantedPassword + `"}`,
		`{"id":"jwt","type":"jwt","key":"shop-issuer","algorithm":"HS256","secret":"` + plantedJWT + `"}`,
		`{"id":"sig","type":"signature","key_id":"sig","secret":"` + plantedSignature + `","algorithms":["hmac-sha256"]}`,
	} {
		i.must(t, http.MethodPost, "/v1/consumers/shop/credentials", body, nil)
	}
	made := i.key(t, "shop")
	var next, granted key
	i.must(t, http.MethodPost, "/v1/keys/"+made.ID+"/rotate", `{}`, &next)
	i.must(t, http.MethodPost, "/v1/applications", `{"name":"mobile"}`, nil)
	i.must(t, http.MethodPost, "/v1/applications/mobile/grants", `{"api":"orders","environment":"prod"}`, &granted)
	c.secrets["made key"], c.secrets["next key"], c.secrets["granted key"] = made.Key, next.Key, granted.Key
	i.settles(t, made, allowed)
	i.settles(t, next, allowed)
	c.secrets["idempotent key"] = c.twice(t)
	return c
}

// twice makes a key with the same idempotency key two times: the store remembers
// what it answered, with the key in it.
func (c *canaries) twice(t *testing.T) string {
	t.Helper()
	var answers []string
	for range 2 {
		answers = append(answers, c.send(t, c.Admin, http.MethodPost, "/v1/consumers/shop/keys", `{}`, map[string]string{
			"Authorization": "Bearer " + adminToken, "Content-Type": "application/json", "Idempotency-Key": "once",
		}))
	}
	_, after, found := strings.Cut(answers[0], `"key":"`)
	value, _, _ := strings.Cut(after, `"`)
	if !found || answers[0] != answers[1] {
		t.Fatalf("made twice: %d and %d bytes", len(answers[0]), len(answers[1]))
	}
	return value
}

// tell collects all that can be read.
func (c *canaries) tell(t *testing.T) {
	t.Helper()
	c.misuse(t)
	for _, path := range []string{
		"/v1/consumers", "/v1/consumers/shop", "/v1/consumers/shop/keys", "/v1/consumers/shop/credentials", "/v1/keys", "/v1/credentials",
		"/v1/keys/own", "/v1/credentials/basic", "/v1/credentials/jwt", "/v1/credentials/sig", "/v1/applications", "/v1/applications/mobile",
		"/v1/applications/mobile/grants", "/v1/grants", "/v1/plans", "/v1/instances", "/v1/audit?limit=1000", "/v1/audit/verify", "/v1/export",
		"/metrics", "/readyz", "/healthz",
	} {
		c.get(t, path)
	}
	t.Setenv("POSTERN_TOKEN", adminToken)
	for _, args := range [][]string{{"key", "list"}, {"credential", "list"}, {"key", "show", "own"}, {"audit", "list"}, {"export"}, {"instance", "list"}} {
		name := "postern " + strings.Join(args, " ")
		c.told[name] = postern(t, append(args, "--server", "http://"+c.Admin, "--output", "json")...)
	}
	c.told["the log"] = c.Output()
	if !strings.Contains(c.told["the log"], `"msg":"serving"`) {
		t.Fatal("the beginning of the log is lost")
	}
}

func (c *canaries) get(t *testing.T, path string) {
	t.Helper()
	status, body, err := c.call(t.Context(), http.MethodGet, path, "")
	if err != nil || status != http.StatusOK && path != "/readyz" {
		t.Fatalf("GET %s: %d, %v", path, status, err)
	}
	c.told["GET "+path] = string(body)
}

// misuse provokes every error that has a secret near it.
func (c *canaries) misuse(t *testing.T) {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "shop-issuer", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(plantedJWT))
	if err != nil {
		t.Fatal(err)
	}
	c.secrets["token"] = token
	c.secrets["basic credentials"] = base64.StdEncoding.EncodeToString([]byte("shop:" + plantedPassword))
	for n, header := range []map[string]string{
		{"X-Api-Key": plantedKey}, {"X-Api-Key": wrongKey}, {"Authorization": "Bearer " + token}, {"Authorization": "Bearer " + token + "x"},
		{"Authorization": "Basic " + c.secrets["basic credentials"]},
		{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:"+wrongPassword))},
		{"Authorization": "Signature " + plantedSignature}, {"X-Api-Key": plantedKey, "Authorization": "Bearer " + wrongKey},
		{"X-Forwarded-Uri": "/anything?api_key=" + plantedKey}, {"X-Forwarded-Uri": "/anything?api_key=" + wrongKey},
		{"X-Forwarded-Uri": "/%zz?api_key=" + plantedKey},
	} {
		for name, value := range map[string]string{"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/anything", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https"} {
			if header[name] == "" {
				header[name] = value
			}
		}
		c.told[fmt.Sprintf("the door's answer %d", n)] = c.send(t, c.HTTP, http.MethodGet, "/forward-auth/traefik", "", header)
	}
	for n, body := range []string{
		`{"id":"own","type":"api_key","key":"` + plantedKey + `"}`, `{"id":"other","type":"api_key","key":"` + plantedKey + `"}`,
		`{"id":"x","tpye":"api_key","key":"` + plantedKey + `"}`, `{"id":"x","type":"api_key","key":" ` + plantedKey + `"}`,
		`{"id":"x","type":"api_key","key":"` + plantedKey, `{"id":"x","type":"api_key","key":["` + plantedKey + `"]}`,
		`{"id":"x","type":"jwt","key":"shop-issuer","algorithm":"HS999","secret":"` + plantedJWT + `"}`, `"` + plantedPassword + `"`,
	} {
		c.told[fmt.Sprintf("the API's error %d", n)] = c.send(t, c.Admin, http.MethodPost, "/v1/consumers/shop/credentials", body,
			map[string]string{"Authorization": "Bearer " + adminToken, "Content-Type": "application/json"})
	}
	c.told["the API's word on a wrong token"] = c.send(t, c.Admin, http.MethodGet, "/v1/keys", "", map[string]string{"Authorization": "Bearer " + wrongToken})
	c.told["the API's word on a key as a name"] = c.send(t, c.Admin, http.MethodGet, "/v1/keys?page_token="+wrongKey, "", map[string]string{"Authorization": "Bearer " + adminToken})
}

// send returns the answer's body, and how a no is explained in its headers.
func (c *canaries) send(t *testing.T, address, method, path, body string, header map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	response, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content) + response.Header.Get("WWW-Authenticate")
}

// judge looks for every secret in everything that was told, in each form that it
// could have there.
func (c *canaries) judge(t *testing.T) {
	t.Helper()
	if !strings.Contains(c.told["the database"], "shop") {
		t.Error("what was read is not the database: it has no consumer")
	}
	size := 0
	for where, text := range c.told {
		size += len(text)
		for name, secret := range c.secrets {
			for form, value := range forms(secret) {
				if at := strings.Index(text, value); at >= 0 {
					t.Errorf("%s holds the %s, %s: %q", where, name, form, text[max(0, at-100):min(len(text), at+10)])
				}
			}
		}
	}
	t.Logf("%d secrets are not in %d places, %d bytes", len(c.secrets), len(c.told), size)
}

// forms are a secret's texts. Its plain SHA-256 is one of them: whoever has it
// could try keys that were badly chosen.
func forms(secret string) map[string]string {
	sum := sha256.Sum256([]byte(secret))
	return map[string]string{
		"as it is": secret, "in part": secret[len(secret)/2-6 : len(secret)/2+6],
		"in hex": hex.EncodeToString([]byte(secret)), "in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		"as its SHA-256": string(sum[:]), "as its SHA-256 in hex": hex.EncodeToString(sum[:]),
	}
}

// dump is every row of a database, as text.
func dump(t *testing.T, dsn string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }() // nothing is lost with it
	tables := column(ctx, t, conn, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
	var all []string
	for _, table := range tables {
		all = append(all, column(ctx, t, conn, "SELECT r::text FROM "+table+" r")...)
	}
	if len(all) == 0 {
		t.Fatal("the database is empty")
	}
	return strings.Join(all, "\n")
}

func column(ctx context.Context, t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
