package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// evaluate asks the rules. A part of the request that they read and that can't
// be read safely denies with 400.
func (s *Snapshot) evaluate(ctx context.Context, e *entrypoint, q *gate.Question) (access.Decision, error) {
	return s.evaluateNoting(ctx, e, q, nil)
}

// evaluateNoting notes the calls whose answers may change by themselves; nil
// notes none.
func (s *Snapshot) evaluateNoting(ctx context.Context, e *entrypoint, q *gate.Question, calls builtins.NDBCache) (d access.Decision, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d, err = access.Decision{}, panicked(cause)
		}
	}()
	input := newDocument()
	if err := e.input.write(input, q); err != nil {
		return access.Decision{}, unfit(err)
	}
	value, err := s.run(ctx, s.query(e, input.root(), q).WithNDBuiltinCache(calls), s.timeout)
	if err != nil {
		return access.Decision{}, err
	}
	return decisionOf(value)
}

// unfit is why a question can't be put to policy: the client's doing, or ours.
// Of ours only the type is told, since the error may repeat the value.
func unfit(err error) error {
	var unreadable *access.Unreadable
	if errors.As(err, &unreadable) {
		return unreadable
	}
	return fmt.Errorf("the input can't be given to policy: %T", err)
}

// query is an evaluation of an entry point. It is topdown's own rather than
// the rego package's, which takes a goroutine to watch the context.
func (s *Snapshot) query(e *entrypoint, input *ast.Term, q *gate.Question) *topdown.Query {
	now := q.Request.Time
	if now.IsZero() {
		now = s.now()
	}
	return topdown.NewQuery(e.query).
		WithCompiler(s.compiler).
		WithStore(s.store).
		WithTransaction(s.txn).
		WithInput(input).
		WithTime(now).
		WithMetrics(metrics.NoOp()).
		// A builtin's error makes its rule undefined otherwise; a rule that
		// denies would let through what it was written against.
		WithStrictBuiltinErrors(true)
}

// run evaluates within the time given. A nil value is undefined.
func (s *Snapshot) run(ctx context.Context, query *topdown.Query, timeout time.Duration) (value ast.Value, err error) {
	b := &budget{ctx: ctx, now: s.now, deadline: s.now().Add(timeout)}
	if s.outward {
		// Builtins that reach out wait for the context, not for the budget.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	err = query.WithCancel(b).Iter(ctx, func(r topdown.QueryResult) error {
		value = r[resultVar].Value
		return nil
	})
	if err != nil {
		return nil, evaluationError(b, err, timeout)
	}
	return value, nil
}

// evaluationError tells of an error with its place, and of a builtin's with
// its name alone: the rest of its text may repeat what it was given.
func evaluationError(b *budget, err error, timeout time.Duration) error {
	var e *topdown.Error
	switch {
	case b.ctx.Err() != nil:
		return fmt.Errorf("the evaluation was ended: %w", b.ctx.Err())
	case b.spent.Load():
		return fmt.Errorf("the evaluation was ended: %w", &Overrun{timeout})
	case !errors.As(err, &e):
		return fmt.Errorf("the evaluation failed: %T", err)
	}
	text := e.Message
	if e.Code == topdown.BuiltinErr {
		text, _, _ = strings.Cut(text, ":")
	}
	if e.Location == nil {
		return fmt.Errorf("%s: %s", e.Code, text)
	}
	return fmt.Errorf("%s:%d: %s: %s", e.Location.File, e.Location.Row, e.Code, text)
}

// panicked tells of a panic without its value, which may hold anything, but
// for what the runtime itself says.
func panicked(cause any) error {
	text := fmt.Sprintf("panic of type %T", cause)
	if e, ok := cause.(runtime.Error); ok {
		text = "panic: " + e.Error()
	}
	return fmt.Errorf("%s\n%s", text, debug.Stack())
}
