package introspect_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/introspect"
)

// drips sends an answer byte by byte and never ends.
func drips(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		w.(http.Flusher).Flush()
		time.Sleep(time.Millisecond)
	}
}

// hangs answers never. The body is read, so that the end of the connection is
// noticed.
func hangs(_ http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	<-r.Context().Done()
}

// sends writes bytes in place of an answer and closes the connection.
func sends(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

func typed(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		_, _ = w.Write([]byte(text))
	}
}

// TestTroubleIsAFaultAndNotRemembered: no way in which a server fails proves or
// rejects a token, tells its secret, or outlasts the trouble.
func TestTroubleIsAFaultAndNotRemembered(t *testing.T) {
	good := active("")
	for name, c := range map[string]struct {
		does http.HandlerFunc
		want string
	}{
		"hangs":           {hangs, "no answer in time"},
		"drips":           {drips, "no answer in time"},
		"status 500":      {answers(http.StatusInternalServerError), "status 500"},
		"status 503":      {answers(http.StatusServiceUnavailable), "status 503"},
		"status 429":      {answers(http.StatusTooManyRequests), "status 429"},
		"status 400":      {answers(http.StatusBadRequest), "status 400"},
		"status 404":      {answers(http.StatusNotFound), "status 404"},
		"status 204":      {answers(http.StatusNoContent), "status 204"},
		"our credentials": {answers(http.StatusUnauthorized), "our own client_id and client_secret"},
		"our permission":  {answers(http.StatusForbidden), "our own client_id and client_secret"},
		"good, but a 500": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); says(good)(w, r) }, "status 500"},
		"huge":            {says(`{"active":true,"client_id":"mobile","x":"` + strings.Repeat("a", 64<<10) + `"}`), "larger than 64 KiB"},
		"signed":          {typed("application/token-introspection+jwt", "a.b.c"), "not application/json"},
		"HTML":            {typed("text/html", good), "not application/json"},
		"no type":         {typed("", good), "not application/json"},
		"lies":            {says(`{"active":"` + opaque + `"}`), "active is missing"},
		"echoes":          {says(opaque), "not a JSON object"},
		"closes":          {sends(""), "connection"},
		"speaks no HTTP":  {sends(opaque + "\r\n\r\n"), "speaks no HTTP"},
		"closes half way": {sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"active\":true"), "connection"},
		"huge head":       {sends("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), "connection"},
		"compressed, alas": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			says("\x1f\x8b")(w, r)
		}, "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, c.does, remembering, func(s *settings) {
				if c.want == "no answer in time" {
					impatient(s)
				}
			})
			_, err := ask(h.Authenticator, opaque)
			if codeOf(err) != fault || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("answer %q (%v), want a fault with %q", codeOf(err), err, c.want)
			}
			if state := h.server.State(); state.LastError == "" && c.want != "active is missing" && c.want != "not a JSON object" && c.want != "not valid UTF-8" {
				t.Errorf("state %+v tells of no error", state)
			}
			if told := fmt.Sprint(err, h.log, h.server.State()); strings.Contains(told, opaque) || strings.Contains(told, secret) {
				t.Errorf("a secret is told: %s", told)
			}
			h.stub.do(says(good))
			eventually(t, "the server's return is noticed", func() bool { _, err := ask(h.Authenticator, opaque); return err == nil })
		})
	}
}

// TestRedirectIsNotFollowed: a token goes to the configured address alone.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newStub(t, says(active("")))
	for _, status := range []int{301, 302, 303, 307, 308} {
		h := build(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		h.want(t, opaque, fault)
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("followed %d times", n)
	}
}

// TestProxyOfTheEnvironmentIsNotUsed: tokens don't go where the environment
// would have them. TestMain names a proxy there.
func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	h := build(t, says(""), impatient, func(s *settings) { s.server.URL = "http://idp.invalid/introspect" })
	if _, err := ask(h.Authenticator, opaque); codeOf(err) != fault || strings.Contains(err.Error(), noProxy) {
		t.Errorf("answer %v, want a fault that is not the proxy's", err)
	}
}

