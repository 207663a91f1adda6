package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/postern-authz/postern/internal/cache"
)

// RulesState is the set of rules that requests are answered with now.
type RulesState struct {
	Revision string
	// LoadedAt is when that set came into force.
	LoadedAt time.Time
	// Good is false while a newer set could not be loaded and this one, the
	// last good, stays.
	Good bool
}

// IssuerState is what is known of an issuer's keys. Name is the configured
// one.
type IssuerState struct {
	Name string
	// Ready says that there are keys to verify tokens with.
	Ready bool
	Keys  int
	// FetchedAt is when the keys were last read with success.
	FetchedAt time.Time
}

// IntrospectionState is what is known of a server that tells of opaque tokens.
// Name is the configured one.
type IntrospectionState struct {
	Name string
	// Open says that its breaker is open: it is not asked for a moment.
	Open bool
	// InFlight are the questions under way.
	InFlight int
	// Requests are the tokens that it was to tell of, and Failures those of them
	// that stayed without an answer, since it was configured.
	Requests, Failures uint64
	// AnsweredAt is when it answered last.
	AnsweredAt time.Time
}

// observed are the parts that are asked for their state when metrics are read.
type observed struct {
	mu      sync.Mutex
	caches  []namedCache
	rules   []namedRules
	issuers []func() []IssuerState
	servers []func() []IntrospectionState
}

type namedCache struct {
	label metric.MeasurementOption
	read  func() cache.Stats
}

type namedRules struct {
	part string
	read func() RulesState
}

// ObserveCache exports a cache's counts under its name, which is fixed by the
// program. read is called by whoever reads the metrics, as below.
func (t *Telemetry) ObserveCache(name string, read func() cache.Stats) {
	t.observed.mu.Lock()
	defer t.observed.mu.Unlock()
	label := metric.WithAttributeSet(attribute.NewSet(attribute.String("cache", name)))
	t.observed.caches = append(t.observed.caches, namedCache{label, read})
}

// ObserveRules exports the state of a part that is reloaded, such as policy.
func (t *Telemetry) ObserveRules(part string, read func() RulesState) {
	t.observed.mu.Lock()
	defer t.observed.mu.Unlock()
	t.observed.rules = append(t.observed.rules, namedRules{part, read})
}

// ObserveIssuers exports the state of the issuers' keys.
func (t *Telemetry) ObserveIssuers(read func() []IssuerState) {
	t.observed.mu.Lock()
	defer t.observed.mu.Unlock()
	t.observed.issuers = append(t.observed.issuers, read)
}

// ObserveIntrospection exports the state of the servers that tell of opaque
// tokens.
func (t *Telemetry) ObserveIntrospection(read func() []IntrospectionState) {
	t.observed.mu.Lock()
	defer t.observed.mu.Unlock()
	t.observed.servers = append(t.observed.servers, read)
}

// ObserveNumber exports one number that goes up and down under a name of its
// own, such as "postern.passwords.running".
func (t *Telemetry) ObserveNumber(name, about string, read func() int64) error {
	_, err := t.meters.Meter(scope).Int64ObservableGauge(name, metric.WithDescription(about),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read())
			return nil
		}))
	return err
}

// ObserveTotal exports one number that only grows, likewise; Prometheus has it as
// NAME_total.
func (t *Telemetry) ObserveTotal(name, about string, read func() int64) error {
	_, err := t.meters.Meter(scope).Int64ObservableCounter(name, metric.WithDescription(about),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read())
			return nil
		}))
	return err
}

// Reloaded counts a reload of a part, such as policy, that was taken up or
// refused.
func (t *Telemetry) Reloaded(part string, ok bool) {
	result := "failed"
	if ok {
		result = "ok"
	}
	t.metrics.reloads.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("part", part), attribute.String("result", result)))
}
