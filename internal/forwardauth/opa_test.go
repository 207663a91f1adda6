package forwardauth_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
)

// pluginInput is what APISIX 3.18's opa plugin writes under with_route and
// with_consumer, for GET /a%20b/../c?x=1&y&x=2 (apisix/plugins/opa/helper.lua).
const pluginInput = `{"input":{"type":"http",
 "request":{"scheme":"https","method":"GET","host":"api.example.com","port":443,"path":"/a b/c",
  "headers":{"host":"api.example.com","authorization":"Bearer tok","cookie":["a=1","b=2"],"x-under_score":"1"},
  "query":{"x":["1","2"],"y":true,"z":"ü &"}},
 "var":{"server_addr":"10.0.0.1","server_port":"9443","remote_addr":"203.0.113.9","remote_port":"4711","timestamp":1700000000},
 "route":{"id":"1","uri":"/*"},"consumer":{"username":"jack"}}}`

func post(path, body string) string {
	return lines("POST "+path+" HTTP/1.1", "Host: postern", "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))) + body
}

type pluginAnswer struct {
	Result *struct {
		Allow      *bool
		Reason     string
		Headers    map[string]any
		StatusCode int `json:"status_code"`
	}
}

func (d *door) plugin(t *testing.T, body string) pluginAnswer {
	t.Helper()
	reply := d.send(t, post("/v1/data/postern/authz/allow", body))
	var answer pluginAnswer
	if err := json.Unmarshal([]byte(reply.body), &answer); err != nil || answer.Result == nil || answer.Result.Allow == nil {
		t.Fatalf("%q: %v", reply.body, err)
	}
	if reply.StatusCode != 200 || reply.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", reply.Status, reply.Header)
	}
	return answer
}

func TestPluginInput(t *testing.T) {
	d := open(t, loopback())
	if answer := d.plugin(t, pluginInput); !*answer.Result.Allow {
		t.Error("not allowed")
	}
	want := &access.Request{
		Door: access.OPA, Entrypoint: "postern/authz/allow", Size: -1, Trusted: true,
		Method: "GET", Scheme: "https", Host: "api.example.com", RawHost: "api.example.com",
		Path: "/a b/c", RawPath: "/a b/c?x=1&x=2&y&z=%C3%BC+%26", Query: "x=1&x=2&y&z=%C3%BC+%26",
		Headers: access.Headers{
			{Name: "authorization", Value: "Bearer tok"}, {Name: "cookie", Value: "a=1"}, {Name: "cookie", Value: "b=2"},
			{Name: "host", Value: "api.example.com"}, {Name: "x-under_score", Value: "1"},
		},
		Client: netip.MustParseAddr("203.0.113.9"),
		Source: access.Peer{Address: netip.MustParseAddrPort("203.0.113.9:0")},
	}
	got := *d.request(t)
	if got.Time.IsZero() {
		t.Error("no time")
	}
	got.Time = want.Time
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	ports := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, &got, equal, ports); diff != "" {
		t.Error(diff)
	}
}

