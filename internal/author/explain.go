package author

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

const (
	// mostRules and mostFailures bound what is told of an evaluation.
	mostRules    = 200
	mostFailures = 3
)

// Explanation is why policy answers a question as it does.
type Explanation struct {
	Entrypoint string `json:"entrypoint"`
	Revision   string `json:"revision"`
	Allowed    bool   `json:"allowed"`
	// Detail is what went wrong, or what the policy answered in place of a yes
	// or no.
	Detail string `json:"detail,omitempty"`
	// Rules were tried, in order of their place.
	Rules []Tried `json:"rules"`
	// NearMisses are the smallest sets of failed expressions whose change allows,
	// as was tried; none when it was allowed, or none was found.
	NearMisses []Miss `json:"near_misses"`
	// Unsure are others of which that can't be tried.
	Unsure []Miss `json:"may_be_missing"`

	// secrets are not to be shown.
	secrets []string
	// overran says that the decision took longer than it may.
	overran bool
}

// Tried is a rule that was tried, and whether it held for any of its tries.
type Tried struct {
	Rule string `json:"rule"`
	File string `json:"file"`
	Line int    `json:"line"`
	Held bool   `json:"held"`
	// Default says that it is what counts where no other held.
	Default bool `json:"default,omitempty"`
	// Saw are the expressions that failed with the values that they saw, or of a
	// rule that held, its values.
	Saw []string `json:"saw,omitempty"`
}

// Explain asks a policy once more, tells which rules fired, and looks for near
// misses. Files are told of as standing under directory. Values that stand
// where credentials do, in these headers or in others that are known to hold
// some, are not shown.
func Explain(ctx context.Context, s *policy.Snapshot, q *gate.Question, directory string, credentialHeaders []string) (*Explanation, error) {
	x := &Explanation{Entrypoint: q.Entrypoint, Revision: s.Revision(), Rules: []Tried{}, NearMisses: []Miss{}, Unsure: []Miss{}}
	body := s.EntrypointQuery(q.Entrypoint)
	if body == nil {
		return nil, fmt.Errorf("the entry point %q is not compiled", q.Entrypoint)
	}
	decision, err := s.Decide(ctx, q)
	x.decided(&decision, err)
	probe, err := s.Probe(q)
	var unreadable *access.Unreadable
	switch {
	case errors.As(err, &unreadable):
		x.hide(secretsOf(q, credentialHeaders))
		return x, nil // what could not be read is the whole reason
	case err != nil:
		return nil, err
	}
	x.secrets = secretsOf(q, credentialHeaders)
	x.look(ctx, s, probe, body)
	x.under(directory)
	x.hide(x.secrets)
	return x, nil
}

// ExplainRecorded explains what a policy answers to an input that was kept, as
// of a time.
func ExplainRecorded(ctx context.Context, s *policy.Snapshot, entrypoint string, input *ast.Term, at time.Time, directory string) (*Explanation, error) {
	x := &Explanation{Entrypoint: entrypoint, Revision: s.Revision(), Rules: []Tried{}, NearMisses: []Miss{}, Unsure: []Miss{}}
	body := s.EntrypointQuery(entrypoint)
	if body == nil {
		return nil, fmt.Errorf("the entry point %q is not compiled", entrypoint)
	}
	decision, err := s.DecideRecorded(ctx, entrypoint, input, at)
	x.decided(&decision, err)
	x.look(ctx, s, s.ProbeRecorded(input, at), body)
	x.under(directory)
	return x, nil
}

func (x *Explanation) decided(d *access.Decision, err error) {
	x.Allowed, x.Detail = d.Allowed && err == nil, d.Detail
	if err != nil {
		x.Detail, _, _ = strings.Cut(err.Error(), "\n")
		var overrun *policy.Overrun
		x.overran = errors.As(err, &overrun)
	}
}

