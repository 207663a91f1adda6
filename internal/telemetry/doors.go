package telemetry

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// checkMethod is the only call that is traced: health checks are noise, and an
// unknown method's name is the client's to make up.
const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

// GRPCOptions trace the gRPC door. Without a collector for traces there are
// none: a stats handler costs every call.
func (t *Telemetry) GRPCOptions() []grpc.ServerOption {
	if t.tracers == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.tracers), otelgrpc.WithMeterProvider(t.meters),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(func(i *stats.RPCTagInfo) bool { return i.FullMethodName == checkMethod }),
	))}
}

// HTTP traces an HTTP door, or is next itself without a collector for traces.
// The query is not part of a span: some gateways append the client's own.
func (t *Telemetry) HTTP(next http.Handler) http.Handler {
	if t.tracers == nil {
		return next
	}
	return otelhttp.NewHandler(next, "forward-auth",
		otelhttp.WithTracerProvider(t.tracers), otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(operation string, _ *http.Request) string { return operation }),
	)
}