func TestPluginInputThatIsOdd(t *testing.T) {
	request := func(members string) string {
		return `{"input":{"type":"http","request":{"method":"GET","host":"a.test","path":"/a"` + members + `}}}`
	}
	tests := map[string]struct{ body, malformed string }{
		"least":                {request(""), ""},
		"no type":              {strings.Replace(request(""), `"type":"http",`, "", 1), ""},
		"empty tables":         {request(`,"headers":[],"query":[]`), ""},
		"port is text":         {request(`,"port":"80"`), ""},
		"unix client":          {strings.Replace(request(""), `"type"`, `"var":{"remote_addr":"unix:"},"type"`, 1), ""},
		"not JSON":             {"x", "JSON"},
		"empty":                {"", "JSON"},
		"a list":               {"[]", "one JSON object"},
		"two objects":          {request("") + "{}", "one JSON object"},
		"half an object":       {`{"input":{`, "JSON"},
		"not UTF-8":            {request(`,"scheme":"` + "\xff" + `"`), "UTF-8"},
		"lone surrogate":       {strings.Replace(request(""), `"/a"`, `"/a\ud800"`, 1), "surrogate"},
		"BOM":                  {"\xef\xbb\xbf" + request(""), "JSON"},
		"deep":                 {strings.Repeat(`{"input":`, 100) + "1" + strings.Repeat("}", 100), "deep"},
		"member twice":         {request(`,"path":"/b"`), "twice"},
		"member twice, deeper": {request(`,"headers":{"a":"1","a":"2"}`), "twice"},
		"member in other case": {request(`,"Path":"/b"`), "unknown"},
		"other root":           {`{"inputs":{}}`, "unknown"},
		"unknown in input":     {strings.Replace(request(""), `"type"`, `"source":{},"type"`, 1), "unknown"},
		"no request":           {`{"input":{"type":"http"}}`, "method"},
		"no input":             {`{}`, "method"},
		"input is a string":    {`{"input":"x"}`, "no object"},
		"stream":               {strings.Replace(request(""), `"http"`, `"stream"`, 1), "http"},
		"no path":              {strings.Replace(request(""), `"path"`, `"body"`, 1), "path is empty"},
		"path is a number":     {strings.Replace(request(""), `"/a"`, `7`, 1), "no string"},
		"path with a query":    {strings.Replace(request(""), `"/a"`, `"/a?b"`, 1), "question mark"},
		"path with backslash":  {strings.Replace(request(""), `"/a"`, `"/a\\b"`, 1), `\`},
		"no host":              {strings.Replace(request(""), `"host"`, `"scheme"`, 1), "scheme"},
		"header is a number":   {request(`,"headers":{"a":1}`), "no string"},
		"header of lists":      {request(`,"headers":{"a":[["b"]]}`), "no string"},
		"header with LF":       {request(`,"headers":{"a":"b\nc"}`), "control"},
		"header of no name":    {request(`,"headers":{"":"b"}`), "no name"},
		"header of no token":   {request(`,"headers":{"a b":"c"}`), "header"},
		"headers are a list":   {request(`,"headers":["a"]`), "no object"},
		"query is a number":    {request(`,"query":{"a":1}`), "neither"},
		"query is false":       {request(`,"query":{"a":false}`), "neither"},
		"body is an object":    {request(`,"body":{}`), "no string"},
		"client is a name":     {strings.Replace(request(""), `"type"`, `"var":{"remote_addr":"localhost"},"type"`, 1), "remote_addr"},
		"client has a zone":    {strings.Replace(request(""), `"type"`, `"var":{"remote_addr":"fe80::1%eth0"},"type"`, 1), "remote_addr"},
		"too long":             {request(`,"body":"` + strings.Repeat("x", 1<<20) + `"`), "longer"},
	}
	d := open(t, loopback())
	d.answer = func(r *access.Request) access.Verdict {
		if r.Malformed != "" {
			return denied(access.CodeMalformedRequest)
		}
		return allowed()
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answer := d.plugin(t, test.body)
			got := d.request(t).Malformed
			if (got == "") != (test.malformed == "") || !strings.Contains(got, test.malformed) {
				t.Errorf("malformed %q, want %q", got, test.malformed)
			}
			if *answer.Result.Allow != (test.malformed == "") {
				t.Errorf("allow: %v", *answer.Result.Allow)
			}
		})
	}
}

func TestPluginBodyGoesToPolicy(t *testing.T) {
	d := open(t, loopback())
	d.plugin(t, `{"input":{"type":"http","request":{"method":"POST","host":"a.test","path":"/a","body":"{}"}}}`)
	if req := d.request(t); string(req.Body) != "{}" || req.Size != 2 {
		t.Errorf("body %q, size %d", req.Body, req.Size)
	}
}

func TestPluginEntrypoint(t *testing.T) {
	d := open(t, loopback())
	for path, want := range map[string]string{
		"a": "a", "a/b_1/C": "a/b_1/C", "a?pretty=true": "a", "": "", "/": "", "a//b": "", "a/": "", "../a": "", "a%2Fb": "", "a.b": "",
		strings.Repeat("a", 256): strings.Repeat("a", 256), strings.Repeat("a", 257): "",
	} {
		d.send(t, post("/v1/data/"+path, pluginInput))
		if req := d.request(t); req.Entrypoint != want || (req.Malformed == "") != (want != "") {
			t.Errorf("%.40q: entry point %q, malformed %q", path, req.Entrypoint, req.Malformed)
		}
	}
}

func TestPluginAllow(t *testing.T) {
	verdict := allowed()
	verdict.Upstream = []access.Header{{Name: "x-role", Value: "a"}, {Name: "x-role", Value: "b"}, {Name: "x-role", Value: "c"}}
	d := open(t, loopback())
	d.answer = always(verdict)
	answer := d.plugin(t, pluginInput)
	want := map[string]any{
		"X-Consumer-Username": "alice", "X-Consumer-Custom-ID": "", "X-Decision-Id": "d-1", "x-role": []any{"a", "b", "c"},
	}
	if !*answer.Result.Allow || answer.Result.StatusCode != 0 || answer.Result.Reason != "" {
		t.Errorf("%+v", answer.Result)
	}
	if diff := cmp.Diff(want, answer.Result.Headers); diff != "" {
		t.Error(diff)
	}
}

func TestPluginDenial(t *testing.T) {
	d := open(t, loopback())
	for _, code := range access.Codes() {
		if code == access.CodeAllowed || code == access.CodeFault {
			continue
		}
		d.answer = always(denied(code))
		answer := d.plugin(t, pluginInput)
		want := map[string]any{
			"WWW-Authenticate": []any{`ApiKey realm="api"`, `Bearer realm="api", error="invalid_token"`}, "Retry-After": "7",
			"Content-Type": "application/json", "X-Postern-Code": string(code), "X-Decision-Id": "d-2",
		}
		if *answer.Result.Allow || answer.Result.StatusCode != code.Status() || answer.Result.Reason != `{"code":"`+string(code)+`"}` {
			t.Errorf("%s: %+v", code, answer.Result)
		}
		if diff := cmp.Diff(want, answer.Result.Headers); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
	}
}

func TestPluginFaultsAreClosed(t *testing.T) {
	split := allowed()
	split.Managed[0].Value = "a\r\nb"
	for name, answer := range map[string]func(*access.Request) access.Verdict{
		"fault": always(access.Fault("x")), "zero value": always(access.Verdict{}), "CR and LF": always(split),
		"panic": func(*access.Request) access.Verdict { panic("x") },
	} {
		d := open(t, loopback())
		d.answer = answer
		got := d.plugin(t, pluginInput)
		if *got.Result.Allow || got.Result.StatusCode != 503 || got.Result.Headers["X-Postern-Code"] != "fault" {
			t.Errorf("%s: %+v", name, got.Result)
		}
		if _, there := got.Result.Headers["X-Consumer-Username"]; there {
			t.Errorf("%s: the identity is told", name)
		}
	}
}

func TestPluginIsBelievedOnlyFromTrustedPeers(t *testing.T) {
	d := open(t, nobody)
	d.plugin(t, pluginInput)
	if req := d.request(t); !strings.Contains(req.Malformed, "trusted") || req.Client.IsValid() || req.Path != "" {
		t.Errorf("%+v", req)
	}
	socket := openOn(t, "unix", t.TempDir()+"/door.sock", nobody)
	socket.plugin(t, pluginInput)
	if req := socket.request(t); req.Malformed != "" {
		t.Errorf("%+v", req)
	}
}

func TestPluginConnections(t *testing.T) {
	d := open(t, loopback())
	conn := d.dial(t)
	in := bufio.NewReader(conn)
	for range 3 {
		raw := post("/v1/data/a", pluginInput)
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		if reply := receive(t, in, raw); reply.Close {
			t.Error("closed after a whole body")
		}
	}
	chunked := lines("POST /v1/data/a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(pluginInput), pluginInput)
	if reply := d.send(t, chunked); !reply.Close || !slices.Equal(strings.Fields(reply.Status)[:1], []string{"200"}) || d.request(t).Malformed != "" {
		t.Errorf("chunked: %s, close %v", reply.Status, reply.Close)
	}
	if reply := d.send(t, lines("GET /v1/data/a HTTP/1.1", "Host: a")); reply.StatusCode != 405 || reply.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", reply.Status)
	}
}

func TestPluginInputThatIsCut(t *testing.T) {
	d := open(t, loopback())
	d.answer = func(r *access.Request) access.Verdict {
		if r.Malformed == "" {
			return allowed()
		}
		return denied(access.CodeMalformedRequest)
	}
	conn := d.dial(t)
	raw := post("/v1/data/a", pluginInput)
	if _, err := conn.Write([]byte(raw[:len(raw)-1])); err != nil {
		t.Fatal(err)
	}
	half, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatalf("a %T", conn)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	reply := receive(t, bufio.NewReader(conn), raw)
	if !strings.Contains(reply.body, `"allow":false`) || !strings.Contains(d.request(t).Malformed, "can't be read") {
		t.Errorf("%s %s, malformed %q", reply.Status, reply.body, d.request(t).Malformed)
	}
}