// look evaluates once more and watches.
func (x *Explanation) look(ctx context.Context, s *policy.Snapshot, probe *policy.Probe, body ast.Body) {
	search := newSearch(ctx, probe, s.Compiler())
	search.veil = &veil{probe.Input(), s.Compiler(), x.secrets}
	t := tracer{input: probe.Input(), search: search, tried: map[*ast.Rule]*Tried{}, running: map[uint64]*ast.Rule{}}
	within := searchTime
	if x.overran {
		within = askTime // it would overrun again
	}
	_ = probe.Solve(ctx, body, within, &t, func(topdown.QueryResult) error { return nil }) // its error is the decision's
	x.Rules = t.rules()
	if x.Allowed || x.overran {
		return
	}
	search.deadline = time.Now().Add(searchTime)
	sure, unsure := search.misses(ctx, refOf(x.Entrypoint))
	x.NearMisses, x.Unsure = append(x.NearMisses, sure...), append(x.Unsure, unsure...)
}

// under puts a directory before the files' names.
func (x *Explanation) under(directory string) {
	for i := range x.Rules {
		x.Rules[i].File = filepath.Join(directory, x.Rules[i].File)
	}
	for _, miss := range slices.Concat(x.NearMisses, x.Unsure) {
		for i := range miss {
			miss[i].File = filepath.Join(directory, miss[i].File)
		}
	}
}

func refOf(entrypoint string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, part := range strings.Split(entrypoint, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}

// tracer notes the rules that are tried, and what their expressions saw.
type tracer struct {
	input  *ast.Term
	search *search
	tried  map[*ast.Rule]*Tried
	// running are the rules of queries by their ids.
	running map[uint64]*ast.Rule
}

// Enabled implements topdown.QueryTracer.
func (*tracer) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent implements topdown.QueryTracer.
func (t *tracer) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		t.rule(&e, node)
	case *ast.Expr:
		rule := t.running[e.QueryID]
		if e.Op == topdown.FailOp && rule != nil && node.Location != nil {
			t.failed(rule, node, &e)
		}
	}
}

func (t *tracer) rule(e *topdown.Event, rule *ast.Rule) {
	if rule.Location == nil {
		return
	}
	if t.tried[rule] == nil && len(t.tried) < mostRules {
		t.tried[rule] = &Tried{Rule: strings.TrimPrefix(rule.Ref().GroundPrefix().String(), "data."), Default: rule.Default, File: rule.Location.File, Line: rule.Location.Row}
	}
	switch e.Op {
	case topdown.EnterOp:
		t.running[e.QueryID] = rule
	case topdown.ExitOp:
		if tried := t.tried[rule]; tried != nil && !tried.Held {
			tried.Held, tried.Saw = true, nil
			for _, expr := range rule.Body {
				tried.see(t.values(rule.Body, expr, e))
			}
		}
	}
}

func (t *tracer) failed(rule *ast.Rule, expr *ast.Expr, e *topdown.Event) {
	tried := t.tried[rule]
	if tried == nil || tried.Held || len(tried.Saw) >= mostFailures {
		return
	}
	line := fmt.Sprintf("line %d: %s failed", expr.Location.Row, sourceOf(expr))
	if saw := t.values(rule.Body, expr, e); len(saw) > 0 {
		line += ": " + strings.Join(saw, ", ")
	}
	tried.see([]string{line})
}

func (t *Tried) see(lines []string) {
	for _, line := range lines {
		if !slices.Contains(t.Saw, line) && len(t.Saw) < 10 {
			t.Saw = append(t.Saw, line)
		}
	}
}

// values are what an expression read, by the names that its author gave.
func (t *tracer) values(body ast.Body, expr *ast.Expr, e *topdown.Event) (lines []string) {
	add := func(name string, value *ast.Term) {
		line := name + " = " + plainText(value)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			t.read(x, add)
		case ast.Var:
			if ref, isRef := standsFor(body, ast.NewTerm(x)).Value.(ast.Ref); isRef && strings.HasPrefix(string(x), ast.LocalVarPrefix) {
				t.read(ref, add)
			}
			t.part(body, x, e, add)
			if call := callOf(t.search.compiler, body, x); call != nil && strings.HasPrefix(string(x), ast.LocalVarPrefix) {
				t.made(body, call, x, e, add)
			}
			t.local(body, x, e, add)
		}
		return false
	}).Walk(expr)
	return lines
}

