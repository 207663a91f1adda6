package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/gate"
)

// policyBench is what `policy bench` was asked.
type policyBench struct {
	subject  subject
	inputs   []string
	journals []string
	each     time.Duration
}

func newPolicyBench() *cobra.Command {
	var b policyBench
	cmd := &cobra.Command{
		Use: "bench DIR", Short: "Measure what a policy's decisions take",
		Long: "Measure what a decision of each entry point takes, in time and allocations, made\n" +
			"and remembered, and tell what keeps it from being remembered. It is asked what the\n" +
			"decisions of --journal or the cases of --inputs ask, else those of the directory's _test.yaml files, else\n" +
			"requests that are made up. Entry points are taken from where lint takes them.\n\n" +
			"Exit code 0: measured; 1: a decision was an error; 2: it could not be measured.",
	}
	b.subject.flags(cmd)
	cmd.Flags().StringArrayVar(&b.inputs, "inputs", nil, "`file` of cases to ask; may be repeated")
	cmd.Flags().StringArrayVar(&b.journals, "journal", nil, "`path` of a journal's directory or file whose decisions to ask; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("inputs", "journal")
	cmd.Flags().DurationVar(&b.each, "time", time.Second, "how long each entry point is measured")
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, args []string) error {
		named := len(b.subject.entrypoints) > 0
		if err := b.subject.at(args); err != nil {
			return err
		}
		all, origin, err := b.measure(cmd, named)
		if err != nil {
			return err
		}
		if err := tellMeasured(cmd.OutOrStdout(), *form, all, origin); err != nil {
			return unasked(err)
		}
		for _, m := range all {
			if m.Errors > 0 {
				return no(nil)
			}
		}
		return nil
	})
	return cmd
}

func (b *policyBench) measure(cmd *cobra.Command, named bool) ([]*author.Measured, string, error) {
	questions, court, leave, origin, err := b.questions(cmd, named)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	memory, err := author.Remembering(time.Now)
	if err != nil {
		return nil, "", unasked(err)
	}
	defer memory.Close()
	fresh := court.Policy()
	remembering := fresh.Remembering(memory)
	var all []*author.Measured
	for _, entrypoint := range fresh.Entrypoints() {
		m, err := author.Measure(cmd.Context(), fresh, remembering, entrypoint, questions, b.each)
		if err != nil {
			return nil, "", unasked(err)
		}
		all = append(all, m)
	}
	return all, origin, nil
}

// questions are what policy is asked in the cases, and where those are from.
func (b *policyBench) questions(cmd *cobra.Command, named bool) ([]*gate.Question, *author.Court, func(), string, error) {
	source, err := b.subject.open()
	if err != nil {
		return nil, nil, nil, "", err
	}
	b.subject.ask(source, named)
	cases, err := source.Cases()
	origin := "the policy's own cases"
	if len(b.inputs) > 0 {
		cases, err = author.ReadCases(b.inputs...)
		origin = join(b.inputs)
	}
	if err != nil {
		return nil, nil, nil, "", ofPolicy(err)
	}
	court, leave, err := b.subject.court(cmd.Context(), cases)
	if err != nil {
		return nil, nil, nil, "", err
	}
	if len(b.journals) > 0 {
		questions, origin, err := recordedQuestions(cmd, b.journals)
		if err != nil {
			leave()
		}
		return questions, court, leave, origin, err
	}
	questions := court.Questions(cmd.Context(), cases)
	if len(questions) == 0 {
		questions, origin = court.Questions(cmd.Context(), author.Generated()), "requests that were made up"
	}
	return questions, court, leave, origin, nil
}

func tellMeasured(w io.Writer, form output, all []*author.Measured, origin string) error {
	if form != text {
		return form.write(w, map[string]any{"inputs": origin, "entrypoints": all})
	}
	t := &table{head: []string{"ENTRY POINT", "DECISION", "TIME", "SLOWEST", "ALLOCATIONS", "BYTES"}}
	row := func(entrypoint, decision string, c *author.Cost) {
		t.rows = append(t.rows, []string{
			entrypoint, decision, time.Duration(c.Nanoseconds).String(), time.Duration(c.Slowest).String(),
			strconv.FormatInt(c.Allocations, 10), strconv.FormatInt(c.Bytes, 10),
		})
	}
	for _, m := range all {
		row(m.Entrypoint, "evaluated", &m.Evaluated)
		if m.Remembered != nil {
			row(m.Entrypoint, "remembered", m.Remembered)
		}
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	for _, m := range all {
		line := fmt.Sprintf("%s: %d questions (%s), %d allowed, %d errors", m.Entrypoint, m.Questions, origin, m.Allowed, m.Errors)
		if err := sentence(line).writeTo(w); err != nil {
			return err
		}
		for _, why := range m.Why {
			if err := sentence("  not remembered: " + why).writeTo(w); err != nil {
				return err
			}
		}
	}
	return nil
}
