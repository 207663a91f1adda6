package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/postern-authz/postern/internal/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mobileKey = "demo-mobile-key-0123456789abcdefghijklmnopqrstuv"

// house is a running Postern on a copy of the example.
type house struct {
	dir  string
	at   serve.Addresses
	log  *syncBuffer
	stop context.CancelFunc
	done chan error
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs Postern on the example after change has edited the copy.
func start(t *testing.T, change func(dir string)) *house {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../deploy/example")); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "postern.yaml", ":9191 ", ":0 ", ":9192 ", ":0 ", ":9193 ", ":0 ", "not_ready: 5s", "not_ready: 300ms",
		"timeout: 20ms", "timeout: 10s") // a slow machine must not decide
	if change != nil {
		change(dir)
	}
	return startIn(t, dir)
}

// startIn runs Postern on a folder as it is.
func startIn(t *testing.T, dir string) *house {
	t.Helper()
	h := &house{dir: dir, log: &syncBuffer{}, done: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	done := h.done
	ready := make(chan serve.Addresses, 1)
	go func() {
		done <- serve.Run(ctx, serve.Options{
			ConfigPath: filepath.Join(h.dir, "postern.yaml"), Stdout: io.Discard, Stderr: h.log,
			Env: func(string) (string, bool) { return "", false }, Version: "test",
			Ready: func(a serve.Addresses) { ready <- a },
		})
	}()
	select {
	case h.at = <-ready:
	case err := <-h.done:
		t.Fatalf("it ended: %v\n%s", err, h.log)
	case <-time.After(20 * time.Second):
		t.Fatal("it is not ready")
	}
	t.Cleanup(func() { h.end(t) })
	return h
}

// end drains and waits; it may be called twice.
func (h *house) end(t *testing.T) {
	t.Helper()
	h.stop()
	if h.done == nil {
		return
	}
	select {
	case err := <-h.done:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
		h.done = nil
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
	http.DefaultClient.CloseIdleConnections()
}

func edit(t *testing.T, dir, name string, pairs ...string) {
	t.Helper()
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	if changed == string(text) {
		t.Fatalf("%s holds none of %q", name, pairs)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask asks the Traefik door about a GET of an order with the mobile app's key.
func (h *house) ask(t *testing.T) (status int, code string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, "http://"+h.at.HTTP.String()+"/forward-auth/traefik", nil)
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders/7", "X-Forwarded-Host": "api.example.com", "X-API-Key": mobileKey,
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("X-Postern-Code")
}

func (h *house) ready(t *testing.T) (int, serve.Report) {
	t.Helper()
	resp, err := http.Get("http://" + h.at.Admin.String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var report serve.Report
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, report
}

// until waits for something that must come about, within a bound that no
// working machine needs.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func dial(t *testing.T, target string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func order() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1"}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Host: "api.example.com", Path: "/orders/7", Headers: map[string]string{"x-api-key": mobileKey},
		}},
	}}
}

func checkOrder(t *testing.T, conn *grpc.ClientConn) *authv3.CheckResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := authv3.NewAuthorizationClient(conn).Check(ctx, order(), grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAnswersThroughBothDoors(t *testing.T) {
	h := start(t, nil)
	if status, _ := h.ask(t); status != 200 {
		t.Errorf("HTTP: %d", status)
	}
	conn := dial(t, h.at.GRPC.String(), insecure.NewCredentials())
	if answer := checkOrder(t, conn); answer.GetOkResponse() == nil {
		t.Errorf("gRPC: %v", answer)
	}
	health, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{Service: "envoy.service.auth.v3.Authorization"})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health %v, %v", health, err)
	}
	if status, report := h.ready(t); status != 200 || !report.Ready || report.Revision == "" || len(report.Issuers) != 1 {
		t.Errorf("ready %d %+v", status, report)
	}
}

