package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer is a writer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func open(t testing.TB, o Options) (*Telemetry, *buffer) {
	t.Helper()
	out := &buffer{}
	if o.LogWriter == nil {
		o.LogWriter = out
	}
	tel, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, tel) })
	return tel, out
}

func shutdown(t testing.TB, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil && !strings.Contains(err.Error(), "reader is shutdown") {
		t.Fatal(err)
	}
}

func scrape(t testing.TB, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

type fakePolicy struct {
	decision access.Decision
	err      error
}

func (p fakePolicy) Decide(context.Context, *gate.Question) (access.Decision, error) {
	return p.decision, p.err
}

type fakeAuthenticator struct{ err error }

func (fakeAuthenticator) Kind() access.Kind     { return access.KindAPIKey }
func (fakeAuthenticator) Challenge(bool) string { return `ApiKey realm="x"` }
func (a fakeAuthenticator) Authenticate(context.Context, *access.Request) (access.Proof, error) {
	return access.Proof{Identity: access.AnonymousIdentity()}, a.err
}

type fakeChecker struct{ verdict access.Verdict }

func (c fakeChecker) Check(context.Context, *access.Request) access.Verdict { return c.verdict }

func request() *access.Request {
	return &access.Request{
		Door: access.GRPC, ID: "req-1", Time: time.Now(), Method: "GET", Host: "api.example.com", Path: "/orders/1",
		RawPath: "/orders/1?api_key=canary-query", Query: "api_key=canary-query",
		Headers: access.Headers{{Name: "x-api-key", Value: "canary-header"}, {Name: "authorization", Value: "Bearer canary-token"}},
		Body:    []byte("canary-body"), Client: netip.MustParseAddr("192.0.2.7"),
	}
}

func denial() *access.Verdict {
	v := access.Deny(access.Reason{Code: access.CodeMissingRole, Detail: "needs one of [admin]"})
	v.DecisionID, v.Revision, v.Route = "d-1", "r-1", "admin"
	v.Identity = &access.Identity{Consumer: &access.Consumer{Name: "shop"}, Credential: &access.Credential{ID: "shop-key"}}
	return &v
}

func allowed(id string) *access.Verdict {
	v := access.Allow()
	v.DecisionID, v.Identity = id, access.AnonymousIdentity()
	return &v
}

func TestMetrics(t *testing.T) {
	tel, _ := open(t, Options{Version: "1.2.3"})
	recorder := tel.Recorder()
	recorder.Record(request(), denial(), 20*time.Microsecond)
	recorder.Record(request(), allowed("a"), 20*time.Microsecond)
	forged := request()
	forged.Door = "made-up"
	recorder.Record(forged, allowed("a"), time.Microsecond)
	v := access.Fault("x")
	recorder.Record(request(), &v, time.Microsecond)
	waived := allowed("a")
	waived.DryRun = access.Reason{Code: access.CodeDeniedByPolicy}
	for _, r := range []*access.Request{request(), request(), forged} {
		recorder.Record(r, waived, time.Microsecond)
	}
	for _, p := range []fakePolicy{{err: errors.New("no")}, {decision: access.Decision{Detail: "undefined"}}, {}, {decision: access.Decision{Allowed: true}}} {
		_, _ = tel.Policy(p).Decide(t.Context(), &gate.Question{})
	}
	for _, err := range []error{nil, access.ErrNoCredential, access.Invalid("x"), errors.New("store")} {
		_, _ = tel.Authenticator(fakeAuthenticator{err}).Authenticate(t.Context(), request())
	}
	tel.Checker(fakeChecker{}).Check(t.Context(), request())
	revision := "rev-1"
	tel.ObserveCache("identity", func() cache.Stats { return cache.Stats{Hits: 7, Misses: 3, Bytes: 99} })
	tel.ObserveRules("policy", func() RulesState {
		return RulesState{Revision: revision, LoadedAt: time.Unix(100, 0), Good: revision == "rev-1"}
	})
	tel.ObserveIssuers(func() []IssuerState { return []IssuerState{{Name: "shop", Ready: true, Keys: 2}} })
	tel.ObserveIntrospection(func() []IntrospectionState {
		return []IntrospectionState{{Name: "idp", Open: true, InFlight: 3, Requests: 9, Failures: 5, AnsweredAt: time.Unix(50, 0)}}
	})
	tel.Reloaded("policy", true)
	tel.Reloaded("policy", false)

	body := scrape(t, tel)
	for _, want := range []string{
		`postern_verdicts_total{code="missing_role",door="grpc",outcome="deny"} 1`,
		`postern_verdicts_total{code="allowed",door="grpc",outcome="allow"} 3`,
		`postern_verdicts_total{code="other",door="other",outcome="allow"} 2`,
		`postern_dry_run_denials_total{door="grpc"} 2`,
		`postern_dry_run_denials_total{door="other"} 1`,
		`postern_verdicts_total{code="fault",door="grpc",outcome="fault"} 1`,
		`postern_stop_duration_seconds_count{stop="check"} 7`,
		`postern_stop_duration_seconds_count{stop="policy"} 4`,
		`postern_stop_duration_seconds_count{stop="read"} 1`,
		`postern_stop_duration_seconds_count{kind="api_key",stop="authenticate"} 3`,
		`postern_stop_duration_seconds_bucket{stop="check",le="2.5e-05"} 7`,
		`postern_policy_failures_total{kind="error"} 1`,
		`postern_policy_failures_total{kind="undefined"} 1`,
		`postern_build_info{version="1.2.3"} 1`,
		`postern_cache_requests_total{cache="identity",result="hit"} 7`,
		`postern_cache_requests_total{cache="identity",result="miss"} 3`,
		`postern_cache_size{cache="identity"} 99`,
		`postern_rules_info{part="policy",revision="rev-1"} 1`,
		`postern_rules_current{part="policy"} 1`,
		`postern_rules_loaded_timestamp_seconds{part="policy"} 100`,
		`postern_issuer_ready{issuer="shop"} 1`,
		`postern_introspection_open{server="idp"} 1`,
		`postern_introspection_in_flight{server="idp"} 3`,
		`postern_introspection_requests_total{server="idp"} 9`,
		`postern_introspection_failures_total{server="idp"} 5`,
		`postern_introspection_answered_timestamp_seconds{server="idp"} 50`,
		`postern_reloads_total{part="policy",result="failed"} 1`,
		`go_memstats_mallocs_total`, `process_cpu_seconds_total`, `service_name="postern"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	revision = "rev-2"
	body = scrape(t, tel)
	if strings.Contains(body, "rev-1") || !strings.Contains(body, `revision="rev-2"`) || !strings.Contains(body, `postern_rules_current{part="policy"} 0`) {
		t.Error("the old revision is still told of after a reload")
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestDisabledMeasuresNothing(t *testing.T) {
	tel, _ := open(t, Options{Env: environment("OTEL_SDK_DISABLED", "true", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")})
	tel.Recorder().Record(request(), denial(), time.Second)
	if body := scrape(t, tel); strings.Contains(body, "postern_") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics are\n%s", body)
	}
	if len(tel.GRPCOptions()) != 0 {
		t.Error("gRPC is traced")
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"level":    {Options{LogLevel: "loud"}, `log_level is "loud"; expected debug, info, warn or error`},
		"format":   {Options{LogFormat: "xml"}, `log_format is "xml"; expected json or text`},
		"endpoint": {Options{OTLPEndpoint: "collector:4317"}, "otlp_endpoint is not a URL like http://collector:4318"},
		"password": {Options{OTLPEndpoint: "ftp://u:canary@h"}, "otlp_endpoint is not a URL"},
		"protocol": {Options{OTLPEndpoint: "http://h:1", Env: environment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")}, `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json"; expected grpc or http/protobuf`},
		"exporter": {Options{OTLPEndpoint: "http://h:1", Env: environment("OTEL_TRACES_EXPORTER", "zipkin")}, `OTEL_TRACES_EXPORTER is "zipkin"; expected otlp or none`},
		"metrics":  {Options{Env: environment("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "x")}, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error is %v; want %s", err, c.want)
			}
		})
	}
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestSignals(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint string
		env      []string
		traces   export
		metrics  export
	}{
		"nothing said": {},
		"http by default": {"", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"},
			export{true, "http://h:4318/v1/traces", protocolHTTP}, export{true, "http://h:4318/v1/metrics", protocolHTTP}},
		"the registered gRPC port": {"http://h:4317", nil,
			export{true, "http://h:4317", protocolGRPC}, export{true, "http://h:4317", protocolGRPC}},
		"the protocol's variable wins": {"http://h:4317/base", []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
			export{true, "http://h:4317/base/v1/traces", protocolHTTP}, export{true, "http://h:4317/base/v1/metrics", protocolHTTP}},
		"one signal, taken as it is": {"", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://h/x", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"},
			export{true, "https://h/x", protocolHTTP}, export{}},
		"none": {"http://h:4318", []string{"OTEL_METRICS_EXPORTER", "none"},
			export{true, "http://h:4318/v1/traces", protocolHTTP}, export{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readSignals(Options{OTLPEndpoint: c.endpoint, Env: environment(c.env...)})
			if err != nil || got.traces != c.traces || got.metrics != c.metrics {
				t.Errorf("signals are %+v, %v", got, err)
			}
		})
	}
}

