package author

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/policy"
)

// testTimeout bounds one test.
const testTimeout = 5 * time.Second

// The outcomes of a test.
const (
	Pass    = "pass"
	Fail    = "fail"
	Error   = "error"
	Skipped = "skipped"
)

// Result is what became of one test.
type Result struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	// Took is in nanoseconds.
	Took time.Duration `json:"took_ns"`
	// Why are lines on what did not hold and the values that it saw.
	Why []string `json:"why,omitempty"`
	// Printed is what the test printed.
	Printed string `json:"printed,omitempty"`
	// Trace is the whole evaluation of a test that failed.
	Trace []string `json:"trace,omitempty"`
	// Benchmark is set when tests were measured.
	Benchmark *Benchmark `json:"benchmark,omitempty"`
}

// Benchmark is the cost of one run of a test.
type Benchmark struct {
	Runs        int   `json:"runs"`
	Nanoseconds int64 `json:"ns"`
	Allocations int64 `json:"allocations"`
	Bytes       int64 `json:"bytes"`
}

// Good reports whether the test is no reason to say no.
func (r *Result) Good() bool { return r.Outcome == Pass || r.Outcome == Skipped }

// TestOptions choose the tests and what is told of them.
type TestOptions struct {
	// Filter is a regular expression that a test's name must match.
	Filter string
	// Trace keeps the whole evaluation of tests that fail.
	Trace bool
	// Benchmark measures tests instead of only running them.
	Benchmark bool
	// Parallel is how many run at once; 0: as many as there are cores.
	Parallel int
}

// Test runs the tests in Rego, ordered by their place.
func (s *Source) Test(ctx context.Context, o TestOptions) ([]Result, error) {
	if _, err := regexp.Compile(o.Filter); err != nil {
		return nil, fmt.Errorf("the filter: %w", err)
	}
	runner := s.runner(o).EnableTracing(!o.Benchmark)
	var results []Result
	err := s.run(ctx, runner, o.Benchmark, func(r *tester.Result) {
		results = append(results, resultOf(r, o.Trace))
	})
	slices.SortFunc(results, func(a, b Result) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return results, err
}

func (s *Source) runner(o TestOptions) *tester.Runner {
	// As at the gate a builtin's error is an error, not undefined.
	return tester.NewRunner().SetCompiler(s.compiler().WithEnablePrintStatements(true)).SetModules(s.modules()).
		SetStore(s.store()).RaiseBuiltinErrors(true).SetTimeout(testTimeout).SetParallel(o.Parallel).Filter(o.Filter)
}

func (s *Source) compiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(s.capabilities).SetErrorLimit(0)
}

func (s *Source) run(ctx context.Context, runner *tester.Runner, benchmark bool, each func(*tester.Result)) error {
	store := s.store()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	defer store.Abort(ctx, txn)
	runner.SetStore(store)
	start := func() (chan *tester.Result, error) { return runner.RunTests(ctx, txn) }
	if benchmark {
		start = func() (chan *tester.Result, error) {
			return runner.RunBenchmarks(ctx, txn, tester.BenchmarkOptions{ReportAllocations: true})
		}
	}
	results, err := start()
	if err != nil {
		return policy.Explained("", err)
	}
	for r := range results {
		each(r)
	}
	return ctx.Err()
}

func resultOf(r *tester.Result, trace bool) Result {
	out := Result{Name: r.Package + "." + r.Name, Outcome: outcomeOf(r), Took: r.Duration, Printed: strings.TrimSpace(string(r.Output))}
	if r.Location != nil {
		out.File, out.Line = r.Location.File, r.Location.Row
	}
	if b := r.BenchmarkResult; b != nil && b.N > 0 {
		out.Benchmark = &Benchmark{Runs: b.N, Nanoseconds: b.NsPerOp(), Allocations: b.AllocsPerOp(), Bytes: b.AllocedBytesPerOp()}
	}
	if r.Error != nil {
		out.Why = append(out.Why, r.Error.Error())
	}
	if r.Fail {
		out.Why = append(out.Why, whyFailed(r)...)
		if trace {
			var b bytes.Buffer
			topdown.PrettyTraceWithOpts(&b, r.Trace, topdown.PrettyTraceOptions{Locations: true, ExprVariables: true})
			out.Trace = strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
		}
	}
	return out
}

