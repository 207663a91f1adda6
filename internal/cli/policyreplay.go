package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// policyReplay is what `policy replay` was asked.
type policyReplay struct {
	journals    []string
	directory   string
	entrypoints []string
	builtins    []string
	data        []string
	tests       string
	pin         string
	atMost      int
	limit       int
	groups      int
}

func newPolicyReplay() *cobra.Command {
	p := policyReplay{pin: "old"}
	cmd := &cobra.Command{
		Use: "replay --journal PATH --policy DIR", Short: "Ask a policy for yesterday's decisions, and be told which differ",
		Long: "Ask the policy in a directory for each decision of a journal (policy.journal), and\n" +
			"be told which differ, by consumer, route and rule. What can't be told is counted\n" +
			"with the reason, such as a field that the policy reads and the journal does not\n" +
			"hold; it is never taken for undefined.\n\n" +
			"Exit code 0: no decision differs; 1: some do; 2: it could not be told of any, or\n" +
			"the question could not be asked.",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringArrayVar(&p.journals, "journal", nil, "`path` of a journal's directory, or of one of its files; may be repeated")
	f.StringVar(&p.directory, "policy", "", "`directory` of the policy to ask")
	f.StringSliceVar(&p.entrypoints, "entrypoint", nil, "count the decisions of this `rule` alone; may be repeated (default: all)")
	f.StringSliceVar(&p.builtins, "allow-builtin", nil, "`builtin` that is allowed though it reaches out or is random; may be repeated")
	f.StringArrayVar(&p.data, "data", nil, "further data, as `[PATH=]FILE`, where PATH is where it stands below data; may be repeated")
	f.StringVar(&p.tests, "tests", "", "write what differs as tests in Rego to this `file`, which must not be there yet")
	f.StringVar(&p.pin, "pin", "old", "what these tests hold: the decisions of `old` or new")
	f.IntVar(&p.atMost, "tests-at-most", 50, "how many tests are written")
	f.IntVar(&p.limit, "limit", 3, "how many decisions are named as examples of a group")
	f.IntVar(&p.groups, "groups", 50, "how many groups are shown")
	for _, name := range []string{"journal", "policy"} {
		_ = cmd.MarkFlagRequired(name) // the flag is there
	}
	_ = cmd.MarkFlagDirname("policy") // the flag is there
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, _ []string) error { return p.run(cmd, *form) })
	return cmd
}

// check looks at the flags before a long run.
func (p *policyReplay) check() error {
	switch info, err := os.Stat(p.directory); {
	case err != nil:
		return unasked(err)
	case !info.IsDir():
		return unasked(fmt.Errorf("%s is not a directory", p.directory))
	case p.pin != "old" && p.pin != "new":
		return unasked(fmt.Errorf("--pin %q: expected old or new", p.pin))
	case p.limit < 0 || p.groups < 0 || p.atMost < 0:
		return unasked(errors.New("--limit, --groups and --tests-at-most can't be negative"))
	case p.tests != "" && !strings.HasSuffix(p.tests, "_test.rego"):
		return unasked(fmt.Errorf("--tests %s: expected a name that ends in _test.rego, so that it is no part of the policy", p.tests))
	}
	if _, err := os.Lstat(p.tests); p.tests != "" && err == nil {
		return unasked(fmt.Errorf("--tests %s: the file is there already", p.tests))
	}
	return nil
}

func (p *policyReplay) run(cmd *cobra.Command, form output) error {
	if err := p.check(); err != nil {
		return err
	}
	files, err := journal.Paths(p.journals)
	if err != nil {
		return unasked(err)
	}
	compile, err := p.compiler(cmd.Context())
	if err != nil {
		return err
	}
	problems := problemLines{to: cmd.ErrOrStderr()}
	told, err := author.Replay(cmd.Context(), author.ReplayOptions{
		Files: files, Compile: compile, Directory: p.directory, Entrypoints: p.entrypoints,
		Workers: runtime.GOMAXPROCS(0), Examples: p.limit, Problem: problems.tell,
	})
	if err != nil {
		return unasked(err)
	}
	written, err := p.writeTests(told)
	if err != nil {
		return unasked(err)
	}
	if err := p.tell(cmd.OutOrStdout(), form, told, written); err != nil {
		return unasked(err)
	}
	switch {
	case told.Flipped > 0:
		return no(nil)
	case told.Same == 0:
		return unasked(errors.New("no decision could be told"))
	}
	return nil
}