func TestReloadsWholeOrNotAtAll(t *testing.T) {
	h := start(t, nil)
	_, before := h.ready(t)
	edit(t, h.dir, "policies/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	until(t, "the new policy denies", func() bool { _, code := h.ask(t); return code == "denied_by_policy" })

	edit(t, h.dir, "policies/authz.rego", "default allow := false", "default allow := ")
	until(t, "a bad policy shows", func() bool { _, report := h.ready(t); return strings.Contains(report.ReloadError, "authz.rego:") })
	status, report := h.ready(t)
	if status != 200 || report.Revision == before.Revision {
		t.Errorf("the last good revision is not ready: %d %+v", status, report)
	}
	if _, code := h.ask(t); code != "denied_by_policy" {
		t.Errorf("the last good policy is not in force: %s", code)
	}
	if !strings.Contains(h.log.String(), "authz.rego:") {
		t.Error("the log does not name the place")
	}
	// A good change of the consumers does not come into force beside a bad policy.
	edit(t, h.dir, "consumers/demo.yaml", "display_name: Mobile App", "display_name: Mobile App\n    enabled: false")
	edit(t, h.dir, "policies/authz.rego", "default allow := ", "default allow := false")
	until(t, "all is mended, and the consumer disabled", func() bool { _, code := h.ask(t); return code == "invalid_credential" })
	if _, report := h.ready(t); report.ReloadError != "" {
		t.Errorf("mended, but %s", report.ReloadError)
	}
}

// TestReloadsBehindLinks: folders that are reached through links are watched, and
// so are the links.
func TestReloadsBehindLinks(t *testing.T) {
	link := func(t *testing.T, target, path string) {
		t.Helper()
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	h := start(t, func(dir string) {
		if err := os.Rename(filepath.Join(dir, "policies"), filepath.Join(dir, "v1")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "releases"), 0o700); err != nil {
			t.Fatal(err)
		}
		link(t, "../v1", filepath.Join(dir, "releases", "current"))
		link(t, "releases/current", filepath.Join(dir, "policies"))
	})
	edit(t, h.dir, "v1/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	until(t, "an edit behind the link denies", func() bool { _, code := h.ask(t); return code == "denied_by_policy" })

	if err := os.CopyFS(filepath.Join(h.dir, "v2"), os.DirFS(filepath.Join(h.dir, "v1"))); err != nil {
		t.Fatal(err)
	}
	edit(t, h.dir, "v2/authz.rego", `"nobody" in input.identity.roles`, `"reader" in input.identity.roles`)
	link(t, "../v2", filepath.Join(h.dir, "releases", "current"))
	until(t, "the turned link allows", func() bool { status, _ := h.ask(t); return status == 200 })

	edit(t, h.dir, "v2/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
	until(t, "an edit of the new target denies", func() bool { _, code := h.ask(t); return code == "denied_by_policy" })
}

func TestHangupReloads(t *testing.T) {
	h := start(t, nil)
	edit(t, h.dir, "consumers/demo.yaml", mobileKey, "another-key-of-the-mobile-app")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the old key is refused", func() bool { _, code := h.ask(t); return code == "invalid_credential" })
}

// TestRaisedSkewWaitsForARestart: a signature that was spent and forgotten under
// the skew of the start does not become good again by a reload.
func TestRaisedSkewWaitsForARestart(t *testing.T) {
	h := start(t, nil)
	edit(t, h.dir, "postern.yaml", "clock_skew: 5m", "clock_skew: 10m")
	until(t, "the log asks for a restart", func() bool { return strings.Contains(h.log.String(), "need a restart") })
}

func TestNoCacheNoDifference(t *testing.T) {
	h := start(t, func(dir string) { edit(t, dir, "postern.yaml", "max_memory: 64MiB", "max_memory: 0") })
	for range 3 {
		if status, code := h.ask(t); status != 200 {
			t.Errorf("%d %s", status, code)
		}
	}
}

func TestUnixSockets(t *testing.T) {
	var socket string
	h := start(t, func(dir string) {
		short, err := os.MkdirTemp("", "p") // a socket's path is short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(short) })
		socket = filepath.Join(short, "grpc.sock")
		leaveStaleSocket(t, socket)
		edit(t, dir, "postern.yaml", "grpc:\n    address: 127.0.0.1:0", "grpc:\n    address: unix:"+socket)
	})
	if answer := checkOrder(t, dial(t, "unix:"+socket, insecure.NewCredentials())); answer.GetOkResponse() == nil {
		t.Errorf("%v", answer)
	}
	h.end(t)
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// leaveStaleSocket does what a killed process does.
func leaveStaleSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
}

// TestDrain: while it says that it isn't ready, it still answers.
func TestDrain(t *testing.T) {
	h := start(t, nil)
	conn := dial(t, h.at.GRPC.String(), insecure.NewCredentials())
	checkOrder(t, conn)
	h.stop()
	until(t, "not ready while still answering", func() bool {
		status, report := h.ready(t)
		return status == 503 && report.Draining
	})
	if answer := checkOrder(t, conn); answer.GetOkResponse() == nil {
		t.Errorf("draining: %v", answer)
	}
	if status, _ := h.ask(t); status != 200 {
		t.Errorf("draining: HTTP %d", status)
	}
	h.end(t)
}

func TestStartIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(dir string)
		want   []string
	}{
		"everything that is wrong is told at once": {func(dir string) {
			edit(t, dir, "consumers/demo.yaml", "roles: [reader]", "rolls: [reader]")
			edit(t, dir, "policies/authz.rego", "default allow := false", "default allow := ")
		}, []string{"demo.yaml:", "rolls", "authz.rego:"}},
		"an entry point that does not exist": {func(dir string) {
			edit(t, dir, "postern.yaml", "policy: envoy/authz/allow", "policy: envoy/authz/alow")
		}, []string{"postern.yaml:", `entry point "envoy/authz/alow": there is no such rule`}},
		"an address that is taken": {func(dir string) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			edit(t, dir, "postern.yaml", "http:\n    address: 127.0.0.1:0", "http:\n    address: "+l.Addr().String())
		}, []string{"address already in use"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../../deploy/example")); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, "postern.yaml", ":9191 ", ":0 ", ":9192 ", ":0 ", ":9193 ", ":0 ")
			test.change(dir)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			err := serve.Run(ctx, serve.Options{
				ConfigPath: filepath.Join(dir, "postern.yaml"), Stdout: io.Discard, Stderr: io.Discard,
				Env: func(string) (string, bool) { return "", false },
			})
			if err == nil {
				t.Fatal("it served")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
		})
	}
}
