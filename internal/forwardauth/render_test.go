package forwardauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
)

// doors are the paths of the profiles, each asking about GET /a.
var doors = map[string]string{
	"apisix": "/forward-auth/apisix", "nginx": "/forward-auth/nginx", "traefik": "/forward-auth/traefik",
	"caddy": "/forward-auth/caddy", "haproxy": "/forward-auth/haproxy", "envoy": "/forward-auth/envoy/a",
}

func question(method, target string, more ...string) string {
	return lines(append([]string{method + " " + target + " HTTP/1.1", "Host: api.example.com", "X-Forwarded-Uri: /a", "X-Forwarded-Method: GET"}, more...)...)
}

func denied(code access.Code) access.Verdict {
	v := access.Deny(access.Reason{Code: code, Detail: "never shown"})
	v.DecisionID, v.Body, v.ContentType = "d-2", `{"code":"`+string(code)+`"}`, "application/json"
	v.Client = []access.Header{
		{Name: "WWW-Authenticate", Value: `ApiKey realm="api"`},
		{Name: "WWW-Authenticate", Value: `Bearer realm="api", error="invalid_token"`},
		{Name: "Retry-After", Value: "7"},
	}
	v.Managed = allowed().Managed
	return v
}

func TestAllow(t *testing.T) {
	verdict := allowed()
	verdict.Upstream = []access.Header{{Name: "x-legacy-user", Value: "김철수"}, {Name: "x-legacy-user", Value: "b"}}
	verdict.Client = []access.Header{{Name: "x-shown", Value: "1"}, {Name: "X-Legacy-User", Value: "mixed"}}
	verdict.Remove = []string{"x-api-key"}
	d := open(t, loopback())
	d.answer = always(verdict)
	for name, target := range doors {
		for _, method := range []string{"GET", "HEAD", "POST", "PROPFIND"} {
			reply := d.send(t, question(method, target))
			h := reply.Header
			if reply.StatusCode != 200 || reply.body != "" || reply.ContentLength != 0 {
				t.Errorf("%s %s: %s, %d bytes, body %q", method, name, reply.Status, reply.ContentLength, reply.body)
			}
			custom, there := h["X-Consumer-Custom-Id"]
			if h.Get("X-Consumer-Username") != "alice" || !there || !slices.Equal(custom, []string{""}) || h.Get("X-Decision-Id") != "d-1" {
				t.Errorf("%s: managed headers: %v", name, h)
			}
			if !slices.Equal(h.Values("X-Legacy-User"), []string{"김철수", "b"}) || h.Get("X-Shown") != "1" {
				t.Errorf("%s: headers of policy: %v", name, h)
			}
			for _, never := range []string{"X-Postern-Code", "X-Postern-Status", "X-Api-Key", "Connection"} {
				if _, there := h[never]; there {
					t.Errorf("%s: an allow carries %s", name, never)
				}
			}
		}
	}
}

func TestSpellingIsKept(t *testing.T) {
	d := open(t, loopback())
	conn := d.dial(t)
	if _, err := conn.Write([]byte(question("GET", "/forward-auth/caddy", "Connection: close"))); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "\r\nX-Consumer-Custom-ID: \r\n") {
		t.Errorf("got %q", raw)
	}
}

func TestDenials(t *testing.T) {
	d := open(t, loopback())
	for _, code := range access.Codes() {
		if code == access.CodeAllowed || code == access.CodeFault {
			continue
		}
		d.answer = always(denied(code))
		for name, target := range doors {
			meant, status := code.Status(), code.Status()
			if name == "nginx" && status != 401 {
				status = 403
			}
			reply := d.send(t, question("GET", target))
			h := reply.Header
			if reply.StatusCode != status || reply.body != `{"code":"`+string(code)+`"}` || h.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: %s, %q", name, code, reply.Status, reply.body)
			}
			if h.Get("X-Postern-Code") != string(code) || h.Get("X-Decision-Id") != "d-2" || h.Get("Retry-After") != "7" ||
				!slices.Equal(h.Values("WWW-Authenticate"), []string{`ApiKey realm="api"`, `Bearer realm="api", error="invalid_token"`}) {
				t.Errorf("%s %s: %v", name, code, h)
			}
			if got := h.Get("X-Postern-Status"); name == "nginx" && got != status3(meant) || name != "nginx" && got != "" {
				t.Errorf("%s %s: X-Postern-Status %q", name, code, got)
			}
			if _, there := h["X-Consumer-Username"]; there {
				t.Errorf("%s %s: a denial tells the client who it is", name, code)
			}
		}
	}
}

