package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxShadowRoutes bounds the label of a shadow's comparisons; routes beyond it
// count as "other".
const maxShadowRoutes = 200

// ShadowMeter counts what a candidate policy would have decided. Compared is
// called by one goroutine, Dropped by many.
type ShadowMeter struct {
	compared metric.Int64Counter
	dropped  metric.Int64Counter
	labels   map[shadowLabel][]metric.AddOption
	routes   map[string]bool
}

type shadowLabel struct{ kind, code, route string }

// NewShadowMeter makes the counters of a shadow.
func (t *Telemetry) NewShadowMeter() (*ShadowMeter, error) {
	meter := t.meters.Meter(scope)
	m := &ShadowMeter{labels: map[shadowLabel][]metric.AddOption{}, routes: map[string]bool{}}
	var errs [2]error
	m.compared, errs[0] = meter.Int64Counter("postern.policy.shadow.decisions",
		metric.WithDescription("Decisions that the candidate policy was asked for too, by how they differ from the policy in force, the code that it would have given, and the route."))
	m.dropped, errs[1] = meter.Int64Counter("postern.policy.shadow.dropped",
		metric.WithDescription("Sampled decisions that the candidate policy was not asked for, for want of room."))
	return m, errors.Join(errs[:]...)
}

// Compared counts a comparison. kind and code are fixed by the program; routes
// are the configured ones.
func (m *ShadowMeter) Compared(kind, code, route string) {
	if !m.routes[route] {
		if len(m.routes) >= maxShadowRoutes {
			route = "other"
		}
		m.routes[route] = true
	}
	label := shadowLabel{kind, code, route}
	option, known := m.labels[label]
	if !known {
		option = counterLabel(attribute.String("kind", kind), attribute.String("code", code), attribute.String("route", route))
		m.labels[label] = option
	}
	m.compared.Add(context.Background(), 1, option...)
}

// Dropped counts a sampled decision that found no room.
func (m *ShadowMeter) Dropped() { m.dropped.Add(context.Background(), 1) }