// TestSecondAttempt: a broken connection is tried again, once; an answer, and a
// server that takes its time, are not.
func TestSecondAttempt(t *testing.T) {
	breaks := sends("")
	for name, c := range map[string]struct {
		first, then http.HandlerFunc
		want        access.Code
		asked       int64
	}{
		"broken once":    {breaks, says(active("")), "", 2},
		"broken twice":   {breaks, breaks, fault, 2},
		"cut, then good": {sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"), says(active("")), "", 2},
		"an error":       {answers(http.StatusBadGateway), says(active("")), fault, 1},
		"no":             {says(`{"active":false}`), says(active("")), invalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			h := build(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					c.first(w, r)
					return
				}
				c.then(w, r)
			})
			h.want(t, opaque, c.want)
			if n := h.stub.asked.Load(); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

func TestBreaker(t *testing.T) {
	h := build(t, answers(http.StatusUnauthorized))
	for range 5 {
		h.want(t, opaque, fault)
	}
	if !h.server.State().Open || strings.Count(h.log.String(), "level=ERROR") != 1 || !strings.Contains(h.log.String(), "our own client_id") {
		t.Fatalf("state %+v after five failures, log: %s", h.server.State(), h.log)
	}
	h.stub.do(says(active("")))
	_, err := ask(h.Authenticator, opaque)
	if codeOf(err) != fault || !strings.Contains(err.Error(), "not asked") || h.stub.asked.Load() != 5 {
		t.Fatalf("open: %v, asked %d times", err, h.stub.asked.Load())
	}
	h.clock.pass(time.Second)
	h.want(t, opaque, "")
	if state := h.server.State(); state.Requests != 7 || state.Failures != 6 {
		t.Errorf("counts %+v after five failures, one while it was open, and an answer", state)
	}
	if state := h.server.State(); state.Open || state.LastError != "" || !state.LastSuccess.Equal(h.clock.now()) {
		t.Errorf("state %+v after its return", state)
	}
	if !strings.Contains(h.log.String(), "answers again") {
		t.Errorf("its return is not in the log: %s", h.log)
	}
}

// TestBreakerStaysOpenWhileTheServerIsDown: of those who come after a pause one
// finds out.
func TestBreakerStaysOpenWhileTheServerIsDown(t *testing.T) {
	h := build(t, answers(http.StatusInternalServerError))
	for range 5 {
		h.want(t, opaque, fault)
	}
	for round := range int64(3) {
		h.clock.pass(time.Second)
		for range 10 {
			h.want(t, opaque, fault)
		}
		if n := h.stub.asked.Load(); n != 6+round {
			t.Fatalf("asked %d times, want %d", n, 6+round)
		}
	}
	if n := strings.Count(h.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the log, want one:\n%s", n, h.log)
	}
}

// TestBreakerCountsFailuresInARow: an answer between them makes them single.
func TestBreakerCountsFailuresInARow(t *testing.T) {
	h := build(t, says(""))
	for range 3 {
		h.stub.do(answers(http.StatusInternalServerError))
		for range 4 {
			h.want(t, opaque, fault)
		}
		h.stub.do(says(active("")))
		h.want(t, opaque, "")
	}
}

// TestOneProbeAtATime: while one finds out, others are answered at once.
func TestOneProbeAtATime(t *testing.T) {
	h := build(t, answers(http.StatusInternalServerError))
	for range 5 {
		h.want(t, opaque, fault)
	}
	h.clock.pass(time.Second)
	release := make(chan struct{})
	h.stub.do(func(w http.ResponseWriter, r *http.Request) { <-release; says(active(""))(w, r) })
	var probe sync.WaitGroup
	probe.Go(func() { h.want(t, opaque, "") })
	eventually(t, "the probe is under way", func() bool { return h.stub.asked.Load() == 6 })
	h.want(t, opaque, fault)
	close(release)
	probe.Wait()
	h.want(t, opaque, "")
}

// TestNoTokenOpensTheBreaker: what hangs on a token, or on a caller that goes
// away, must not stop the asking about others.
func TestNoTokenOpensTheBreaker(t *testing.T) {
	for name, does := range map[string]http.HandlerFunc{
		"status 400": answers(http.StatusBadRequest), "huge": says(strings.Repeat(" ", 1<<17)), "no JSON": says("?"), "HTML": typed("text/html", ""),
	} {
		h := build(t, does)
		for range 10 {
			h.want(t, opaque, fault)
		}
		if n := h.stub.asked.Load(); n != 10 || h.server.State().Open {
			t.Errorf("%s: asked %d times, state %+v", name, n, h.server.State())
		}
	}
	h := build(t, hangs)
	for i := range int64(10) {
		ctx, cancel := context.WithCancel(context.Background())
		var gone sync.WaitGroup
		gone.Go(func() { _, _ = h.Authenticate(ctx, request(opaque)) })
		eventually(t, "the server is asked", func() bool { return h.stub.asked.Load() == i+1 })
		cancel()
		gone.Wait()
	}
	if h.server.State().Open {
		t.Error("callers that went away opened the breaker")
	}
}

// TestDeadServerReturns: nothing listens, then something does.
func TestDeadServerReturns(t *testing.T) {
	h := build(t, says(active("")), remembering)
	h.want(t, "before", "")
	address := h.stub.Listener.Addr().String()
	h.stub.Close()
	for i := range 6 {
		h.want(t, fmt.Sprintf("during-%d", i), fault)
	}
	eventually(t, "what is remembered is believed during the outage", func() bool { _, err := ask(h.Authenticator, "before"); return err == nil })
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("another program took the port: %v", err)
	}
	server := &http.Server{Handler: says(active("")), ReadHeaderTimeout: time.Second}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) })
	defer served.Wait()
	defer func() { _ = server.Close() }()
	h.clock.pass(time.Second)
	h.want(t, "during-0", "")
}