func status3(status int) string {
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}

func TestPolicysOwnStatus(t *testing.T) {
	d := open(t, loopback())
	for status, want := range map[int]struct{ caddy, nginx int }{
		0: {403, 403}, -1: {403, 403}, 99: {403, 403}, 100: {403, 403}, 101: {403, 403}, 200: {403, 403}, 204: {403, 403}, 299: {403, 403},
		302: {302, 403}, 401: {401, 401}, 418: {418, 403}, 429: {429, 403}, 503: {503, 403}, 600: {403, 403}, 1000: {403, 403},
	} {
		verdict := denied(access.CodeDeniedByPolicy)
		verdict.Status = status
		d.answer = always(verdict)
		caddy, nginx := d.send(t, question("GET", doors["caddy"])), d.send(t, question("GET", doors["nginx"]))
		if caddy.StatusCode != want.caddy || nginx.StatusCode != want.nginx {
			t.Errorf("%d: caddy %d, nginx %d, want %v", status, caddy.StatusCode, nginx.StatusCode, want)
		}
		if got := nginx.Header.Get("X-Postern-Status"); got != status3(want.caddy) {
			t.Errorf("%d: X-Postern-Status %q", status, got)
		}
	}
}

func TestDenialToHEADHasTheLengthAlone(t *testing.T) {
	d := open(t, loopback())
	d.answer = always(denied(access.CodeInvalidCredential))
	reply := d.send(t, question("HEAD", doors["haproxy"]))
	if reply.StatusCode != 401 || reply.body != "" || reply.ContentLength != int64(len(`{"code":"invalid_credential"}`)) {
		t.Errorf("%s, length %d, body %q", reply.Status, reply.ContentLength, reply.body)
	}
}

func TestFaultsAreClosed(t *testing.T) {
	fault := access.Fault("never shown")
	fault.DecisionID = "d-3"
	odd := access.Fault("never shown")
	odd.Status = 200
	with := func(change func(*access.Verdict)) access.Verdict {
		v := allowed()
		change(&v)
		return v
	}
	split := access.Header{Name: "x-a", Value: "b\r\nX-Consumer-Username: mallory"}
	deniedSplit := denied(access.CodeDeniedByPolicy)
	deniedSplit.Client = []access.Header{split}
	deniedType := denied(access.CodeDeniedByPolicy)
	deniedType.ContentType = "text/html\r\nx-a: b"
	for name, answer := range map[string]func(*access.Request) access.Verdict{
		"fault":                 always(fault),
		"fault with status 200": always(odd),
		"zero value":            always(access.Verdict{}),
		"zero value, status":    always(access.Verdict{Status: 200, Managed: allowed().Managed}),
		"panic":                 func(*access.Request) access.Verdict { panic("canary-7f3a") },
		"panic of the runtime": func(r *access.Request) access.Verdict {
			return always(access.Verdict{Status: len(r.Headers[1<<20].Name)})(r)
		},
		"CR and LF upstream":   always(with(func(v *access.Verdict) { v.Upstream = []access.Header{split} })),
		"LF in a managed one":  always(with(func(v *access.Verdict) { v.Managed[0].Value = "a\nb" })),
		"NUL in a managed one": always(with(func(v *access.Verdict) { v.Managed[0].Value = "a\x00b" })),
		"DEL for the client":   always(with(func(v *access.Verdict) { v.Client = []access.Header{{Name: "x-a", Value: "\x7f"}} })),
		"space in a name":      always(with(func(v *access.Verdict) { v.Upstream = []access.Header{{Name: "x a", Value: "b"}} })),
		"no name":              always(with(func(v *access.Verdict) { v.Upstream = []access.Header{{Value: "b"}} })),
		"name of a trailer":    always(with(func(v *access.Verdict) { v.Upstream = []access.Header{{Name: "Trailer:x-a", Value: "b"}} })),
		"CR and LF in denial":  always(deniedSplit),
		"CR and LF in type":    always(deniedType),
		"LF in decision id":    always(func() access.Verdict { v := denied(access.CodeMissingRole); v.DecisionID = "a\nb"; return v }()),
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, loopback())
			d.answer = answer
			for door, target := range doors {
				status := 503
				if door == "nginx" {
					status = 403
				}
				checkFault(t, door, d.send(t, question("GET", target)), status)
			}
			if strings.Contains(d.log.String(), "canary") || strings.Contains(d.log.String(), "mallory") {
				t.Errorf("the log tells a value: %s", d.log)
			}
		})
	}
}

