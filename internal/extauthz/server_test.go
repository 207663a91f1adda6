package extauthz_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
)

// checkerFunc is a gate made of a function.
type checkerFunc func(context.Context, *access.Request) access.Verdict

func (f checkerFunc) Check(ctx context.Context, req *access.Request) access.Verdict {
	return f(ctx, req)
}

// dial serves a gate with the door's own server options and connects to it.
func dial(t *testing.T, gate extauthz.Checker, o extauthz.Options) authv3.AuthorizationClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(extauthz.ServerOptions()...)
	authv3.RegisterAuthorizationServer(server, extauthz.New(gate, o))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return authv3.NewAuthorizationClient(conn)
}

func TestOverTheWire(t *testing.T) {
	gate := checkerFunc(func(_ context.Context, req *access.Request) access.Verdict {
		if key, lines := req.Headers.Get("x-api-key"); lines == 1 && key == "good" && req.Path == "/b/d" {
			return allowed()
		}
		return denied()
	})
	client := dial(t, gate, extauthz.Options{})
	check := proto.CloneOf(recorded(t)["normalised"])
	answer, err := client.Check(t.Context(), check)
	if err != nil || answer.GetStatus().GetCode() != int32(codes.Unauthenticated) {
		t.Errorf("without a key: %v, %v", answer, err)
	}
	check.Attributes.Request.Http.Headers["x-api-key"] = "good"
	for range 3 {
		answer, err = client.Check(t.Context(), check)
		if err != nil || answer.GetStatus().GetCode() != int32(codes.OK) || answer.GetOkResponse().GetHeaders()[0].GetHeader().GetValue() != "alice" {
			t.Errorf("with a key: %v, %v", answer, err)
		}
	}
}

func TestTooLargeMessageIsRefused(t *testing.T) {
	client := dial(t, checkerFunc(func(context.Context, *access.Request) access.Verdict { return allowed() }), extauthz.Options{})
	large := ask(func(a *authv3.AttributeContext) { a.Request.Http.RawBody = make([]byte, extauthz.MaxMessage) })
	if _, err := client.Check(t.Context(), large); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit is answered %v", err)
	}
	fits := ask(func(a *authv3.AttributeContext) { a.Request.Http.RawBody = make([]byte, extauthz.MaxMessage/2) })
	if answer, err := client.Check(t.Context(), fits); err != nil || answer.GetOkResponse() == nil {
		t.Errorf("a message under the limit is answered %v", err)
	}
}

func TestPanicIsAClosedFault(t *testing.T) {
	for name, cause := range map[string]any{"a value": "canary-secret", "an error": errors.New("canary-secret"), "the runtime's": nil} {
		var log bytes.Buffer
		gate := checkerFunc(func(_ context.Context, req *access.Request) access.Verdict {
			if cause == nil {
				_ = req.Headers[len(req.Headers)]
			}
			panic(cause)
		})
		client := dial(t, gate, extauthz.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
		answer, err := client.Check(t.Context(), ask(nil))
		if err != nil {
			t.Errorf("%s: a gRPC error, which may be an allow: %v", name, err)
		}
		checkFault(t, name, answer, "")
		if !strings.Contains(log.String(), "panic in the gRPC door") || strings.Contains(log.String(), "canary-secret") {
			t.Errorf("%s: the log says %s", name, log.String())
		}
	}
}

func TestUnsendableVerdictIsLogged(t *testing.T) {
	var log bytes.Buffer
	v := allowed()
	v.Managed[0].Value = "canary\r\n"
	renderedBy(t, v, ask(nil), extauthz.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	if !strings.Contains(log.String(), `"decision_id":"d1"`) || strings.Contains(log.String(), "canary") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestEndedContextAsksNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gate := &fakeGate{verdict: access.Allow()}
	answer, err := extauthz.New(gate, extauthz.Options{}).Check(ctx, ask(nil))
	if err != nil || gate.asked != nil {
		t.Errorf("the gate was asked %v, error %v", gate.asked, err)
	}
	checkFault(t, "an ended context", answer, "")
}

func TestCancelReachesTheGate(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	client := dial(t, checkerFunc(func(ctx context.Context, _ *access.Request) access.Verdict {
		close(entered)
		<-ctx.Done()
		close(left)
		return access.Fault("cancelled")
	}), extauthz.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := client.Check(ctx, ask(nil)); status.Code(err) != codes.Canceled {
		t.Errorf("a cancelled call ends with %v", err)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the gate still works for a caller that has gone")
	}
}

func BenchmarkCheck(b *testing.B) {
	check := recorded(b)["normalised"]
	for name, value := range map[string]string{
		":scheme": "https", "accept": "*/*", "user-agent": "curl/8.5.0", "x-api-key": strings.Repeat("k", 40), "x-forwarded-for": "192.0.2.2",
		"accept-encoding": "gzip", "content-type": "application/json", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		check.Attributes.Request.Http.Headers[name] = value
	}
	verdict := access.Allow()
	verdict.DecisionID, verdict.Route, verdict.Identity = "0123456789abcdef", "orders", allowed().Identity
	verdict.Managed = []access.Header{
		{Name: "X-Consumer-Username", Value: "alice"}, {Name: "X-Credential-Identifier", Value: "alice-key"}, {Name: "X-Decision-Id", Value: "0123456789abcdef"},
		{Name: "X-Consumer-Custom-ID"}, {Name: "X-Consumer-ID"}, {Name: "X-Anonymous-Consumer"}, {Name: "X-Consumer-Groups"}, {Name: "X-Authenticated-Groups"},
	}
	verdict.Remove = []string{"x-api-key"}
	server := extauthz.New(&fakeGate{verdict: verdict}, extauthz.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := server.Check(b.Context(), check); err != nil {
			b.Fatal(err)
		}
	}
}
