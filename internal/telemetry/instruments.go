package telemetry

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/metric"
)

// instruments are what the request path measures with.
type instruments struct {
	stops     metric.Float64Histogram
	verdicts  metric.Int64Counter
	policy    metric.Int64Counter
	reloads   metric.Int64Counter
	decisions metric.Int64Counter
	dryRun    metric.Int64Counter
	labels    labels
}

// stopBuckets are seconds: a cached decision takes some microseconds, a call
// that waits for an issuer's keys some hundreds of milliseconds.
var stopBuckets = metric.WithExplicitBucketBoundaries(
	.000001, .0000025, .000005, .00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 1)

func (t *Telemetry) openInstruments(o Options) error {
	meter := t.meters.Meter(scope)
	m := &instruments{labels: newLabels()}
	var errs [6]error
	m.stops, errs[0] = meter.Float64Histogram("postern.stop.duration", metric.WithUnit("s"), stopBuckets,
		metric.WithDescription("Time that a request spent at each of its stops."))
	m.verdicts, errs[1] = meter.Int64Counter("postern.verdicts",
		metric.WithDescription("Verdicts, by outcome, code and door."))
	m.policy, errs[2] = meter.Int64Counter("postern.policy.failures",
		metric.WithDescription("Questions that policy could not decide (error) or had no boolean answer to (undefined)."))
	m.reloads, errs[3] = meter.Int64Counter("postern.reloads",
		metric.WithDescription("Reloads of configuration, consumers and policy, by part and result."))
	m.decisions, errs[4] = meter.Int64Counter("postern.decision_log.dropped",
		metric.WithDescription("Decision lines that were not written because there were too many."))
	m.dryRun, errs[5] = meter.Int64Counter("postern.dry_run.denials",
		metric.WithDescription("Requests that policy denied and that went through on its dry run, by door."))
	t.metrics = m
	return errors.Join(append(errs[:], t.observe(meter, o.Version))...)
}

// stop notes the time of one stop.
func (m *instruments) stop(ctx context.Context, name []metric.RecordOption, took time.Duration) {
	m.stops.Record(ctx, took.Seconds(), name...)
}

// MetricsHandler answers scrapes with Postern's metrics and those of the Go
// runtime and the process, in the Prometheus format.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
		ErrorHandling:       promhttp.ContinueOnError,
	})
}
