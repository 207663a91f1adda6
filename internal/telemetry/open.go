package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/postern-authz/postern"

// Options say what is measured, and where it goes.
type Options struct {
	// Version is Postern's own, for the resource and postern_build_info.
	Version string
	// LogLevel is debug, info, warn or error; empty is info.
	LogLevel string
	// LogFormat is json or text; empty is json.
	LogFormat string
	LogWriter io.Writer
	// OTLPEndpoint is a collector's URL, such as http://collector:4318. It
	// outranks OTEL_EXPORTER_OTLP_ENDPOINT; empty leaves the choice to the
	// variables.
	OTLPEndpoint string
	// Env reads the OTEL_* variables; nil reads none. What the exporters
	// themselves take (headers, certificates, timeouts) they read from the
	// process.
	Env func(string) string
	// AllowSample is the part of allows, from 0 to 1, that have a decision
	// line. The choice is a function of the decision id.
	AllowSample float64
	// Now paces the decision log; nil is time.Now.
	Now func() time.Time
}

// Telemetry is what the process is observed by. Every method may be called by
// many goroutines at once.
type Telemetry struct {
	logger    *slog.Logger
	lines     *patientWriter
	registry  *prometheus.Registry
	meters    *sdkmetric.MeterProvider
	tracers   *sdktrace.TracerProvider // nil when nothing is traced
	tracer    trace.Tracer
	metrics   *instruments
	decisions *decisionLog
	observed  observed
}

// Open starts telemetry. The caller ends it with Shutdown.
func Open(ctx context.Context, o Options) (*Telemetry, error) {
	o = o.withDefaults()
	wanted, err := readSignals(o)
	if err != nil {
		return nil, err
	}
	lines := newPatientWriter(o.LogWriter)
	o.LogWriter = lines
	logger, err := newLogger(o)
	if err != nil {
		return nil, errors.Join(err, lines.close(ctx))
	}
	t := &Telemetry{logger: logger, lines: lines, registry: newRegistry()}
	if err := t.openProviders(ctx, o, wanted); err != nil {
		return nil, errors.Join(err, t.closeProviders(ctx), lines.close(ctx))
	}
	if err := t.openInstruments(o); err != nil {
		return nil, errors.Join(err, t.closeProviders(ctx), lines.close(ctx))
	}
	if err := t.ObserveNumber("postern.log.dropped", "Log lines that were dropped since the start, since nobody read them.", lines.dropped.Load); err != nil {
		return nil, errors.Join(err, t.closeProviders(ctx), lines.close(ctx))
	}
	t.decisions = startDecisionLog(logger, o, t.metrics) //nolint:contextcheck // it ends at Shutdown, not with the opening
	return t, nil
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	if o.LogWriter == nil {
		o.LogWriter = io.Discard
	}
	return o
}

func (t *Telemetry) openProviders(ctx context.Context, o Options, wanted signals) error {
	res, err := newResource(ctx, o.Version)
	if err != nil {
		return err
	}
	if t.meters, err = newMeterProvider(ctx, res, t.registry, wanted); err != nil {
		return err
	}
	t.tracer = noop.NewTracerProvider().Tracer(scope)
	if !wanted.traces.on {
		return nil
	}
	if t.tracers, err = newTracerProvider(ctx, res, wanted.traces); err != nil {
		return err
	}
	t.tracer = t.tracers.Tracer(scope)
	// The SDK tells of a collector that can't be reached through this one
	// handler of the process; left alone, it writes plain text among the logs.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		t.logger.Warn("telemetry could not be exported", "error", err)
	}))
	return nil
}

// Logger is the process's log.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Shutdown writes the decision lines that wait, hands what was measured to the
// collector and ends every goroutine, or gives up when ctx ends.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.decisions.close(ctx), t.closeProviders(ctx), t.lines.close(ctx))
}

func (t *Telemetry) closeProviders(ctx context.Context) error {
	var errs []error
	if t.tracers != nil {
		errs = append(errs, t.tracers.Shutdown(ctx))
	}
	if t.meters != nil {
		errs = append(errs, t.meters.Shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("telemetry: shutdown: %w", err)
	}
	return nil
}