// local tells of a name that the author gave.
func (t *tracer) local(body ast.Body, name ast.Var, e *topdown.Event, add func(string, *ast.Term)) {
	named, known := e.LocalMetadata[name]
	if !known || e.Locals == nil || strings.HasPrefix(string(named.Name), "__") || strings.HasPrefix(string(named.Name), "$") {
		return
	}
	if value := e.Locals.Get(name); value != nil {
		add(string(named.Name), t.shown(body, name, value, e))
	}
}

// part tells of a part of what the author gave a name.
func (t *tracer) part(body ast.Body, name ast.Var, e *topdown.Event, add func(string, *ast.Term)) {
	ref, isRef := standsFor(body, ast.NewTerm(name)).Value.(ast.Ref)
	if !isRef || e.Locals == nil || ast.RootDocumentNames.Contains(ref[0]) || !strings.HasPrefix(string(name), ast.LocalVarPrefix) {
		return
	}
	if value := e.Locals.Get(name); value != nil {
		add(policy.Authored(t.search.compiler, ref).String(), t.shown(body, name, value, e))
	}
}

// made tells of what a call gave, and of what it was given.
func (t *tracer) made(body ast.Body, call *ast.Expr, name ast.Var, e *topdown.Event, add func(string, *ast.Term)) {
	for _, o := range call.Operands()[:len(call.Operands())-1] {
		if ref, isRef := standsFor(body, o).Value.(ast.Ref); isRef {
			t.read(ref, add)
		}
		if inner, isVar := o.Value.(ast.Var); isVar {
			t.local(body, inner, e, add)
		}
	}
	f := &frame{search: t.search, body: body}
	if e.Locals == nil {
		return
	}
	text := f.describeCall(call, 0)
	if text == "" {
		var texts []string
		for _, o := range call.Operands()[:len(call.Operands())-1] {
			texts = append(texts, f.own(o))
		}
		text = callText(call, texts)
	}
	value := e.Locals.Get(name)
	if value == nil {
		return
	}
	add(text, t.shown(body, name, value, e))
}

// shown is a value, but for what was made of credentials.
func (t *tracer) shown(body ast.Body, name ast.Var, value ast.Value, e *topdown.Event) *ast.Term {
	known := func(name ast.Var) ast.Value { return e.Locals.Get(name) }
	if throughCall(t.search.compiler, body, name) && t.search.veil.covers(body, ast.NewTerm(name), known) {
		return ast.StringTerm("(hidden)")
	}
	return ast.NewTerm(value)
}

// read tells of a part of the input.
func (t *tracer) read(ref ast.Ref, add func(string, *ast.Term)) {
	if !ref[0].Equal(ast.InputRootDocument) || len(ref) < 2 {
		return
	}
	constant := ref.ConstantPrefix()
	value, err := t.input.Value.Find(constant[1:])
	if err != nil {
		add(describeInput(constant), nil)
		return
	}
	add(describeInput(constant), ast.NewTerm(value))
}

func (t *tracer) rules() []Tried {
	rules := make([]*ast.Rule, 0, len(t.tried))
	for rule := range t.tried {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	all := make([]Tried, len(rules))
	for i, rule := range rules {
		all[i] = *t.tried[rule]
	}
	return all
}

// hide takes secrets out of everything that is told.
func (x *Explanation) hide(secrets []string) {
	hidden := func(text string) string { return withoutSecrets(text, secrets) }
	x.Detail = hidden(x.Detail)
	for i := range x.Rules {
		for j := range x.Rules[i].Saw {
			x.Rules[i].Saw[j] = hidden(x.Rules[i].Saw[j])
		}
	}
	for _, miss := range slices.Concat(x.NearMisses, x.Unsure) {
		for i := range miss {
			miss[i].Text = hidden(miss[i].Text)
		}
	}
}
