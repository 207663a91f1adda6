package forwardauth_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
)

type recording struct{ name, raw string }

// recordings reads testdata/GATEWAY.txt, and turns the path of the recorded
// authorization server into the door's.
func recordings(t testing.TB, gateway string) []recording {
	t.Helper()
	text, err := os.ReadFile("testdata/" + gateway + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []recording
	for block := range strings.SplitSeq(string(text), "##### ") {
		name, head, ok := strings.Cut(strings.TrimSpace(block), "\n")
		if !ok {
			continue
		}
		raw := strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
		all = append(all, recording{name, strings.Replace(raw, "/auth", "/forward-auth/"+gateway, 1)})
	}
	if len(all) != 11 {
		t.Fatalf("%s: %d recordings", gateway, len(all))
	}
	return all
}

// The first recording's path, by gateway: "" where it can't be read safely,
// since it holds an encoded slash.
var firstPath = map[string]string{
	"apisix": "/a/d/e", "traefik": "/a/d/e", "nginx": "", "caddy": "", "haproxy": "",
}

func TestRecordedRequestsOfGateways(t *testing.T) {
	for gateway, first := range firstPath {
		d := open(t, loopback())
		for _, r := range recordings(t, gateway) {
			t.Run(gateway+"/"+r.name, func(t *testing.T) {
				reply := d.send(t, r.raw)
				if reply.StatusCode != 200 || reply.Header.Get("X-Consumer-Username") != "alice" {
					t.Errorf("answer: %s %v", reply.Status, reply.Header)
				}
				checkRecorded(t, gateway, r.name, first, d.request(t))
			})
		}
	}
}

func checkRecorded(t *testing.T, gateway, name, first string, req *access.Request) {
	t.Helper()
	method, path, query := "GET", map[string]string{
		"GET allow": first, "POST allow body": "/post", "POST chunked": "/postc", "PUT expect100": "/pute",
		"HEAD allow": "/head", "websocket upgrade": "/ws",
	}[name], ""
	switch word, _, _ := strings.Cut(name, " "); word {
	case "POST", "PUT", "HEAD":
		method = word
	case "GET":
		query = "x=1&y=%20z"
	case "websocket":
	default:
		path = "/" + name
	}
	if path == "" {
		if req.Malformed == "" || !strings.Contains(req.RawPath, "%2F") {
			t.Errorf("an encoded slash was read: %+v", req)
		}
		return
	}
	if req.Malformed != "" {
		t.Fatalf("malformed: %s", req.Malformed)
	}
	got := []string{string(req.Door), req.Method, req.Host, req.Path, req.Query, req.Scheme, req.Client.String(), req.Source.Address.Addr().String()}
	want := []string{gateway, method, "api.example.test", path, query, "http", "127.0.0.1", "127.0.0.1"}
	if !slices.Equal(got, want) {
		t.Errorf("read as\n%q, want\n%q", got, want)
	}
	checkHeader(t, req, "authorization", "Bearer tok")
	checkHeader(t, req, "x-api-key", "k")
	checkHeader(t, req, "x-forwarded-for", "127.0.0.1")
	checkHeader(t, req, "x-forwarded-proto", "http")
	for _, consumed := range []string{"x-forwarded-uri", "x-forwarded-method", "x-forwarded-host"} {
		if _, n := req.Headers.Get(consumed); n != 0 {
			t.Errorf("%s is left among the client's headers", consumed)
		}
	}
	if gateway == "traefik" {
		checkHeader(t, req, "x_under", "1")
	}
	if req.Size != -1 || req.Body != nil || req.Time.IsZero() {
		t.Errorf("size %d, body %q, time %v", req.Size, req.Body, req.Time)
	}
}

func checkHeader(t *testing.T, req *access.Request, name, want string) {
	t.Helper()
	if got, n := req.Headers.Get(name); n != 1 || got != want {
		t.Errorf("%s: %d lines, %q, want %q", name, n, got, want)
	}
}

func TestForwardedRequest(t *testing.T) {
	type want struct{ method, host, path, query, client, malformed string }
	tests := map[string]struct {
		door  string
		lines []string
		want  want
	}{
		"host falls back":              {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET"}, want{"GET", "door.test", "/a", "", "127.0.0.1", ""}},
		"forwarded host counts":        {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Host: API.example.com.:443"}, want{"GET", "api.example.com", "/a", "", "127.0.0.1", ""}},
		"method keeps its case":        {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: get"}, want{"get", "door.test", "/a", "", "127.0.0.1", ""}},
		"chain is walked":              {"traefik", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-For: 127.0.0.7"}, want{"GET", "door.test", "/a", "", "203.0.113.9", ""}},
		"absolute form":                {"traefik", []string{"X-Forwarded-Uri: http://door.test/a?x", "X-Forwarded-Method: GET"}, want{"GET", "door.test", "/a", "x", "127.0.0.1", ""}},
		"absolute form, another host":  {"traefik", []string{"X-Forwarded-Uri: http://evil.test/a", "X-Forwarded-Method: GET"}, want{malformed: "another host"}},
		"no URI":                       {"apisix", []string{"X-Forwarded-Method: GET"}, want{malformed: "X-Forwarded-Uri is missing"}},
		"no method":                    {"haproxy", []string{"X-Forwarded-Uri: /a"}, want{malformed: "X-Forwarded-Method is missing"}},
		"empty URI":                    {"apisix", []string{"X-Forwarded-Uri:", "X-Forwarded-Method: GET"}, want{malformed: "path is empty"}},
		"empty method":                 {"apisix", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method:"}, want{malformed: "method"}},
		"empty host":                   {"apisix", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Host:"}, want{malformed: "host is empty"}},
		"two URIs":                     {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Uri: /a", "X-Forwarded-Method: GET"}, want{malformed: "X-Forwarded-Uri is there 2 times"}},
		"two methods":                  {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "x-forwarded-method: POST"}, want{malformed: "X-Forwarded-Method is there 2 times"}},
		"two hosts":                    {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Host: a.test", "X-Forwarded-Host: b.test"}, want{malformed: "X-Forwarded-Host is there 2 times"}},
		"two schemes":                  {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-Proto: http"}, want{malformed: "X-Forwarded-Proto is there 2 times"}},
		"joined hosts":                 {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Host: a.test, b.test"}, want{malformed: "host"}},
		"odd scheme":                   {"caddy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Proto: gopher"}, want{malformed: "scheme"}},
		"encoded slash":                {"caddy", []string{"X-Forwarded-Uri: /a%2fb", "X-Forwarded-Method: GET"}, want{malformed: "encoded '/'"}},
		"apisix decodes itself":        {"apisix", []string{"X-Forwarded-Uri: /a%2fb c/../d?x=%20", "X-Forwarded-Method: GET"}, want{"GET", "door.test", "/d", "x=%20", "127.0.0.1", ""}},
		"dot segments":                 {"haproxy", []string{"X-Forwarded-Uri: /public/../admin", "X-Forwarded-Method: GET"}, want{"GET", "door.test", "/admin", "", "127.0.0.1", ""}},
		"rewrites are ignored":         {"haproxy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Original-Url: /evil", "X-Original-Uri: /evil", "X-Original-Method: PUT", "X-Rewrite-Url: /evil", "X-Http-Method-Override: PUT"}, want{"GET", "door.test", "/a", "", "127.0.0.1", ""}},
		"aliases are ignored":          {"haproxy", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X_Forwarded_Uri: /evil"}, want{"GET", "door.test", "/a", "", "127.0.0.1", ""}},
		"nginx: original":              {"nginx", []string{"X-Original-URI: /a?x", "X-Original-Method: PUT", "X-Forwarded-Uri: /evil", "X-Forwarded-Method: EVIL"}, want{"PUT", "door.test", "/a", "x", "127.0.0.1", ""}},
		"nginx: forwarded":             {"nginx", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Method: PUT", "X-Original-Url: /evil"}, want{"PUT", "door.test", "/a", "", "127.0.0.1", ""}},
		"nginx: half of the pair":      {"nginx", []string{"X-Original-URI: /a", "X-Forwarded-Uri: /a", "X-Forwarded-Method: PUT"}, want{malformed: "X-Original-Method is missing"}},
		"nginx: the other half":        {"nginx", []string{"X-Original-Method: GET", "X-Forwarded-Uri: /a", "X-Forwarded-Method: PUT"}, want{malformed: "X-Original-Uri is missing"}},
		"nginx: two originals":         {"nginx", []string{"X-Original-URI: /a", "X-Original-URI: /b", "X-Original-Method: GET"}, want{malformed: "X-Original-Uri is there 2 times"}},
		"nginx: neither":               {"nginx", nil, want{malformed: "X-Forwarded-Uri is missing"}},
		"nginx: the default's headers": {"nginx", []string{"Content-Length: 3", "X-Original-URI: /a", "X-Original-Method: POST"}, want{"POST", "door.test", "/a", "", "127.0.0.1", ""}},
	}
	d := open(t, loopback())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			head := append([]string{"GET /forward-auth/" + test.door + "?x=/evil HTTP/1.0", "Host: door.test"}, test.lines...)
			d.send(t, lines(head...))
			checkRead(t, d.request(t), test.want.method, test.want.host, test.want.path, test.want.query, test.want.client, test.want.malformed)
		})
	}
}

func checkRead(t *testing.T, req *access.Request, method, host, path, query, client, malformed string) {
	t.Helper()
	if malformed != "" {
		if !strings.Contains(req.Malformed, malformed) {
			t.Errorf("malformed %q, want %q", req.Malformed, malformed)
		}
		return
	}
	got := []string{req.Method, req.Host, req.Path, req.Query, req.Client.String(), req.Malformed}
	if want := []string{method, host, path, query, client, ""}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestEnvoyAsksWithTheClientsRequestLine(t *testing.T) {
	tests := map[string]struct{ target, path, query, malformed string }{
		"plain":         {"/forward-auth/envoy/a/../b//c?x=1", "/b/c", "x=1", ""},
		"root":          {"/forward-auth/envoy/", "/", "", ""},
		"door's name":   {"/forward-auth/envoy/forward-auth/apisix", "/forward-auth/apisix", "", ""},
		"opa's name":    {"/forward-auth/envoy/v1/data/x", "/v1/data/x", "", ""},
		"double slash":  {"/forward-auth/envoy//admin", "/admin", "", ""},
		"encoded slash": {"/forward-auth/envoy/a%2fb", "", "", "encoded '/'"},
		"no path":       {"/forward-auth/envoy", "", "", "path is empty"},
		"query alone":   {"/forward-auth/envoy?x", "", "", "path is empty"},
	}
	d := open(t, loopback())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d.send(t, lines("PATCH "+test.target+" HTTP/1.1", "Host: Api.example.com:8443",
				"X-Forwarded-Uri: /evil", "X-Forwarded-Uri: /evil", "X-Forwarded-Method: EVIL", "X-Forwarded-Host: evil", "X-Forwarded-Proto: gopher"))
			checkRead(t, d.request(t), "PATCH", "api.example.com", test.path, test.query, "127.0.0.1", test.malformed)
			if _, n := d.request(t).Headers.Get("x-forwarded-uri"); n != 2 {
				t.Error("the client's own header is not shown to policy")
			}
		})
	}
}

func TestPeers(t *testing.T) {
	head := []string{"Host: door.test", "X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-For: 6.6.6.6, 203.0.113.9:4711"}
	ask := func(t *testing.T, d *door, target string) *access.Request {
		d.send(t, lines(append([]string{"GET " + target + " HTTP/1.1"}, head...)...))
		return d.request(t)
	}
	t.Run("nobody is trusted", func(t *testing.T) {
		d := open(t, nobody)
		for _, name := range []string{"apisix", "nginx", "traefik", "caddy", "haproxy"} {
			if req := ask(t, d, "/forward-auth/"+name); !strings.Contains(req.Malformed, "trusted") || req.Client.String() != "127.0.0.1" {
				t.Errorf("%s: malformed %q, client %v", name, req.Malformed, req.Client)
			}
		}
		if req := ask(t, d, "/forward-auth/envoy/b"); req.Malformed != "" || req.Path != "/b" || req.Client.String() != "127.0.0.1" {
			t.Errorf("envoy: %+v", req)
		}
	})
	t.Run("unix socket", func(t *testing.T) {
		d := openOn(t, "unix", t.TempDir()+"/door.sock", nobody)
		if req := ask(t, d, "/forward-auth/caddy"); req.Malformed != "" || req.Path != "/a" || req.Client != netip.MustParseAddr("203.0.113.9") {
			t.Errorf("%+v", req)
		}
		for line, client := range map[string]string{
			"Accept: x":                       "invalid IP",
			"X-Forwarded-For: junk":           "invalid IP",
			"X-Forwarded-For: 9.9.9.9, ":      "invalid IP",
			"X-Forwarded-For: ::ffff:1.2.3.4": "1.2.3.4",
		} {
			d.send(t, lines("GET /forward-auth/caddy HTTP/1.1", head[0], head[1], head[2], line))
			if got := d.request(t).Client.String(); got != client {
				t.Errorf("%s: client %s, want %s", line, got, client)
			}
		}
	})
	t.Run("unix socket, trusted chain", func(t *testing.T) {
		d := openOn(t, "unix", t.TempDir()+"/door.sock", trusting(t, "203.0.113.0/24"))
		if req := ask(t, d, "/forward-auth/caddy"); req.Client != netip.MustParseAddr("6.6.6.6") {
			t.Errorf("client %v", req.Client)
		}
	})
}

// A certificate that a peer forwards is shown, with what the peer is worth.
func TestForwardedCertificates(t *testing.T) {
	input := `{"input":{"request":{"method":"GET","scheme":"http","host":"a.test","port":80,"path":"/a","headers":{"X-Forwarded-Client-Cert":"Hash=1","client-cert":":AQ==:"}}}}`
	raw := map[string]string{
		"data API": lines("POST /v1/data/postern/authz/allow HTTP/1.1", "Host: door.test", fmt.Sprintf("Content-Length: %d", len(input))) + input,
	}
	for _, name := range []string{"apisix", "nginx", "traefik", "caddy", "haproxy", "envoy/a"} {
		raw[name] = lines("GET /forward-auth/"+name+" HTTP/1.1", "Host: door.test", "X-Forwarded-Uri: /a", "X-Forwarded-Method: GET",
			"X-Forwarded-Client-Cert: Hash=1", "Client-Cert: :AQ==:")
	}
	doors := map[bool]*door{true: open(t, loopback()), false: open(t, nobody)}
	for trusted, d := range doors {
		for name, question := range raw {
			d.send(t, question)
			req := d.request(t)
			if req.Trusted != trusted {
				t.Errorf("%s: trusted %v, want %v", name, req.Trusted, trusted)
			}
			if name == "data API" && !trusted {
				continue // of such a peer's input nothing is read
			}
			for header, want := range map[string]string{"x-forwarded-client-cert": "Hash=1", "client-cert": ":AQ==:"} {
				checkHeader(t, req, header, want)
			}
		}
	}
	d := openOn(t, "unix", t.TempDir()+"/door.sock", nobody)
	d.send(t, raw["caddy"])
	if !d.request(t).Trusted {
		t.Error("the peer of a Unix socket is not trusted")
	}
}

func TestRequestID(t *testing.T) {
	d := open(t, loopback())
	for line, want := range map[string]string{
		"X-Request-Id: 4f6c-1":                      "4f6c-1",
		"X-Request-Id: a b":                         "",
		"X-Request-Id: " + strings.Repeat("a", 129): "",
		"X-Other: a":                                "",
		"X-Request-Id: " + strings.Repeat("a", 128): strings.Repeat("a", 128),
	} {
		d.send(t, lines("GET /forward-auth/caddy HTTP/1.1", "Host: door.test", line))
		if got := d.request(t).ID; got != want {
			t.Errorf("%.40s: id %q", line, got)
		}
	}
}
