package admin_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/admin"
)

func TestWhoMayCall(t *testing.T) {
	h, key, grant := furnished(t)
	// Each role's name is that of the least one that may.
	for _, c := range []struct{ role, method, path, body string }{
		{"viewer", "GET", "/v1/consumers", ""},
		{"viewer", "GET", "/v1/consumers/app", ""},
		{"viewer", "GET", "/v1/keys/" + key, ""},
		{"viewer", "GET", "/v1/keys", ""},
		{"viewer", "GET", "/v1/credentials", ""},
		{"viewer", "GET", "/v1/applications", ""},
		{"viewer", "GET", "/v1/grants/" + grant, ""},
		{"viewer", "GET", "/v1/plans/gold", ""},
		{"viewer", "GET", "/v1/export", ""},
		{"viewer", "GET", "/v1/policy", ""},
		{"viewer", "GET", "/v1/policy/revisions", ""},
		{"editor", "POST", "/v1/consumers", `{"name":"new"}`},
		{"editor", "PATCH", "/v1/consumers/app", `{"display_name":"x"}`},
		{"editor", "POST", "/v1/consumers/app/disable", ""},
		{"editor", "POST", "/v1/consumers/app/enable", ""},
		{"editor", "POST", "/v1/consumers/app/keys", ""},
		{"editor", "POST", "/v1/consumers/app/credentials", `{"type":"issuer","issuer":"shop","value":"v"}`},
		{"editor", "PATCH", "/v1/keys/" + key, `{"label":"x"}`},
		{"editor", "POST", "/v1/keys/" + key + "/rotate", ""},
		{"editor", "POST", "/v1/keys/" + key + "/revoke", ""},
		{"editor", "DELETE", "/v1/keys/" + key, ""},
		{"editor", "POST", "/v1/applications", `{"name":"new"}`},
		{"editor", "POST", "/v1/applications/shop/grants", `{"api":"a","environment":"dev"}`},
		{"editor", "DELETE", "/v1/grants/" + grant, ""},
		{"editor", "POST", "/v1/import", `{"document":"x"}`},
		{"editor", "DELETE", "/v1/consumers/app", ""},
		{"admin", "POST", "/v1/plans", `{"name":"new"}`},
		{"admin", "PATCH", "/v1/plans/new", `{"display_name":"x"}`},
		{"admin", "DELETE", "/v1/plans/new", ""},
		{"admin", "GET", "/v1/audit", ""},
		{"admin", "GET", "/v1/audit/verify", ""},
		{"admin", "GET", "/v1/instances", ""},
		{"admin", "POST", "/v1/policy/promote", `{"revision":"b"}`},
		{"admin", "POST", "/v1/policy/rollback", ""},
	} {
		h.refused(401, "unauthenticated", c.method, c.path, c.body, func(r *http.Request) { r.Header.Del("Authorization") })
		may := false
		for _, holder := range []struct{ role, token string }{{"viewer", viewerToken}, {"editor", editorToken}, {"admin", adminToken}} {
			may = may || holder.role == c.role
			switch {
			case !may:
				h.refused(403, "permission_denied", c.method, c.path, c.body, token(holder.token))
			case holder.role == c.role: // once, or the second would find it done
				h.must(c.method, c.path, c.body, token(holder.token))
			}
		}
	}
}

func TestTokensThatAreNone(t *testing.T) {
	h := open(t)
	for _, lines := range [][]string{
		nil, {""}, {"Bearer"}, {"Bearer "}, {adminToken}, {"Basic " + adminToken}, {"Bearer  " + adminToken},
		{"Bearer " + adminToken + " x"}, {"Bearer " + strings.ToUpper(adminToken)}, {"Bearer " + adminToken[1:]},
		{"Bearer " + adminToken, "Bearer " + adminToken},
	} {
		got := h.refused(401, "unauthenticated", "GET", "/v1/consumers", "", func(r *http.Request) { r.Header["Authorization"] = lines })
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%q is not told to show a bearer token", lines)
		}
	}
	h.must("GET", "/v1/consumers", "", func(r *http.Request) { r.Header.Set("Authorization", "bearer "+adminToken) })
	h.refused(401, "unauthenticated", "GET", "/v1/consumers?access_token="+adminToken, "", func(r *http.Request) { r.Header.Del("Authorization") })
}

