package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// BundleState is what is known of a bundle of policy. Name is the configured
// one.
type BundleState struct {
	Name string
	// SucceededAt is when it was last certain that nothing newer is there, and
	// ActivatedAt when what is in force came into force.
	SucceededAt, ActivatedAt time.Time
	// Good says that the newest is known and in force.
	Good bool
	// Activations and Failures are counted since the bundle was configured.
	Activations, Failures uint64
}

// ObserveBundles exports the state of bundles under their names.
func (t *Telemetry) ObserveBundles(read func() []BundleState) error {
	m := t.meters.Meter(scope)
	gauge := func(name, about string) (metric.Int64ObservableGauge, error) {
		return m.Int64ObservableGauge(name, metric.WithDescription(about))
	}
	counter := func(name, about string) (metric.Int64ObservableCounter, error) {
		return m.Int64ObservableCounter(name, metric.WithDescription(about))
	}
	var errs [6]error
	var succeeded, activated, good metric.Int64ObservableGauge
	var activations, failures metric.Int64ObservableCounter
	succeeded, errs[0] = gauge("postern.bundle.success_time", "When it was last certain that nothing newer of a bundle is there, in Unix seconds; 0: never.")
	activated, errs[1] = gauge("postern.bundle.activation_time", "When a bundle came into force, in Unix seconds; 0: it is not.")
	good, errs[2] = gauge("postern.bundle.good", "1 if the newest content of a bundle is known and in force.")
	activations, errs[3] = counter("postern.bundle.activations", "Contents of a bundle that came into force.")
	failures, errs[4] = counter("postern.bundle.failures", "Times that a bundle could not be fetched, read, verified or put in force.")
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, errs[5] = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, b := range read() {
			name := metric.WithAttributes(attribute.String("bundle", b.Name))
			o.ObserveInt64(succeeded, unixOrZero(b.SucceededAt), name)
			o.ObserveInt64(activated, unixOrZero(b.ActivatedAt), name)
			o.ObserveInt64(good, oneIf(b.Good), name)
			o.ObserveInt64(activations, int64(min(b.Activations, 1<<62)), name)
			o.ObserveInt64(failures, int64(min(b.Failures, 1<<62)), name)
		}
		return nil
	}, succeeded, activated, good, activations, failures)
	return errs[5]
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
