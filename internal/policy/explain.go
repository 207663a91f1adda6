package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

const (
	// explainTimeout bounds the second, traced evaluation, which is slower.
	explainTimeout = time.Second
	// maxNotedRules bounds an explanation.
	maxNotedRules = 100
)

// explain decides as always and notes what was decided, and then evaluates
// once more, without shortcuts, to note which rules were true.
func (s *Snapshot) explain(ctx context.Context, e *entrypoint, q *gate.Question) (access.Decision, error) {
	d, err := s.evaluate(ctx, e, q)
	note := func(format string, args ...any) { q.Request.Explain.Note("policy", fmt.Sprintf(format, args...)) }
	note("%s at revision %s: %s", e.name, s.revision, outcome(&d, err))
	for i := range e.causes {
		note("not remembered: %s", e.causes[i])
	}
	for _, line := range s.trace(ctx, e, q) {
		note("%s", line)
	}
	return d, err
}

func outcome(d *access.Decision, err error) string {
	switch {
	case err != nil:
		first, _, _ := strings.Cut(err.Error(), "\n")
		return "error: " + first
	case d.Allowed:
		return "allowed"
	case d.Detail != "":
		return "not allowed: " + d.Detail
	}
	return "not allowed"
}

// trace lists the rules that were tried, in order of their place, each with
// whether it held for any of its tries. What goes wrong is told by the
// decision itself.
func (s *Snapshot) trace(ctx context.Context, e *entrypoint, q *gate.Question) []string {
	defer func() { _ = recover() }()
	input := newDocument()
	if err := e.input.write(input, q); err != nil {
		return nil
	}
	t := tracer{compiler: s.compiler, tried: map[*ast.Rule]bool{}}
	query := s.query(e, input.root(), q).WithQueryTracer(&t).WithIndexing(false).WithEarlyExit(false)
	_, _ = s.run(ctx, query, explainTimeout)
	return t.lines()
}

// tracer notes which rules were tried and which of them held.
type tracer struct {
	compiler *ast.Compiler
	tried    map[*ast.Rule]bool
}

// Enabled implements topdown.QueryTracer.
func (*tracer) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (t *tracer) TraceEvent(event topdown.Event) {
	rule, isRule := event.Node.(*ast.Rule)
	if !isRule || event.Op != topdown.EnterOp && event.Op != topdown.ExitOp {
		return
	}
	held, known := t.tried[rule]
	if known || len(t.tried) < maxNotedRules {
		t.tried[rule] = held || event.Op == topdown.ExitOp
	}
}

func (t *tracer) lines() []string {
	rules := make([]*ast.Rule, 0, len(t.tried))
	for rule := range t.tried {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	lines := make([]string, len(rules))
	for i, rule := range rules {
		held := "did not hold"
		if t.tried[rule] {
			held = "held"
		}
		lines[i] = fmt.Sprintf("%s:%d: %s %s", rule.Location.File, rule.Location.Row, Authored(t.compiler, rule.Head.Ref()), held)
	}
	return lines
}