func outcomeOf(r *tester.Result) string {
	switch {
	case r.Skip:
		return Skipped
	case r.Error != nil:
		return Error
	case r.Fail:
		return Fail
	}
	return Pass
}

// whyFailed shows the last expression of the test that failed, with the values
// of its variables, and the cases within it that did.
func whyFailed(r *tester.Result) (lines []string) {
	for name, sub := range r.SubResults.Iter {
		if sub.Fail && len(sub.SubResults) == 0 {
			lines = append(lines, "case "+strings.Join(name, "/")+" failed")
			lines = append(lines, failedExpression(sub.Trace)...)
		}
	}
	if len(lines) == 0 {
		lines = failedExpression(r.Trace)
	}
	return lines
}

func failedExpression(trace []*topdown.Event) []string {
	for _, e := range slices.Backward(trace) {
		expr, isExpr := e.Node.(*ast.Expr)
		if e.Op != topdown.FailOp || e.Location == nil || e.QueryID == 0 || !isExpr {
			continue
		}
		if _, every := expr.Terms.(*ast.Every); every {
			continue // what failed inside it is told instead
		}
		var b bytes.Buffer
		if err := topdown.PrettyEvent(&b, e, topdown.PrettyEventOpts{PrettyVars: true}); err != nil {
			return []string{fmt.Sprintf("%s:%d: %s", e.Location.File, e.Location.Row, e.Location.Text)}
		}
		lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
		return append([]string{fmt.Sprintf("%s:%d: did not hold:", e.Location.File, e.Location.Row)}, lines...)
	}
	return nil
}

// Coverage says which lines of the policy the tests evaluated.
type Coverage struct {
	// Percent is the part of the lines with rules and expressions.
	Percent float64 `json:"percent"`
	// Gaps are the lines that no test evaluated.
	Gaps []Gap `json:"gaps"`
}

// Gap is a run of lines that no test evaluated.
type Gap struct {
	File string `json:"file"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Cover runs the tests again and says what they covered of the policy; tests
// themselves don't count.
func (s *Source) Cover(ctx context.Context, o TestOptions) (*Coverage, error) {
	tracer := cover.New()
	if err := s.run(ctx, s.runner(o).SetCoverageQueryTracer(tracer), false, func(*tester.Result) {}); err != nil {
		return nil, err
	}
	modules := s.modules()
	for name := range modules {
		if isTest(name) {
			delete(modules, name)
		}
	}
	return coverageOf(tracer.Report(modules)), nil
}

func coverageOf(report cover.Report) *Coverage {
	c := &Coverage{Percent: 100, Gaps: []Gap{}}
	covered, missed := 0, 0
	for name, file := range report.Files {
		if isTest(name) {
			continue
		}
		covered, missed = covered+file.CoveredLines, missed+file.NotCoveredLines
		c.Gaps = append(c.Gaps, gapsOf(name, file.NotCovered)...)
	}
	if covered+missed > 0 {
		c.Percent = 100 * float64(covered) / float64(covered+missed)
	}
	slices.SortFunc(c.Gaps, func(a, b Gap) int {
		if d := strings.Compare(a.File, b.File); d != 0 {
			return d
		}
		return a.From - b.From
	})
	return c
}

// gapsOf joins ranges that touch.
func gapsOf(file string, ranges []cover.Range) (gaps []Gap) {
	slices.SortFunc(ranges, cover.Range.Compare)
	for _, r := range ranges {
		if last := len(gaps) - 1; last >= 0 && r.Start.Row <= gaps[last].To+1 {
			gaps[last].To = max(gaps[last].To, r.End.Row)
			continue
		}
		gaps = append(gaps, Gap{file, r.Start.Row, r.End.Row})
	}
	return gaps
}
