package cli

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/serve"
)

// policyExplain is what `policy explain` was asked.
type policyExplain struct {
	subject  subject
	question question
	as       author.Identity
	noted    noted
}

func newPolicyExplain() *cobra.Command {
	var e policyExplain
	cmd := &cobra.Command{
		Use: "explain [DIR]", Short: "Ask about one request, and be told which rules fired and what was missing",
		Long: "Ask about one request, as `postern check` does, and be told which rules held, the\n" +
			"values that the others saw, and the near misses: the smallest sets of what failed\n" +
			"whose change would have allowed. The policy is that of DIR, else the\n" +
			"configuration's; who asks is what --consumer says, else what the request's\n" +
			"credentials prove. With a configuration, --consumer names one of its records (files\n" +
			"and store), and the other flags add to that. Credentials are not shown. With --decision it is a decision of a\n" +
			"journal (policy.journal) that is explained, as far as the journal holds what the\n" +
			"policy reads.\n\n" +
			"Exit code 0: allowed; 1: denied or a fault; 2: the question could not be asked.",
		Example: "  postern policy explain policies/ --consumer mobile --scope orders:read --method PUT --path /orders/1\n" +
			"  postern policy explain -c postern.yaml --path /orders/1 --header 'X-API-Key: …'",
	}
	e.subject.flags(cmd)
	cmd.Args = cobra.MaximumNArgs(1)
	e.question.flags(cmd)
	e.noted.flags(cmd)
	cmd.MarkFlagsOneRequired("path", "check-request", "decision")
	for _, name := range []string{"path", "check-request"} {
		cmd.MarkFlagsMutuallyExclusive("decision", name)
	}
	f := cmd.Flags()
	f.StringVar(&e.as.Consumer, "consumer", "", "`name` of the consumer that asks, as if proven")
	f.StringSliceVar(&e.as.Roles, "role", nil, "`role` of that consumer; may be repeated")
	f.StringSliceVar(&e.as.Scopes, "scope", nil, "`scope` of its credential; may be repeated")
	f.StringSliceVar(&e.as.Groups, "group", nil, "`group` of that consumer; may be repeated")
	f.StringVar(&e.as.Environment, "environment", "", "environment of that consumer, in place of its record's")
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, args []string) error {
		if err := e.ready(args); err != nil {
			return err
		}
		if e.noted.asked() {
			return e.explainNoted(cmd, *form)
		}
		told, err := e.explain(cmd)
		if err != nil {
			return err
		}
		if err := told.write(cmd.OutOrStdout(), *form); err != nil {
			return unasked(err)
		}
		if told.Outcome != access.Allowed.String() {
			return no(nil)
		}
		return nil
	})
	return cmd
}

func (e *policyExplain) ready(args []string) error {
	switch {
	case len(args) == 0 && e.subject.config == "":
		return unasked(fmt.Errorf("name the directory of the policy, or a --config"))
	case e.as.Consumer == "" && len(e.as.Roles)+len(e.as.Scopes)+len(e.as.Groups)+len(e.as.Environment) > 0:
		return unasked(fmt.Errorf("--role, --scope, --group and --environment go with --consumer"))
	case len(args) == 0:
		return nil
	}
	return e.subject.at(args)
}

// explained is a verdict and why policy answered so; nil where the gate
// pronounced before policy was asked.
type explained struct {
	Outcome string              `json:"outcome"`
	Code    string              `json:"code"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail,omitempty"`
	Route   string              `json:"route"`
	Policy  *author.Explanation `json:"policy"`
}

func (e *policyExplain) explain(cmd *cobra.Command) (*explained, error) {
	s, leave, err := e.session(cmd)
	if err != nil {
		return nil, err
	}
	defer leave()
	req, err := e.question.read(cmd.InOrStdin(), s.trusted)
	if err != nil {
		return nil, unasked(err)
	}
	verdict, asked := s.court.Judge(cmd.Context(), req, s.as)
	told := &explained{
		Outcome: verdict.Outcome().String(), Code: string(verdict.Reason.Code), Status: verdict.Status,
		Detail: verdict.Reason.Detail, Route: verdict.Route,
	}
	if asked == nil {
		return told, nil
	}
	told.Policy, err = author.Explain(cmd.Context(), s.court.Policy(), asked, e.subject.directory, s.credentials)
	if err != nil {
		return nil, unasked(err)
	}
	return told, nil
}