// TestWrongTokensAreSlowedDown, and good ones from the same address are not.
func TestWrongTokensAreSlowedDown(t *testing.T) {
	h := open(t)
	for range 20 {
		h.refused(401, "unauthenticated", "GET", "/v1/consumers", "", token("wrong"))
	}
	if got := h.refused(429, "rate_limited", "GET", "/v1/consumers", "", token("wrong")); got.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	h.must("GET", "/v1/consumers", "")
	h.clock.pass(60e9)
	h.refused(401, "unauthenticated", "GET", "/v1/consumers", "", token("wrong"))
}

func TestTokensAreReplaced(t *testing.T) {
	h := open(t)
	if err := h.api.SetTokens([]admin.Token{admin.NewToken("new", admin.RoleViewer, []byte("another-token-0123456789"))}); err != nil {
		t.Fatal(err)
	}
	h.refused(401, "unauthenticated", "GET", "/v1/consumers", "")
	h.must("GET", "/v1/consumers", "", token("another-token-0123456789"))
	for _, bad := range [][]admin.Token{
		{admin.NewToken("", admin.RoleViewer, []byte("x"))},
		{admin.NewToken("a", "root", []byte("x"))},
		{admin.NewToken("a", admin.RoleAdmin, nil)},
		{admin.NewToken("a", admin.RoleAdmin, []byte("x")), admin.NewToken("a", admin.RoleAdmin, []byte("y"))},
	} {
		if err := h.api.SetTokens(bad); err == nil {
			t.Errorf("%v were taken", bad)
		}
	}
	h.must("GET", "/v1/consumers", "", token("another-token-0123456789"))
}

// TestBrowsers: what a page of another site can make a browser send is refused,
// even if it had a token.
func TestBrowsers(t *testing.T) {
	h := open(t)
	host := strings.TrimPrefix(h.URL, "http://")
	body := `{"name":"app"}`
	for _, c := range []struct {
		status int
		code   string
		with   with
	}{
		{403, "permission_denied", header("Origin", "https://evil.example")},
		{403, "permission_denied", header("Origin", "null")},
		{403, "permission_denied", header("Origin", "https://"+host)},
		{403, "permission_denied", header("Sec-Fetch-Site", "cross-site")},
		{403, "permission_denied", header("Sec-Fetch-Site", "same-site")},
		{415, "unsupported_media_type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
		{415, "unsupported_media_type", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }},
		{415, "unsupported_media_type", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-16") }},
		{415, "unsupported_media_type", func(r *http.Request) { r.Header.Del("Content-Type") }},
		{415, "unsupported_media_type", header("Content-Encoding", "gzip")},
		{421, "misdirected", func(r *http.Request) { r.Host = "evil.example" }},
		{421, "misdirected", func(r *http.Request) { r.Host = "127.0.0.1.evil.example:9193" }},
		{421, "misdirected", func(r *http.Request) { r.Host = "203.0.113.7" }},
		{421, "misdirected", func(r *http.Request) { r.Host = "localhost.evil.example" }},
	} {
		got := h.refused(c.status, c.code, "POST", "/v1/consumers", body, c.with)
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("another site is let in")
		}
	}
	h.refused(403, "permission_denied", "OPTIONS", "/v1/consumers", "", header("Origin", "https://evil.example"), header("Access-Control-Request-Method", "POST"))
	h.refused(404, "not_found", "GET", "/v1/consumers/app", "")
	h.must("POST", "/v1/consumers", body, header("Origin", h.URL), header("Sec-Fetch-Site", "same-origin"),
		func(r *http.Request) { r.Header.Set("Content-Type", "Application/JSON; charset=UTF-8") })
	for _, name := range []string{"localhost", "LOCALHOST:9193", "127.0.0.1:1", "127.8.8.8", "[::1]:9193", "postern.example:9193", "Postern.Example"} {
		h.must("GET", "/v1/consumers/app", "", func(r *http.Request) { r.Host = name })
	}
	// A header can't make another method of a request, nor metadata of a call.
	h.must("GET", "/v1/consumers/app", "", header("X-HTTP-Method-Override", "DELETE"), header("Grpc-Metadata-Authorization", "Bearer x"))
	h.must("GET", "/v1/consumers/app", "")
}