// TestCallsAreBounded: 64 run at once; who finds no place in time is a fault,
// and no failure of the server's.
func TestCallsAreBounded(t *testing.T) {
	release := make(chan struct{})
	h := build(t, func(w http.ResponseWriter, r *http.Request) { <-release; says(active(""))(w, r) })
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() { h.want(t, fmt.Sprintf("token-%d", i), "") })
	}
	eventually(t, "64 calls are under way", func() bool { return h.stub.asked.Load() == 64 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := h.Authenticate(ctx, request("one-more"))
	if codeOf(err) != fault || !strings.Contains(err.Error(), "too many calls") || h.server.State().InFlight != 64 {
		t.Errorf("one more: %v, state %+v", err, h.server.State())
	}
	all.Go(func() { h.want(t, "one-that-waits", "") })
	close(release)
	all.Wait()
	if state := h.server.State(); state.InFlight != 0 || state.Open {
		t.Errorf("state %+v at the end", state)
	}
}

// TestConnectionsAreKept: one after the other, calls share a connection; none
// is left after Close.
func TestConnectionsAreKept(t *testing.T) {
	h := build(t, says(active("")))
	for i := range 10 {
		h.want(t, fmt.Sprintf("token-%d", i), "")
	}
	if n := h.stub.connections.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
	h.server.Close()
	eventually(t, "no connection is open", func() bool { return h.stub.open.Load() == 0 })
	h.want(t, "after-close", "") // older rules may still be in use
	eventually(t, "no connection is open again", func() bool { return h.stub.open.Load() == 0 })
	(*introspect.Server)(nil).Close()
}

func TestConfigurationIsChecked(t *testing.T) {
	good := introspect.ServerConfig{Name: "idp", URL: "https://id.example.com/introspect?realm=a", ClientID: "a", ClientSecret: access.NewSecret(secret)}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*introspect.ServerConfig){
		"name: ":       func(c *introspect.ServerConfig) { c.Name = "" },
		"issuer: ":     func(c *introspect.ServerConfig) { c.URL = "" },
		"url and":      func(c *introspect.ServerConfig) { c.Issuer = "https://id.example.com" },
		"http URL":     func(c *introspect.ServerConfig) { c.URL = "ftp://a/b" },
		"without user": func(c *introspect.ServerConfig) { c.URL = "https://a:b@c/d" },
		"client_id ":   func(c *introspect.ServerConfig) { c.ClientID = "" },
		"secret: ":     func(c *introspect.ServerConfig) { c.ClientSecret = access.Secret{} },
		"client_auth":  func(c *introspect.ServerConfig) { c.ClientAuth = "none" },
		"timeout: ":    func(c *introspect.ServerConfig) { c.Timeout = -1 },
		"timeout: 1h":  func(c *introspect.ServerConfig) { c.Timeout = time.Hour },
	} {
		bad := good
		change(&bad)
		if _, err := introspect.Open(bad, introspect.Deps{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	believed := introspect.Config{In: []introspect.Location{{Header: "X-Token"}}, UnknownConsumer: introspect.UnknownEphemeral}
	if err := believed.Check(); err != nil {
		t.Error(err)
	}
	bad := introspect.Config{UnknownConsumer: "maybe", TTL: -1}
	for _, want := range []string{"in: ", "unknown_consumer: ", "ttl "} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
}

// TestCertificateIsVerified: an unknown one is a fault, and the token is not
// sent.
func TestCertificateIsVerified(t *testing.T) {
	stranger := httptest.NewUnstartedServer(says(active("")))
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	h := build(t, says(""), func(s *settings) { s.server.URL = stranger.URL })
	if _, err := ask(h.Authenticator, opaque); codeOf(err) != fault || !strings.Contains(err.Error(), "TLS: ") {
		t.Errorf("answer %v, want a fault of TLS", err)
	}
}

// TestDefaults: what is left out is there all the same, a bound of time first.
func TestDefaults(t *testing.T) {
	endpoint := newStub(t, hangs)
	server, err := introspect.Open(introspect.ServerConfig{Name: "idp", URL: endpoint.URL, ClientID: "a", ClientSecret: access.NewSecret(secret)}, introspect.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a := introspect.New(introspect.Config{In: []introspect.Location{{Header: "Authorization", Scheme: "Bearer"}}}, server, demoRecords(), openCache(t, 0, noon), "r1", noon)
	begin := time.Now()
	if _, err := ask(a, opaque); codeOf(err) != fault || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("answer %v, want a fault for want of an answer", err)
	}
	// 150 ms, and what the slowest machine may add.
	if took := time.Since(begin); took < 100*time.Millisecond || took > 30*time.Second {
		t.Errorf("given up after %v, want 150ms", took)
	}
}

// discovering is a server that publishes metadata and answers at an endpoint
// that may move.
type discovering struct {
	mu                 sync.Mutex
	metadata, endpoint string
	discovered         int
}

func (d *discovering) set(metadata, endpoint string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metadata, d.endpoint = metadata, endpoint
}

func (d *discovering) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r.URL.Path {
	case "/realms/a/.well-known/openid-configuration":
		d.discovered++
		says(d.metadata)(w, r)
	case d.endpoint:
		says(active(""))(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestDiscovery(t *testing.T) {
	d := &discovering{}
	h := build(t, d.serve, func(s *settings) {
		s.server.Issuer, s.server.URL = strings.TrimSuffix(s.server.URL, "/introspect")+"/realms/a", ""
	})
	metadata := func(issuer, endpoint string) string {
		return fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q}`, issuer, endpoint)
	}
	issuer := h.stub.URL + "/realms/a"
	for name, bad := range map[string]string{
		"other issuer": metadata(issuer+"/", h.stub.URL+"/one"), "no endpoint": `{"issuer":"` + issuer + `"}`,
		"no URL": metadata(issuer, "/one"), "no JSON": "?",
	} {
		d.set(bad, "/one")
		if _, err := ask(h.Authenticator, opaque); codeOf(err) != fault || !strings.Contains(err.Error(), "discovery: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.set(metadata(issuer, h.stub.URL+"/one"), "/one")
	h.want(t, opaque, "")
	h.want(t, opaque, "")
	if d.discovered != 5 {
		t.Errorf("discovered %d times, want 5", d.discovered)
	}
	d.set(metadata(issuer, h.stub.URL+"/two"), "/two")
	h.want(t, opaque, fault) // and it is noticed that the endpoint is gone
	h.want(t, opaque, "")
}

// TestDiscoveryDoesNotGiveUpTLS: metadata of an https issuer that name an http
// endpoint are not believed.
func TestDiscoveryDoesNotGiveUpTLS(t *testing.T) {
	var issuer string
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says(fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":"http://127.0.0.1:1/"}`, issuer))(w, r)
	}))
	defer secure.Close()
	issuer = secure.URL
	server, err := introspect.Open(introspect.ServerConfig{
		Name: "idp", Issuer: issuer, ClientID: "a", ClientSecret: access.NewSecret(secret), Timeout: 10 * time.Second,
	}, introspect.Deps{Client: secure.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a := introspect.New(introspect.Config{In: []introspect.Location{{Header: "Authorization", Scheme: "Bearer"}}}, server, demoRecords(), openCache(t, 0, noon), "r1", noon)
	if _, err := ask(a, opaque); codeOf(err) != fault || !strings.Contains(err.Error(), "not https") {
		t.Errorf("answer %v, want a fault of discovery", err)
	}
}
