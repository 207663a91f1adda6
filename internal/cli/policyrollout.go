package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newPolicyStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Tell which policy is in force, and how its candidate does", Args: cobra.NoArgs,
		Long: "Tell which policy is in force at an instance, whether it was promoted or rolled\n" +
			"back to, and how often its candidate (policy.shadow) decided otherwise.",
	}
	d := newInstanceDoor(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		p, err := api.GetPolicy(cmd.Context(), &adminv1.GetPolicyRequest{})
		return reportPolicy(p), err
	})
	return cmd
}

func newPolicyRevisions() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revisions", Short: "List the policies that are kept, to roll back to", Args: cobra.NoArgs,
		Long: "List the policies that an instance keeps in policy.state_directory, the one that\ncame into force last first.",
	}
	d := newInstanceDoor(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		list, err := api.ListPolicyRevisions(cmd.Context(), &adminv1.ListPolicyRevisionsRequest{})
		return reportRevisions(list), err
	})
	return cmd
}

func newPolicyPromote() *cobra.Command {
	cmd := &cobra.Command{
		Use: "promote", Short: "Put the candidate in force", Args: cobra.NoArgs,
		Long: "Put the candidate (policy.shadow) of an instance in force. It is in force when\n" +
			"the command ends, also after a restart, and until the policy's own files or\n" +
			"bundles change: then they count again.",
	}
	revision := cmd.Flags().String("revision", "", "promote this `revision` alone: that of the candidate that was looked at")
	d := newInstanceDoor(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		p, err := api.PromotePolicy(cmd.Context(), &adminv1.PromotePolicyRequest{Revision: *revision})
		return reportChanged(p), err
	})
	return cmd
}

func newPolicyRollback() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rollback [REVISION]", Short: "Put the policy before this one in force, or another one that is kept", Args: cobra.MaximumNArgs(1),
		Long: "Put the policy that was in force before in force again, or a kept one that is\n" +
			"named (`policy revisions` lists them). Those that were rolled back from are passed\n" +
			"by: another rollback goes a step further back. It is in force when the command\n" +
			"ends, also after a restart, and until the policy's own files or bundles change:\nthen they count again.",
	}
	d := newInstanceDoor(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		request := &adminv1.RollbackPolicyRequest{}
		if len(args) == 1 {
			request.Revision = args[0]
		}
		p, err := api.RollbackPolicy(cmd.Context(), request)
		return reportChanged(p), err
	})
	return cmd
}

func reportPolicy(p *adminv1.Policy) *report {
	var shown record
	shown.add("in force", p.GetRevision())
	if pin := p.GetPin(); pin != nil {
		shown.add("files", p.GetFilesRevision())
		shown.add("by", pin.GetBy()+" at "+moment(pin.GetAt()))
	}
	shown.add("files are bad", p.GetFilesError())
	if s := p.GetShadow(); s != nil {
		addShadow(&shown, s)
	}
	return &report{message: p, text: []body{shown}, alone: []string{p.GetRevision()}}
}

func addShadow(shown *record, s *adminv1.PolicyShadow) {
	shown.add("candidate", s.GetRevision())
	shown.add("no candidate", s.GetError())
	if s.GetRevision() == "" {
		return
	}
	for _, count := range []struct {
		name string
		n    int64
	}{
		{"same", s.GetSame()}, {"changed", s.GetChanged()}, {"allow to deny", s.GetAllowToDeny()}, {"deny to allow", s.GetDenyToAllow()},
		{"errors", s.GetErrors()}, {"timeouts", s.GetTimeouts()}, {"not asked", s.GetDropped()},
	} {
		shown.add(count.name, strconv.FormatInt(count.n, 10))
	}
}

func reportRevisions(list *adminv1.ListPolicyRevisionsResponse) *report {
	shown := &table{head: []string{"REVISION", "IN FORCE", "ORIGIN", "BY", "SINCE", "KEPT", "BYTES"}}
	r := &report{message: list, text: []body{shown}}
	for _, v := range list.GetRevisions() {
		inForce := ""
		switch {
		case v.GetInForce():
			inForce = "now"
		case v.GetRolledBackAt() != nil:
			inForce = "rolled back"
		}
		shown.rows = append(shown.rows, []string{v.GetRevision(), inForce, v.GetOrigin(), v.GetBy(),
			moment(v.GetInForceAt()), moment(v.GetKeptAt()), strconv.FormatInt(v.GetSize(), 10)})
		r.alone = append(r.alone, v.GetRevision())
	}
	return r
}

func reportChanged(p *adminv1.Policy) *report {
	text := fmt.Sprintf("the policy %s is in force", p.GetRevision())
	if p.GetPin() != nil {
		text += " until the policy's own files change"
	}
	return told(p, p.GetRevision(), "%s", text)
}