func TestAnswersAreForNobodyElse(t *testing.T) {
	h := open(t)
	for _, a := range []answer{h.do("GET", "/v1/consumers", ""), h.do("GET", "/v1/nothing", ""), h.do("GET", "/v1/consumers", "", token("x"))} {
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d: %v", a.status, a.header)
		}
	}
}

// TestBodies: what is not exactly a body of the call is refused, with the field.
func TestBodies(t *testing.T) {
	h := open(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ body, code, field string }{
		{`{"name":"app","colour":"x"}`, "invalid_argument", "colour"},
		{`{"name":"app","displayName":"x"}`, "invalid_argument", "displayName"},
		{`{"name":"app","name":"app2"}`, "invalid_argument", "name"},
		{`{"name":"app","name":null}`, "invalid_argument", "name"},
		{`{"name":"app","n\u0061me":"app2"}`, "invalid_argument", "name"},
		{`{"name":5}`, "invalid_argument", "name"},
		{`{"name":["app"]}`, "invalid_argument", "name"},
		{`{"name":"app","enabled":"yes"}`, "invalid_argument", "enabled"},
		{`{"name":"app","version":"1"}`, "invalid_argument", "version"},
		{`{"name":"app","version":1.5}`, "invalid_argument", "version"},
		{`{"name":"app","version":9223372036854775808}`, "invalid_argument", "version"},
		{`{"name":"app","groups":["a",5]}`, "invalid_argument", "groups[1]"},
		{`{"name":"app","groups":[null]}`, "invalid_argument", "groups[0]"},
		{`{"name":"app","labels":{"a":"1","a":"2"}}`, "invalid_argument", "labels.a"},
		{`{"name":"app","labels":{"a":1}}`, "invalid_argument", "labels.a"},
		{`{"name":"app","labels":[]}`, "invalid_argument", "labels"},
		{`{"name":"app","attributes":{"a":{"b":1,"b":2}}}`, "invalid_argument", "attributes.a.b"},
		{`{"name":"app","attributes":{"a":1e999}}`, "invalid_argument", "attributes.a"},
		{`{"name":"app","attributes":{"a":9007199254740993}}`, "invalid_argument", "attributes.a"},
		{`{"name":"app","attributes":"x"}`, "invalid_argument", "attributes"},
		{`{"name":"app","constraints":{"hours":"9-17"}}`, "invalid_argument", "constraints.hours"},
		{`{"name":"app","constraints":{"methods":["GET"],"methods":["POST"]}}`, "invalid_argument", "constraints.methods"},
		{`{"name":"app","created_at":"2026-01-01T00:00:00Z"}`, "invalid_argument", "created_at"},
		{`{"name":"app","grant":"12345678"}`, "invalid_argument", "grant"},
		{`{"name":"\ud800"}`, "invalid_argument", "name"},
		{"{\"name\":\"\xff\"}", "malformed", ""},
		{`{"name":"app"`, "malformed", ""},
		{`{"name":"app"}x`, "malformed", ""},
		{`{"name":"app"}{}`, "malformed", ""},
		{`["name"]`, "malformed", ""},
		{`null`, "malformed", ""},
		{`"name"`, "malformed", ""},
		{"\ufeff{}", "malformed", ""},
		{`{"attributes":` + deep + `}`, "malformed", ""},
	} {
		got := h.refused(400, c.code, "POST", "/v1/consumers", c.body)
		if c.field != "" && got.field(t, "errors.0.field") != c.field {
			t.Errorf("%s: %s does not name %s", c.body, got.body, c.field)
		}
	}
	h.refused(400, "invalid_argument", "POST", "/v1/keys/x/rotate", `{"id":"y"}`)
	h.refused(400, "malformed", "GET", "/v1/consumers", `{}`)
	h.refused(400, "malformed", "DELETE", "/v1/consumers/app", `{}`)
	h.refused(400, "invalid_argument", "POST", "/v1/consumers?name=app", `{}`)
	h.refused(400, "invalid_argument", "GET", "/v1/consumers?prefix=a&prefix=b", "")
	h.refused(400, "invalid_argument", "GET", "/v1/consumers?pageSize=1", "")
	h.refused(400, "malformed", "GET", "/v1/consumers?prefix=%zz", "")
	if got := h.must("GET", "/v1/consumers", ""); got.body != `{"consumers":[]}`+"\n" {
		t.Errorf("something was made: %s", got.body)
	}
}

