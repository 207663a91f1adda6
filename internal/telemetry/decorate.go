package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// Checker is what doors ask: the gate.
type Checker interface {
	Check(ctx context.Context, req *access.Request) access.Verdict
}

// Checker measures how long the door took to read the request, from
// Request.Time on, and traces the check as a whole. The check's own duration
// comes from the Recorder.
func (t *Telemetry) Checker(next Checker) Checker { return &checker{next, t} }

type checker struct {
	next Checker
	t    *Telemetry
}

func (c *checker) Check(ctx context.Context, req *access.Request) access.Verdict {
	c.t.metrics.stop(ctx, c.t.metrics.labels.read, time.Since(req.Time))
	ctx, span := c.t.span(ctx, "check")
	if span == nil {
		return c.next.Check(ctx, req)
	}
	defer span.End()
	verdict := c.next.Check(ctx, req)
	span.SetAttributes(attribute.String("postern.outcome", verdict.Outcome().String()),
		attribute.String("postern.code", string(verdict.Reason.Code)),
		attribute.String("postern.decision_id", verdict.DecisionID),
		attribute.String("postern.route", verdict.Route))
	if verdict.Outcome() == access.Faulted {
		span.SetStatus(codes.Error, string(verdict.Reason.Code))
	}
	return verdict
}

// Authenticator measures and traces an authenticator. A request that carries
// no credential of its kind is not counted: only finding that out is no work.
func (t *Telemetry) Authenticator(next gate.Authenticator) gate.Authenticator {
	kind := attribute.String("kind", string(next.Kind()))
	return &authenticator{next, t, stopLabel("authenticate", kind), "authenticate " + string(next.Kind())}
}

// Among implements gate.Neighbour for a kind that is one.
func (a *authenticator) Among(kinds []access.Kind) gate.Authenticator {
	if n, ok := a.Authenticator.(gate.Neighbour); ok {
		return a.t.Authenticator(n.Among(kinds))
	}
	return a
}

type authenticator struct {
	gate.Authenticator
	t     *Telemetry
	label []metric.RecordOption
	name  string
}

func (a *authenticator) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	start := time.Now()
	ctx, span := a.t.span(ctx, a.name)
	proof, err := a.Authenticator.Authenticate(ctx, req)
	notMine := errors.Is(err, access.ErrNoCredential)
	if span != nil {
		var rejected *access.Rejection
		end(span, err != nil && !notMine && !errors.As(err, &rejected))
	}
	if !notMine {
		a.t.metrics.stop(ctx, a.label, time.Since(start))
	}
	return proof, err
}

// Policy measures and traces a policy, and counts what it could not decide.
func (t *Telemetry) Policy(next gate.Policy) gate.Policy { return &policy{next, t} }

type policy struct {
	next gate.Policy
	t    *Telemetry
}

func (p *policy) Decide(ctx context.Context, q *gate.Question) (access.Decision, error) {
	start := time.Now()
	ctx, span := p.t.span(ctx, "policy")
	decision, err := p.next.Decide(ctx, q)
	if span != nil {
		end(span, err != nil)
	}
	m := p.t.metrics
	m.stop(ctx, m.labels.policy, time.Since(start))
	switch {
	case err != nil && isUnreadable(err): // the client's doing, and the verdict says so
	case err != nil:
		m.policy.Add(ctx, 1, m.labels.policyError...)
	case !decision.Allowed && decision.Detail != "":
		m.policy.Add(ctx, 1, m.labels.policyUndefined...)
	}
	return decision, err
}

func isUnreadable(err error) bool {
	var unreadable *access.Unreadable
	return errors.As(err, &unreadable)
}

// span starts a span where somebody records the request, and is nil elsewhere.
func (t *Telemetry) span(ctx context.Context, name string) (context.Context, trace.Span) {
	if t.tracers == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nil
	}
	return t.tracer.Start(ctx, name)
}

// end closes a span. An error's text stays out of it: traces go further than
// logs.
func end(span trace.Span, failed bool) {
	if failed {
		span.SetStatus(codes.Error, "failed")
	}
	span.End()
}
