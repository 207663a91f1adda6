package telemetry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// collector is an OTLP/HTTP receiver that keeps what it gets.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string]string
	seen string
}

func newCollector(t *testing.T) *collector {
	c := &collector{got: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got[r.URL.Path] += string(body)
		c.seen += string(body)
	}))
	t.Cleanup(c.Close)
	return c
}

// door asks through a real gRPC server and a real HTTP handler.
type door struct {
	authv3.UnimplementedAuthorizationServer
	ask func(context.Context, *access.Request)
}

func (d door) Check(ctx context.Context, _ *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	d.ask(ctx, request())
	return &authv3.CheckResponse{}, nil
}

func (d door) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	req := request()
	req.Door = access.Caddy
	d.ask(r.Context(), req)
}

// stops asks a whole gate's worth of decorated ports.
type stops struct {
	t             *Telemetry
	authenticator gate.Authenticator
	policy        gate.Policy
}

func (s stops) Check(ctx context.Context, req *access.Request) access.Verdict {
	_, _ = s.authenticator.Authenticate(ctx, req)
	_, _ = s.policy.Decide(ctx, &gate.Question{Request: req})
	v := denial()
	s.t.Recorder().Record(req, v, time.Millisecond)
	return *v
}

const traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestNoSecretAnywhere plants canaries wherever a credential may stand and
// looks for them in everything that leaves the process.
func TestNoSecretAnywhere(t *testing.T) {
	remote := newCollector(t)
	tel, out := open(t, Options{LogLevel: "debug", OTLPEndpoint: remote.URL, AllowSample: 1})
	s := stops{tel, tel.Authenticator(fakeAuthenticator{access.Invalid("unknown key")}), tel.Policy(fakePolicy{})}
	checker := tel.Checker(s)
	d := door{ask: func(ctx context.Context, req *access.Request) { checker.Check(ctx, req) }}
	askGRPC(t, d, tel.GRPCOptions())
	askHTTP(t, tel.HTTP(d))
	metrics := scrape(t, tel)
	shutdown(t, tel)

	for place, text := range map[string]string{"log": out.String(), "metrics": metrics, "OTLP": remote.seen} {
		if strings.Contains(text, "canary") {
			t.Errorf("a canary is in the %s:\n%q", place, text)
		}
	}
	traces := remote.got["/v1/traces"]
	for _, want := range []string{"check", "authenticate api_key", "policy", "forward-auth", "envoy.service.auth.v3.Authorization/Check",
		"postern.decision_id", "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"} {
		if !strings.Contains(traces, want) {
			t.Errorf("no %q among the traces", want)
		}
	}
	if !strings.Contains(remote.got["/v1/metrics"], "postern.verdicts") {
		t.Error("no verdicts among the metrics")
	}
	if n := strings.Count(out.String(), "request denied"); n != 2 {
		t.Errorf("%d decision lines", n)
	}
	if strings.Contains(metrics, "made-up.example") {
		t.Error("a label has the client's Host")
	}
}

func askGRPC(t *testing.T, d door, options []grpc.ServerOption) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	authv3.RegisterAuthorizationServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", traceParent, "authorization", "Bearer canary-metadata")
	if _, err := authv3.NewAuthorizationClient(client).Check(ctx, &authv3.CheckRequest{}); err != nil {
		t.Error(err)
	}
	_ = client.Close()
	server.GracefulStop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func askHTTP(t *testing.T, h http.Handler) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/forward-auth/caddy?api_key="+url.QueryEscape("canary-auth-query"), strings.NewReader("canary-body"))
	r.Host = "made-up.example"
	r.Header.Set("Authorization", "Bearer canary-token")
	r.Header.Set("X-Forwarded-Uri", "/x?api_key=canary-uri")
	r.Header.Set("traceparent", traceParent)
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func BenchmarkGRPCDoor(b *testing.B) {
	remote := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(remote.Close)
	for name, endpoint := range map[string]string{"plain": "", "traced": remote.URL} {
		b.Run(name, func(b *testing.B) {
			tel, _ := open(b, Options{OTLPEndpoint: endpoint, LogWriter: io.Discard})
			client := serveGRPC(b, tel.GRPCOptions())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Check(b.Context(), &authv3.CheckRequest{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func serveGRPC(b *testing.B, options []grpc.ServerOption) authv3.AuthorizationClient {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(options...)
	authv3.RegisterAuthorizationServer(server, door{ask: func(context.Context, *access.Request) {}})
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(server.Stop)
	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return authv3.NewAuthorizationClient(client)
}

func BenchmarkHTTPDoor(b *testing.B) {
	remote := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(remote.Close)
	for name, endpoint := range map[string]string{"plain": "", "traced": remote.URL} {
		b.Run(name, func(b *testing.B) {
			tel, _ := open(b, Options{OTLPEndpoint: endpoint, LogWriter: io.Discard})
			h := tel.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest("GET", "/forward-auth/caddy", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