// session is the gate to ask, as whom, whom it trusts to forward, and the
// headers that may hold a credential.
type session struct {
	court       *author.Court
	as          *access.Identity
	trusted     []netip.Prefix
	credentials []string
}

func (e *policyExplain) session(cmd *cobra.Command) (*session, func(), error) {
	if e.subject.config == "" {
		court, leave, err := e.subject.court(cmd.Context(), &author.Cases{})
		return &session{court: court, as: e.as.Proven()}, leave, err
	}
	rules, err := e.subject.rules(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	as, err := e.recorded(cmd.Context(), rules)
	if err != nil {
		rules.Close()
		return nil, nil, unasked(err)
	}
	court, err := author.NewCourt(rules.Gate, rules.Policy, time.Now)
	if err != nil {
		rules.Close()
		return nil, nil, no(err)
	}
	if e.subject.directory == "" {
		e.subject.directory = rules.Config.Policy.Directory
	}
	return &session{court, as, rules.Config.Listen.GRPC.TrustedProxies, rules.Gate.CredentialHeaders}, rules.Close, nil
}

// recorded is the consumer that was named, as its record says, with what was
// added. It is nil when none was named.
func (e *policyExplain) recorded(ctx context.Context, rules *serve.OpenRules) (*access.Identity, error) {
	as := e.as.Proven()
	if as == nil {
		return nil, nil
	}
	record, err := rules.Consumer(ctx, e.as.Consumer)
	if err != nil {
		return nil, err
	}
	who := *record
	who.Roles, who.Groups = distinctNames(slices.Concat(who.Roles, as.Roles)), distinctNames(slices.Concat(who.Groups, as.Groups))
	if e.as.Environment != "" {
		who.Environment = e.as.Environment
	}
	as.Consumer, as.Roles, as.Groups = &who, who.Roles, who.Groups
	return as, nil
}

func (e *explained) write(w io.Writer, form output) error {
	if form != text {
		return form.write(w, e)
	}
	all := []string{fmt.Sprintf("%s: %s (%d)", e.Outcome, e.Code, e.Status)}
	if e.Policy == nil {
		all = append(all, strings.TrimSuffix("policy was not asked: "+e.Detail, ": "))
		return lines(w, "", all)
	}
	p := e.Policy
	all = append(all, fmt.Sprintf("%s at revision %s", p.Entrypoint, p.Revision))
	return lines(w, "", append(all, explanationLines(p)...))
}

// explanationLines are what was wrong, what was missing, and the rules.
func explanationLines(p *author.Explanation) (all []string) {
	if p.Detail != "" {
		all = append(all, p.Detail)
	}
	all = append(all, nearMissLines(p)...)
	if len(p.Rules) > 0 {
		all = append(all, "rules:")
	}
	for _, r := range p.Rules {
		held := "did not hold"
		if r.Held {
			held = "held"
		}
		if r.Default {
			held = "is the default"
		}
		all = append(all, fmt.Sprintf("  %s:%d: %s %s", r.File, r.Line, r.Rule, held))
		for _, saw := range r.Saw {
			all = append(all, "      "+saw)
		}
	}
	return all
}

func nearMissLines(p *author.Explanation) (all []string) {
	add := func(title string, misses []author.Miss) {
		if len(misses) > 0 {
			all = append(all, title)
		}
		for _, miss := range misses {
			var texts []string
			for _, lack := range miss {
				texts = append(texts, fmt.Sprintf("%s (%s:%d)", lack.Text, lack.File, lack.Line))
			}
			all = append(all, "  - "+strings.Join(texts, ", and "))
		}
	}
	add("near misses; each would have allowed:", p.NearMisses)
	add("may be missing; what can't be tried:", p.Unsure)
	return all
}
