package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newAudit() *cobra.Command {
	cmd := group("audit", "Read who changed what, and check that nobody changed that")
	d := newDoor(cmd)
	cmd.AddCommand(newAuditList(d), newAuditVerify(d))
	return cmd
}

func newAuditList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List audit records by number", Args: cobra.NoArgs}
	after := cmd.Flags().Int64("after", 0, "those after this number")
	target := cmd.Flags().String("target", "", "those about the thing of this name or id alone")
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		next := *after
		all, notes, err := gather(*limit, func(size int32, _ string) ([]*adminv1.AuditRecord, string, error) {
			list, err := api.ListAudit(cmd.Context(), &adminv1.ListAuditRequest{After: next, Limit: size, Target: *target})
			next = list.GetNextAfter()
			if next == 0 {
				return list.GetRecords(), "", err
			}
			return list.GetRecords(), strconv.FormatInt(next, 10), err
		})
		return reportAudit(all, notes), err
	})
	return cmd
}

func reportAudit(all []*adminv1.AuditRecord, notes []string) *report {
	shown := &table{head: []string{"NUMBER", "TIME", "AUTHOR", "ACTION", "KIND", "TARGET", "REASON"}}
	r := &report{message: &adminv1.ListAuditResponse{Records: all}, text: []body{shown}, notes: notes}
	for _, a := range all {
		author := a.GetAuthor().GetName()
		if address := a.GetAuthor().GetAddress(); address != "" {
			author += " from " + address
		}
		number := strconv.FormatInt(a.GetNumber(), 10)
		shown.rows = append(shown.rows, []string{number, moment(a.GetAt()), author, a.GetAction(), a.GetKind(), a.GetTarget(), a.GetReason()})
		r.alone = append(r.alone, number)
	}
	return r
}

func newAuditVerify(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Walk the whole chain of audit records", Args: cobra.NoArgs,
		Long: "Walk the whole chain of audit records. Exit code 0: each is as it was written;\n" +
			"1: one is not, or is not there, and it is named. Who may write to the database\n" +
			"can write a whole new chain: that shows only to who has kept the head that was\n" +
			"printed before, which is then not in the chain.",
	}
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		found, err := api.VerifyAudit(cmd.Context(), &adminv1.VerifyAuditRequest{})
		return reportVerified(found), err
	})
	return cmd
}

func reportVerified(v *adminv1.VerifyAuditResponse) *report {
	r := told(v, v.GetHead(), "%d audit records are in order; the head is %s", v.GetRecords(), v.GetHead())
	if !v.GetIntact() {
		r.negative = true
		r.notes = []string{fmt.Sprintf("audit record %d is broken: %s", v.GetBroken(), v.GetProblem())}
	}
	return r
}
