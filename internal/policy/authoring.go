package policy

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

// Capabilities are what policies may use when these builtins are allowed beside
// the usual ones. An author's tools compile with them, so that what they accept
// the gate accepts.
func Capabilities(allowedBuiltins []string) (*ast.Capabilities, error) {
	return capabilitiesFor(allowedBuiltins)
}

// ReadData reads what stands below data of a directory's policy, beside further
// files. Its error is a *Error.
func ReadData(directory string, files []DataFiles) (ast.Object, error) {
	c, err := readContent(Options{Directory: directory, Data: files}, time.Time{})
	if err != nil {
		return nil, err
	}
	return c.data, nil
}

// Remembering is the same policy, with a memory of its own.
func (s *Snapshot) Remembering(memory *cache.Cache[access.Decision]) *Snapshot {
	other := *s
	other.memory = memory
	other.name()
	return &other
}

// Explained turns OPA's errors into problems whose files stand under directory.
func Explained(directory string, err error) *Error { return nameRefused(explained(directory, err)) }

// Compiler is the compiled policy. It is read only.
func (s *Snapshot) Compiler() *ast.Compiler { return s.compiler }

// Entrypoints names the rules that may be asked, in order.
func (s *Snapshot) Entrypoints() []string { return slices.Sorted(maps.Keys(s.entrypoints)) }

// Reached are the rules that an entry point may evaluate, those of else
// branches not by themselves.
func (s *Snapshot) Reached(entrypoint string) map[*ast.Rule]bool {
	ref, err := refOf(entrypoint)
	if err != nil {
		return nil
	}
	return surveyOf(s.compiler, ref).seen
}

// Probe evaluates parts of a policy for one question.
type Probe struct {
	snapshot *Snapshot
	question *gate.Question
	input    *ast.Term
}

// Probe makes the whole input of a question, for evaluations beside the
// decision. Its error is why the input can't be given to policy.
func (s *Snapshot) Probe(q *gate.Question) (*Probe, error) {
	input := newDocument()
	all := selectParts(inputFields(s.descriptors), everything())
	if err := all.write(input, q); err != nil {
		return nil, unfit(err)
	}
	return &Probe{s, q, input.root()}, nil
}

// Decide answers to another input in place of the question's.
func (p *Probe) Decide(ctx context.Context, entrypoint string, input *ast.Term) (access.Decision, error) {
	return p.snapshot.DecideRecorded(ctx, entrypoint, input, p.question.Request.Time)
}

// Input is the whole input.
func (p *Probe) Input() *ast.Term { return p.input }

// Solve gives every solution of a compiled body, until each says stop. It does
// without indexing and early exit, so that a tracer, which may be nil, sees
// every rule. Errors of builtins are errors, as in a decision.
func (p *Probe) Solve(ctx context.Context, body ast.Body, within time.Duration, tracer topdown.QueryTracer, each func(topdown.QueryResult) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
	}()
	s := p.snapshot
	query := s.query(&entrypoint{query: body}, p.input, p.question).WithIndexing(false).WithEarlyExit(false)
	if tracer != nil {
		query = query.WithQueryTracer(tracer)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	b := &budget{ctx: ctx, now: s.now, deadline: s.now().Add(within)}
	return query.WithCancel(b).Iter(ctx, each)
}

// EntrypointQuery is the body that binds result to what an entry point answers,
// nil when there is no such entry point.
func (s *Snapshot) EntrypointQuery(entrypoint string) ast.Body {
	if e := s.entrypoints[entrypoint]; e != nil {
		return e.query
	}
	return nil
}
