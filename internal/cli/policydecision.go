package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// noted is a decision of a journal that is to be explained.
type noted struct {
	journals []string
	decision string
}

func (n *noted) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&n.journals, "journal", nil, "`path` of a journal's directory or file to find --decision in (default: the configuration's); may be repeated")
	cmd.Flags().StringVar(&n.decision, "decision", "", "explain the decision of this `id` as it was noted, in place of a request")
}

// asked reports whether a decision is to be explained.
func (n *noted) asked() bool { return n.decision != "" || len(n.journals) > 0 }

// notedDecision is a decision as it was noted, and why policy answers so now.
type notedDecision struct {
	Decision   string `json:"decision"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Time       string `json:"time"`
	Outcome    string `json:"outcome"`
	Status     int    `json:"status"`
	Error      string `json:"error,omitempty"`
	Entrypoint string `json:"entrypoint"`
	Route      string `json:"route"`
	Consumer   string `json:"consumer"`
	Revision   string `json:"revision"`
	// SameRevision says that the policy that explains is the one that decided.
	SameRevision bool `json:"same_revision"`
	// Unheld is what the policy reads and the record does not hold.
	Unheld []string            `json:"unheld"`
	Policy *author.Explanation `json:"policy"`
}

func (e *policyExplain) explainNoted(cmd *cobra.Command, form output) error {
	one, err := e.find(cmd)
	if err != nil {
		return err
	}
	compiled, leave, err := e.explaining(cmd, one.Entrypoint.String())
	if err != nil {
		return err
	}
	defer leave()
	told := &notedDecision{
		Decision: one.ID.String(), File: one.File, Line: one.Line, Time: one.At.String(), Outcome: one.Outcome.String(), Status: one.Status,
		Error: one.Failure.String(), Entrypoint: one.Entrypoint.String(), Route: one.Route.String(), Consumer: one.Consumer.String(),
		Revision: one.Revision.String(), SameRevision: one.Revision.String() == compiled.Revision(), Unheld: []string{},
	}
	if len(one.Input) > 0 {
		selected := compiled.Selection(told.Entrypoint)
		if selected == nil {
			return unasked(fmt.Errorf("the policy has no entry point %s", told.Entrypoint))
		}
		if told.Unheld, err = author.Unheld(selected, one); err != nil {
			return unasked(fmt.Errorf("%s:%d: %w", one.File, one.Line, err))
		}
		told.Policy, err = author.ExplainRecorded(cmd.Context(), compiled, told.Entrypoint, journal.Term(one.Input), one.Time(), e.subject.directory)
		if err != nil {
			return unasked(err)
		}
	}
	if err := told.write(cmd.OutOrStdout(), form); err != nil {
		return unasked(err)
	}
	if told.Policy == nil || !told.Policy.Allowed {
		return no(nil)
	}
	return nil
}

func (e *policyExplain) find(cmd *cobra.Command) (*journal.Record, error) {
	if e.noted.decision == "" {
		return nil, unasked(errors.New("--journal goes with --decision"))
	}
	if len(e.noted.journals) == 0 {
		if e.subject.config == "" {
			return nil, unasked(errors.New("--decision goes with --journal, or with a --config that names one"))
		}
		c, err := config.Load(e.subject.config, os.LookupEnv)
		if err != nil {
			return nil, unasked(err)
		}
		if c.Policy.Journal == nil {
			return nil, unasked(fmt.Errorf("%s names no policy.journal: name one by --journal", e.subject.config))
		}
		e.noted.journals = []string{c.Policy.Journal.Directory}
	}
	files, err := journal.Paths(e.noted.journals)
	if err != nil {
		return nil, unasked(err)
	}
	problems := problemLines{to: cmd.ErrOrStderr()}
	one, err := author.Find(cmd.Context(), files, e.noted.decision, runtime.GOMAXPROCS(0), problems.tell)
	switch {
	case err != nil:
		return nil, unasked(err)
	case one == nil:
		return nil, unasked(fmt.Errorf("the decision %s is not in the journal: it was not sampled, is gone with an old file, or was made before policy was asked", e.noted.decision))
	}
	return one, nil
}

// explaining is the policy that explains, beside what ends it.
func (e *policyExplain) explaining(cmd *cobra.Command, entrypoint string) (*policy.Snapshot, func(), error) {
	if e.subject.config == "" {
		compiled, err := e.subject.compile(cmd.Context(), []string{entrypoint})
		return compiled, func() {}, err
	}
	rules, err := e.subject.rules(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	if e.subject.directory == "" {
		e.subject.directory = rules.Config.Policy.Directory
	}
	return rules.Policy, rules.Close, nil
}

func (n *notedDecision) write(w io.Writer, form output) error {
	if form != text {
		return form.write(w, n)
	}
	place := placeOf(&author.Group{Consumer: n.Consumer, Route: n.Route})
	all := []string{fmt.Sprintf("%s at %s: %s (%d), %s", n.Decision, n.Time, n.Outcome, n.Status, place)}
	if n.Error != "" {
		all = append(all, n.Error)
	}
	if n.Policy == nil {
		return lines(w, "", append(all, "the journal holds no input of it"))
	}
	if !n.SameRevision {
		all = append(all, "decided at revision "+n.Revision+"; what follows is what another policy says")
	}
	for _, text := range n.Unheld {
		all = append(all, "not sure: "+text+" in the journal")
	}
	answer := "denied"
	if n.Policy.Allowed {
		answer = "allowed"
	}
	all = append(all, fmt.Sprintf("%s by %s at revision %s", answer, n.Policy.Entrypoint, n.Policy.Revision))
	return lines(w, "", append(all, explanationLines(n.Policy)...))
}

// recordedQuestions are what `policy bench` asks of journals.
func recordedQuestions(cmd *cobra.Command, journals []string) ([]*gate.Question, string, error) {
	files, err := journal.Paths(journals)
	if err != nil {
		return nil, "", unasked(err)
	}
	problems := problemLines{to: cmd.ErrOrStderr()}
	questions, err := author.Recorded(cmd.Context(), files, problems.tell)
	switch {
	case err != nil:
		return nil, "", unasked(err)
	case len(questions) == 0:
		return nil, "", unasked(errors.New("the journal holds no input of a policy"))
	}
	return questions, "decisions of " + join(journals), nil
}