// compiler compiles once to see that the policy is sound, and then for each
// entry point that the journal names.
func (p *policyReplay) compiler(ctx context.Context) (func(string) (*policy.Snapshot, error), error) {
	data, err := dataFlags(p.data)
	if err != nil {
		return nil, unasked(err)
	}
	if _, err := author.Open(p.directory, p.builtins); err != nil {
		return nil, ofPolicy(err)
	}
	compile := func(entrypoint string) (*policy.Snapshot, error) {
		return policy.Compile(ctx, policy.Options{
			Directory: p.directory, Data: data, Entrypoints: []string{entrypoint}, AllowedBuiltins: p.builtins, Timeout: authorTimeout,
		})
	}
	for _, name := range p.entrypoints {
		if _, err := compile(name); err != nil {
			return nil, ofPolicy(err)
		}
	}
	return compile, nil
}

// dataFlags reads `[PATH=]FILE`.
func dataFlags(flags []string) (all []policy.DataFiles, _ error) {
	for _, text := range flags {
		one := policy.DataFiles{Pattern: text}
		if at, file, found := strings.Cut(text, "="); found {
			one = policy.DataFiles{Pattern: file, At: strings.Split(at, "/")}
		}
		absolute, err := filepath.Abs(one.Pattern)
		if err != nil {
			return nil, err
		}
		one.Pattern = absolute
		all = append(all, one)
	}
	return all, nil
}

// problemLines tells of the first lines that are no records; all are counted.
type problemLines struct {
	to io.Writer
	n  int
}

const maxProblemLines = 20

func (p *problemLines) tell(one journal.Problem) {
	switch p.n++; {
	case p.n <= maxProblemLines:
		_ = lines(p.to, "", []string{one.String()}) // there is nowhere else to tell
	case p.n == maxProblemLines+1:
		_ = lines(p.to, "", []string{"… and more, which are counted"})
	}
}

func (p *policyReplay) writeTests(told *author.Replayed) (int, error) {
	if p.tests == "" {
		return 0, nil
	}
	content, n, err := told.Tests(p.atMost, p.pin == "new")
	if err != nil || n == 0 {
		return 0, err
	}
	f, err := os.OpenFile(p.tests, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(content)
	return n, errors.Join(err, f.Close())
}

func (p *policyReplay) tell(w io.Writer, form output, told *author.Replayed, tests int) error {
	shown := told.Groups[:min(p.groups, len(told.Groups))]
	if form != text {
		more := len(told.Groups) - len(shown)
		told.Groups = shown
		return form.write(w, struct {
			*author.Replayed
			MoreGroups int `json:"more_groups"`
			Tests      int `json:"tests"`
		}{told, more, tests})
	}
	all := []string{summaryOf(told)}
	if told.Malformed > 0 {
		all = append(all, fmt.Sprintf("%d lines are no decisions", told.Malformed))
	}
	if told.BlindAnswers {
		all = append(all, "the journal's key is not beside it: answers beside yes, no and the status are not compared")
	}
	for _, c := range told.Flips {
		all = append(all, fmt.Sprintf("  %d %s", c.Count, c.What))
	}
	if len(told.Why) > 0 {
		all = append(all, "can't be told:")
	}
	for _, c := range told.Why[:min(p.groups, len(told.Why))] {
		all = append(all, fmt.Sprintf("  %d %s", c.Count, c.What))
	}
	for _, g := range shown {
		all = append(all, fmt.Sprintf("%d %s → %s: %s", g.Count, g.From, g.To, placeOf(g)))
		if g.Rule != "" {
			all = append(all, "    "+g.Rule)
		}
		if len(g.Examples) > 0 {
			all = append(all, "    such as "+strings.Join(g.Examples, ", "))
		}
	}
	if more := len(told.Groups) - len(shown); more > 0 {
		all = append(all, fmt.Sprintf("and %d more groups", more))
	}
	if tests > 0 {
		all = append(all, fmt.Sprintf("tests written to %s: %d", p.tests, tests))
	}
	return lines(w, "", all)
}

func summaryOf(told *author.Replayed) string {
	if told.Decisions == 0 {
		return fmt.Sprintf("no decisions (files: %d)", told.Files)
	}
	const when = "2006-01-02 15:04:05"
	span := ""
	if !told.From.IsZero() {
		span = fmt.Sprintf(", from %s to %s UTC", told.From.UTC().Format(when), told.Until.UTC().Format(when))
	}
	return fmt.Sprintf("%d decisions (files: %d)%s: %d as before, %d differ, %d can't be told", told.Decisions, told.Files, span, told.Same, told.Flipped, told.Untold)
}

func placeOf(g *author.Group) string {
	consumer, route := "anonymous", "the default route"
	if g.Consumer != "" {
		consumer = "consumer " + g.Consumer
	}
	if g.Route != "" {
		route = "route " + g.Route
	}
	return consumer + ", " + route
}
