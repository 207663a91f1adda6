package telemetry

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// newResource names the process; OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES outrank our own words.
func newResource(ctx context.Context, version string) (*resource.Resource, error) {
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "postern"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("telemetry: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return res, nil
}

func newMeterProvider(ctx context.Context, res *resource.Resource, registry prometheus.Registerer, wanted signals) (*sdkmetric.MeterProvider, error) {
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithView(boundedLabels)}
	if wanted.disabled {
		return sdkmetric.NewMeterProvider(options...), nil // no reader: every instrument is a no-op
	}
	pulled, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("telemetry: metrics: %w", err)
	}
	options = append(options, sdkmetric.WithReader(pulled))
	if wanted.metrics.on {
		pushed, err := newMetricExporter(ctx, wanted.metrics)
		if err != nil {
			return nil, fmt.Errorf("telemetry: OTLP metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(pushed)))
	}
	return sdkmetric.NewMeterProvider(options...), nil
}

// boundedLabels keeps, of what the gRPC and HTTP instrumentations would count
// by, only what a client can't make up: server.address, for one, is its Host.
func boundedLabels(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	if !strings.HasPrefix(i.Name, "http.") && !strings.HasPrefix(i.Name, "rpc.") {
		return sdkmetric.Stream{}, false
	}
	return sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter(
		"http.request.method", "http.response.status_code", "rpc.method", "rpc.service", "rpc.system",
		"rpc.system.name", "rpc.grpc.status_code", "rpc.response.status_code")}, true
}

func newMetricExporter(ctx context.Context, to export) (sdkmetric.Exporter, error) {
	if to.protocol == protocolGRPC {
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL(to.endpoint))
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(to.endpoint))
}

// newTracerProvider leaves the sampler to OTEL_TRACES_SAMPLER, which the SDK
// reads.
func newTracerProvider(ctx context.Context, res *resource.Resource, to export) (*sdktrace.TracerProvider, error) {
	exporter, err := newSpanExporter(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("telemetry: OTLP traces: %w", err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter)), nil
}

func newSpanExporter(ctx context.Context, to export) (sdktrace.SpanExporter, error) {
	if to.protocol == protocolGRPC {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(to.endpoint))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to.endpoint))
}
