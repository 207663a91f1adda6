package telemetry

import (
	"context"
	"errors"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/postern-authz/postern/internal/cache"
)

// gauges are read, never written: each has its value from an observed part.
type gauges struct {
	build                   metric.Int64ObservableGauge
	requests, evictions     metric.Int64ObservableCounter
	bytes                   metric.Int64ObservableGauge
	rules, rulesGood        metric.Int64ObservableGauge
	rulesLoaded             metric.Float64ObservableGauge
	issuerReady, issuerKeys metric.Int64ObservableGauge
	issuerFetched           metric.Float64ObservableGauge
	serverOpen, serverAsked metric.Int64ObservableGauge
	asked, unanswered       metric.Int64ObservableCounter
	serverAnswered          metric.Float64ObservableGauge
	version                 string
}

func (t *Telemetry) observe(meter metric.Meter, version string) error {
	g := &gauges{version: version}
	all, err := g.open(meter)
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		t.observed.mu.Lock()
		caches, rules, issuers, servers := t.observed.caches, t.observed.rules, t.observed.issuers, t.observed.servers
		t.observed.mu.Unlock()
		o.ObserveInt64(g.build, 1, metric.WithAttributes(attribute.String("version", g.version)))
		for _, c := range caches {
			g.cache(o, c.label, c.read())
		}
		for _, r := range rules {
			g.ruleSet(o, r.part, r.read())
		}
		for _, read := range issuers {
			for _, state := range read() {
				g.issuer(o, state)
			}
		}
		for _, read := range servers {
			for _, state := range read() {
				g.server(o, state)
			}
		}
		return nil
	}, all...)
	return err
}

func (g *gauges) cache(o metric.Observer, label metric.MeasurementOption, s cache.Stats) {
	for result, n := range map[string]uint64{"hit": s.Hits, "negative": s.Negatives, "miss": s.Misses} {
		o.ObserveInt64(g.requests, count(n), label, metric.WithAttributes(attribute.String("result", result)))
	}
	o.ObserveInt64(g.evictions, count(s.Evictions), label)
	o.ObserveInt64(g.bytes, s.Bytes, label)
}

// count fits a cache's unsigned count into OpenTelemetry's signed one.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func (g *gauges) ruleSet(o metric.Observer, part string, s RulesState) {
	label := metric.WithAttributes(attribute.String("part", part))
	o.ObserveInt64(g.rules, 1, label, metric.WithAttributes(attribute.String("revision", s.Revision)))
	o.ObserveInt64(g.rulesGood, number(s.Good), label)
	o.ObserveFloat64(g.rulesLoaded, seconds(s.LoadedAt), label)
}

func (g *gauges) issuer(o metric.Observer, s IssuerState) {
	label := metric.WithAttributes(attribute.String("issuer", s.Name))
	o.ObserveInt64(g.issuerReady, number(s.Ready), label)
	o.ObserveInt64(g.issuerKeys, int64(s.Keys), label)
	o.ObserveFloat64(g.issuerFetched, seconds(s.FetchedAt), label)
}

func (g *gauges) server(o metric.Observer, s IntrospectionState) {
	label := metric.WithAttributes(attribute.String("server", s.Name))
	o.ObserveInt64(g.serverOpen, number(s.Open), label)
	o.ObserveInt64(g.serverAsked, int64(s.InFlight), label)
	o.ObserveInt64(g.asked, count(s.Requests), label)
	o.ObserveInt64(g.unanswered, count(s.Failures), label)
	o.ObserveFloat64(g.serverAnswered, seconds(s.AnsweredAt), label)
}

func (g *gauges) open(meter metric.Meter) ([]metric.Observable, error) {
	var errs [15]error
	gauge := func(i int, name, about string) (x metric.Int64ObservableGauge) {
		x, errs[i] = meter.Int64ObservableGauge(name, metric.WithDescription(about))
		return x
	}
	counter := func(i int, name, about string) (x metric.Int64ObservableCounter) {
		x, errs[i] = meter.Int64ObservableCounter(name, metric.WithDescription(about))
		return x
	}
	moment := func(i int, name, about string) (x metric.Float64ObservableGauge) {
		x, errs[i] = meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(about))
		return x
	}
	g.build = gauge(0, "postern.build.info", "Always 1; the version that runs.")
	g.requests = counter(1, "postern.cache.requests", "Look-ups in a cache, by result.")
	g.evictions = counter(2, "postern.cache.evictions", "Entries that a cache gave up for room.")
	g.bytes = gauge(3, "postern.cache.size", "Bytes that a cache counts its entries as.")
	g.rules = gauge(4, "postern.rules.info", "Always 1; the revision in force.")
	g.rulesGood = gauge(5, "postern.rules.current", "1, or 0 while a newer set is refused and the last good one stays.")
	g.rulesLoaded = moment(6, "postern.rules.loaded_timestamp", "When the revision in force was taken up, in Unix time.")
	g.issuerReady = gauge(7, "postern.issuer.ready", "1 when there are keys to verify the issuer's tokens with.")
	g.issuerKeys = gauge(8, "postern.issuer.keys", "Keys that the issuer's tokens are verified with.")
	g.issuerFetched = moment(9, "postern.issuer.fetched_timestamp", "When the issuer's keys were last read, in Unix time.")
	g.serverOpen = gauge(10, "postern.introspection.open", "1 while the server is not asked, since its last calls failed.")
	g.serverAsked = gauge(11, "postern.introspection.in_flight", "Questions to the server that are under way.")
	g.asked = counter(12, "postern.introspection.requests", "Tokens that the server was to tell of.")
	g.unanswered = counter(13, "postern.introspection.failures", "Tokens of which the server did not tell.")
	g.serverAnswered = moment(14, "postern.introspection.answered_timestamp", "When the server answered last, in Unix time.")
	return []metric.Observable{g.build, g.requests, g.evictions, g.bytes, g.rules, g.rulesGood,
		g.rulesLoaded, g.issuerReady, g.issuerKeys, g.issuerFetched,
		g.serverOpen, g.serverAsked, g.asked, g.unanswered, g.serverAnswered}, errors.Join(errs[:]...)
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is Unix time; 0 is never.
func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.UnixMilli()) / 1000
}