func TestSizes(t *testing.T) {
	h := open(t)
	filler := func(n int) string { return strings.Repeat("x", n) }
	h.refused(413, "too_large", "POST", "/v1/consumers", `{"name":"`+filler(1<<20)+`"}`)
	h.refused(413, "too_large", "POST", "/v1/consumers", `{"name":"`+filler(1<<20)+`"}`, func(r *http.Request) { r.ContentLength = -1 })
	h.must("POST", "/v1/import", `{"dry_run":true,"document":"`+filler(2<<20)+`"}`)
	h.refused(413, "too_large", "POST", "/v1/import", `{"document":"`+filler(32<<20)+`"}`)
	h.refused(400, "invalid_argument", "POST", "/v1/consumers", `{"name":"app","display_name":"`+filler(1<<19)+`"}`)
}

// TestCutBody: a body that ends before its length makes nothing.
func TestCutBody(t *testing.T) {
	h := open(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /v1/consumers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\":\"app\"}", adminToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != 400 {
		t.Errorf("%d", response.StatusCode)
	}
	h.refused(404, "not_found", "GET", "/v1/consumers/app", "")
}

// TestNaughtyTexts: what is taken comes back as it was.
func TestNaughtyTexts(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	h.must("POST", "/v1/applications", `{"name":"shop"}`)
	for _, naughty := range []string{
		`'; DROP TABLE consumers; --`, `" OR 1=1 --`, `Robert'); DROP TABLE x;--`, `%`, `_`, `\`, `$1`, `?`, `:name`, `{{.}}`, `<script>alert(1)</script>`,
		"Ünïcödé 漢字 🗝", "$(reboot)", "../../etc/passwd", "null", "undefined", "NaN", "0x10", "1e308", "true", "${jndi:ldap://x}",
	} {
		quoted := fmt.Sprintf("%q", naughty)
		a := h.must("PATCH", "/v1/applications/shop", `{"owner":`+quoted+`,"display_name":`+quoted+`}`)
		if a.field(t, "owner") != naughty || h.must("GET", "/v1/applications/shop", "").field(t, "display_name") != naughty {
			t.Errorf("%s came back as %s", quoted, a.body)
		}
		h.must("PATCH", "/v1/consumers/app", `{"display_name":`+quoted+`,"attributes":{"a":`+quoted+`}}`)
		if got := h.must("GET", "/v1/consumers/app", ""); got.field(t, "attributes.a") != naughty || got.field(t, "display_name") != naughty {
			t.Errorf("%s came back as %s", quoted, got.body)
		}
		key := h.do("POST", "/v1/consumers/app/keys", `{"label":`+quoted+`}`)
		if key.status == 201 && h.must("GET", "/v1/keys/"+key.text(t, "id"), "").field(t, "label") != naughty {
			t.Errorf("%s came back otherwise", quoted)
		}
	}
	for _, path := range []string{"/v1/consumers/'%20OR%201=1--", "/v1/consumers/%25", "/v1/consumers/..%2f..%2fkeys", "/v1/keys/%00", "/v1/consumers/%ff/keys", "/v1/consumers/a:disable"} {
		h.refused(404, "not_found", "GET", path, "")
	}
}

// TestNothingIsEnumerated: before the token is good, what there is and what
// there is not look the same.
func TestNothingIsEnumerated(t *testing.T) {
	h, key, _ := furnished(t)
	var answers []string
	for _, path := range []string{"/v1/keys/" + key, "/v1/keys/nothing", "/v1/consumers/app", "/v1/nothing", "/v1/plans/gold"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			answers = append(answers, h.refused(401, "unauthenticated", method, path, "", func(r *http.Request) { r.Header.Del("Authorization") }).body)
		}
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("%s differs from %s", a, answers[0])
		}
	}
}
