package cli

import (
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
)

// policyTest is what `policy test` was asked.
type policyTest struct {
	subject   subject
	run       string
	verbose   bool
	coverage  bool
	threshold float64
	bench     bool
}

func newPolicyTest() *cobra.Command {
	var t policyTest
	cmd := &cobra.Command{
		Use: "test DIR", Short: "Run the tests of a policy",
		Long: "Run the tests of a policy: rules test_… in _test.rego files, as `opa test` runs\n" +
			"them but for builtins' errors, which fail a test as they fail a decision; and the\n" +
			"cases of _test.yaml files, each a request that goes through the whole gate.\n\n" +
			"Exit code 0: all passed; 1: one did not, there is none, or the coverage is below\n" +
			"the threshold; 2: they could not be run.",
		Example: "  postern policy test policies/ --coverage --threshold 100\n" +
			"  postern policy test policies/ -c postern.yaml --run reader -v",
	}
	t.subject.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&t.run, "run", "", "run only the tests whose names match this `regexp`")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "tell of every test, and trace those that fail")
	f.BoolVar(&t.coverage, "coverage", false, "tell which lines the tests in Rego did not evaluate")
	f.Float64Var(&t.threshold, "threshold", 0, "`percent` of the lines that must be covered; with --coverage")
	f.BoolVar(&t.bench, "bench", false, "measure each test in Rego")
	cmd.MarkFlagsMutuallyExclusive("bench", "coverage")
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, args []string) error {
		if err := t.subject.at(args); err != nil {
			return err
		}
		report, err := t.report(cmd)
		if err != nil {
			return err
		}
		if err := report.write(cmd.OutOrStdout(), *form); err != nil {
			return unasked(err)
		}
		if !report.Passed {
			return no(nil)
		}
		return nil
	})
	return cmd
}

// testReport is what became of all tests.
type testReport struct {
	Passed    bool             `json:"passed"`
	Counts    map[string]int   `json:"counts"`
	Tests     []author.Result  `json:"tests"`
	Coverage  *author.Coverage `json:"coverage,omitempty"`
	Threshold float64          `json:"threshold,omitempty"`

	verbose bool
}

func (t *policyTest) report(cmd *cobra.Command) (*testReport, error) {
	named, err := regexp.Compile(t.run)
	if err != nil {
		return nil, unasked(fmt.Errorf("--run: %w", err))
	}
	if t.threshold < 0 || t.threshold > 100 {
		return nil, unasked(fmt.Errorf("--threshold %v: expected 0 to 100", t.threshold))
	}
	source, err := t.subject.open()
	if err != nil {
		return nil, err
	}
	options := author.TestOptions{Filter: t.run, Trace: t.verbose, Benchmark: t.bench}
	r := &testReport{Threshold: t.threshold, Counts: map[string]int{}, verbose: t.verbose}
	if r.Tests, err = source.Test(cmd.Context(), options); err != nil {
		return nil, ofPolicy(err)
	}
	if !t.bench {
		if err := t.tryCases(cmd, source, named, r); err != nil {
			return nil, err
		}
	}
	if t.coverage || t.threshold > 0 {
		if r.Coverage, err = source.Cover(cmd.Context(), options); err != nil {
			return nil, ofPolicy(err)
		}
	}
	r.count()
	return r, nil
}

// tryCases asks the gate about every case.
func (t *policyTest) tryCases(cmd *cobra.Command, source *author.Source, named *regexp.Regexp, r *testReport) error {
	cases, err := source.Cases()
	if err != nil {
		return ofPolicy(err)
	}
	if len(cases.Cases) == 0 {
		return nil
	}
	court, leave, err := t.subject.court(cmd.Context(), cases)
	if err != nil {
		return err
	}
	defer leave()
	for i := range cases.Cases {
		if named.MatchString(cases.Cases[i].Name) {
			r.Tests = append(r.Tests, court.Try(cmd.Context(), &cases.Cases[i]))
		}
	}
	return nil
}

func (r *testReport) count() {
	r.Passed = len(r.Tests) > 0 && (r.Coverage == nil || r.Coverage.Percent >= r.Threshold)
	for i := range r.Tests {
		r.Counts[r.Tests[i].Outcome]++
		r.Passed = r.Passed && r.Tests[i].Good()
	}
}

func (r *testReport) write(w io.Writer, form output) error {
	if form != text {
		return form.write(w, r)
	}
	for i := range r.Tests {
		if err := r.writeTest(w, &r.Tests[i]); err != nil {
			return err
		}
	}
	if err := r.writeCoverage(w); err != nil {
		return err
	}
	if len(r.Tests) == 0 {
		return sentence("there is no test to run").writeTo(w)
	}
	return sentence(fmt.Sprintf("%d passed, %d failed, %d errors, %d skipped",
		r.Counts[author.Pass], r.Counts[author.Fail], r.Counts[author.Error], r.Counts[author.Skipped])).writeTo(w)
}

func (r *testReport) writeTest(w io.Writer, t *author.Result) error {
	if t.Outcome == author.Pass && !r.verbose && t.Benchmark == nil {
		return nil
	}
	line := fmt.Sprintf("%s:%d: %s: %s", t.File, t.Line, t.Outcome, t.Name)
	switch {
	case t.Benchmark != nil:
		b := t.Benchmark
		line += fmt.Sprintf(": %v, %d allocations, %d bytes", time.Duration(b.Nanoseconds), b.Allocations, b.Bytes)
	case t.Outcome != author.Skipped:
		line += fmt.Sprintf(" (%v)", t.Took.Round(time.Microsecond))
	}
	if err := sentence(line).writeTo(w); err != nil {
		return err
	}
	if err := lines(w, "    ", t.Why); err != nil {
		return err
	}
	if t.Printed != "" && (r.verbose || !t.Good()) {
		if err := lines(w, "    ", []string{"printed: " + t.Printed}); err != nil {
			return err
		}
	}
	return lines(w, "      ", t.Trace)
}

func (r *testReport) writeCoverage(w io.Writer) error {
	if r.Coverage == nil {
		return nil
	}
	for _, gap := range r.Coverage.Gaps {
		at := fmt.Sprintf("%s:%d", gap.File, gap.From)
		if gap.To > gap.From {
			at += fmt.Sprintf("-%d", gap.To)
		}
		if err := sentence(at + ": not covered").writeTo(w); err != nil {
			return err
		}
	}
	line := fmt.Sprintf("coverage: %.1f %%", r.Coverage.Percent)
	if r.Coverage.Percent < r.Threshold {
		line += fmt.Sprintf(", want at least %v %%", r.Threshold)
	}
	return sentence(line).writeTo(w)
}