func checkFault(t *testing.T, door string, reply reply, status int) {
	t.Helper()
	var body struct{ Code, Message string }
	if err := json.Unmarshal([]byte(reply.body), &body); err != nil || body.Code != "fault" || body.Message == "" {
		t.Errorf("%s: body %q, %v", door, reply.body, err)
	}
	if reply.StatusCode != status || reply.Header.Get("X-Postern-Code") != "fault" {
		t.Errorf("%s: %s %v", door, reply.Status, reply.Header)
	}
	for _, never := range []string{"X-Consumer-Username", "X-A", "Www-Authenticate"} {
		if _, there := reply.Header[never]; there {
			t.Errorf("%s: a fault carries %s", door, never)
		}
	}
}

func TestPanicIsLogged(t *testing.T) {
	d := open(t, loopback())
	d.answer = func(*access.Request) access.Verdict { panic("canary") }
	d.send(t, question("GET", doors["caddy"]))
	if log := d.log.String(); !strings.Contains(log, "panic at the HTTP door") || !strings.Contains(log, "render_test.go") {
		t.Errorf("log: %s", log)
	}
}

func TestHeadersOfTheConnectionAreNotPolicys(t *testing.T) {
	verdict := denied(access.CodeDeniedByPolicy)
	verdict.Client = []access.Header{
		{Name: "content-length", Value: "999"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Connection", Value: "upgrade"},
		{Name: "upgrade", Value: "h2c"}, {Name: "trailer", Value: "x"}, {Name: "x-kept", Value: "1"},
	}
	d := open(t, loopback())
	d.answer = always(verdict)
	reply := d.send(t, question("GET", doors["caddy"]))
	if reply.ContentLength != int64(len(verdict.Body)) || reply.body != verdict.Body || reply.Header.Get("X-Kept") != "1" {
		t.Errorf("%d bytes, %q, %v", reply.ContentLength, reply.body, reply.Header)
	}
	for _, name := range []string{"Connection", "Upgrade", "Trailer", "Transfer-Encoding"} {
		if _, there := reply.Header[name]; there {
			t.Errorf("%s is there", name)
		}
	}
}

func TestOtherPaths(t *testing.T) {
	d := open(t, loopback())
	for target, want := range map[string]int{
		"/": 404, "/forward-auth": 404, "/forward-auth/": 404, "/forward-auth/kong": 404, "/forward-auth/apisix/": 404, "/forward-auth/APISIX": 404,
		"/forward-auth/apisix/a": 404, "/forward-auth/envoyx": 404, "//forward-auth/apisix": 404, "/x/../forward-auth/apisix": 404,
		"/forward-auth%2Fapisix": 404, "/forward-auth/grpc": 404, "/healthz": 404, "/v1/data": 404, "http://api.example.com/forward-auth/apisix": 400,
	} {
		if reply := d.send(t, question("GET", target)); reply.StatusCode != want || reply.Header.Get("Location") != "" {
			t.Errorf("%s: %s", target, reply.Status)
		}
	}
	if reply := d.send(t, question("GET", "/v1/data/")); reply.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of the data API: %s", reply.Status)
	}
	if n := d.count(); n != 0 {
		t.Errorf("the checker was asked %d times", n)
	}
}