func TestAllowsAllocateNothing(t *testing.T) {
	tel, _ := open(t, Options{})
	checker, policy := tel.Checker(fakeChecker{access.Allow()}), tel.Policy(fakePolicy{decision: access.Decision{Allowed: true}})
	authenticator, recorder := tel.Authenticator(fakeAuthenticator{}), tel.Recorder()
	ctx, req, verdict, question := t.Context(), request(), allowed("a"), &gate.Question{}
	for name, f := range map[string]func(){
		"checker":       func() { checker.Check(ctx, req) },
		"authenticator": func() { _, _ = authenticator.Authenticate(ctx, req) },
		"policy":        func() { _, _ = policy.Decide(ctx, question) },
		"recorder":      func() { recorder.Record(req, verdict, time.Microsecond) },
	} {
		f()
		if n := testing.AllocsPerRun(1000, f); n > 0 {
			t.Errorf("%s: %v allocations a call", name, n)
		}
	}
}

func BenchmarkDecorators(b *testing.B) {
	tel, _ := open(b, Options{LogWriter: &buffer{}})
	checker, policy := tel.Checker(fakeChecker{access.Allow()}), tel.Policy(fakePolicy{decision: access.Decision{Allowed: true}})
	authenticator, recorder := tel.Authenticator(fakeAuthenticator{}), tel.Recorder()
	ctx, req, allow, deny, question := b.Context(), request(), allowed("a"), denial(), &gate.Question{}
	for name, f := range map[string]func(){
		"checker":         func() { checker.Check(ctx, req) },
		"authenticator":   func() { _, _ = authenticator.Authenticate(ctx, req) },
		"policy":          func() { _, _ = policy.Decide(ctx, question) },
		"recorder/allow":  func() { recorder.Record(req, allow, time.Microsecond) },
		"recorder/denial": func() { recorder.Record(req, deny, time.Microsecond) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func TestLoggerHidesAndEscapes(t *testing.T) {
	type nested struct{ secret access.Secret }
	for _, format := range []string{"json", "text"} {
		tel, out := open(t, Options{LogFormat: format, LogLevel: "debug"})
		tel.Logger().Debug("line\u2028feed", "secret", access.NewSecret("canary"), "nested", nested{access.NewSecret("canary")},
			"pointer", &nested{access.NewSecret("canary")}, "csi", "\u009b2J", "bidi", "a\u202eb", "lf", "a\nb", "bad", "\xff",
			"error", errors.New("one\ntwo"), "list", []string{"x", "y"}, "client", netip.MustParseAddr("::1"),
			slog.Group("g", "secret", access.NewSecret("canary")), "long", strings.Repeat("é", 10000), "plain", `say "hé"`)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		for _, bad := range []string{"canary", "\u009b", "\u202e", "\u2028", "\xff"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q is in the log", format, bad)
			}
		}
		for _, want := range []string{"[redacted]", "[telemetry.nested]", "x y", "::1", "hé"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", format, want, text)
			}
		}
		if n := strings.Count(text, "\n"); n != 1 || len(text) > 8000 {
			t.Errorf("%s: %d lines, %d bytes", format, n, len(text))
		}
	}
}
