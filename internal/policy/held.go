package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/gate"
)

// Overrun is the error of an evaluation that took longer than it may.
type Overrun struct{ Limit time.Duration }

// Error implements error.
func (o *Overrun) Error() string { return fmt.Sprintf("it took longer than %v", o.Limit) }

// Held names the rules that hold for a question, each by its place and name,
// without a value of the request. It evaluates anew, within the time given; what
// is not found out by then is left out.
func (s *Snapshot) Held(ctx context.Context, q *gate.Question, within time.Duration) []string {
	defer func() { _ = recover() }()
	e := s.entrypoints[q.Entrypoint]
	if e == nil {
		return nil
	}
	input := newDocument()
	if err := e.input.write(input, q); err != nil {
		return nil
	}
	t := tracer{compiler: s.compiler, tried: map[*ast.Rule]bool{}}
	_, _ = s.run(ctx, s.query(e, input.root(), q).WithQueryTracer(&t).WithIndexing(false).WithEarlyExit(false), within)
	return t.held()
}

// held lists the rules that held, in order of their place.
func (t *tracer) held() []string {
	var rules []*ast.Rule
	for rule, holds := range t.tried {
		if holds {
			rules = append(rules, rule)
		}
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	names := make([]string, len(rules))
	for i, rule := range rules {
		names[i] = fmt.Sprintf("%s:%d %s", rule.Location.File, rule.Location.Row, Authored(t.compiler, rule.Head.Ref()))
	}
	return names
}
