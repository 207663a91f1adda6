package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newCredentialUpdate(d *door, w words) *cobra.Command {
	cmd := w.on(d, "update", "Change a "+w.one+"'s label, scopes, constraints or expiry")
	var f credentialFlags
	f.bindSettings(cmd)
	version := versionFlag(cmd)
	changes(cmd, credentialFields)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c := f.credential(time.Now())
		c.Version = *version
		if f.half() {
			now, err := api.GetCredential(cmd.Context(), &adminv1.GetCredentialRequest{Id: args[0]})
			if err != nil {
				return nil, err
			}
			c.Constraints, c.Version = f.constraints(now.GetConstraints()), cmp.Or(*version, now.GetVersion())
		}
		made, err := api.UpdateCredential(cmd.Context(), &adminv1.UpdateCredentialRequest{
			Id: args[0], Credential: c, UpdateMask: mask(cmd, credentialFields),
		})
		return reportCredential(made), err
	})
	return cmd
}

func newCredentialEnable(d *door, w words) *cobra.Command {
	cmd := w.on(d, "enable", "Let a "+w.one+" count again")
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := api.EnableCredential(cmd.Context(), &adminv1.EnableCredentialRequest{Id: args[0], Version: *version})
		return told(c, c.GetId(), "%s %s is enabled", w.one, c.GetId()), err
	})
	return cmd
}

func newCredentialDisable(d *door, w words) *cobra.Command {
	cmd := w.on(d, "disable", "Let a "+w.one+" not count until it is enabled")
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := api.DisableCredential(cmd.Context(), &adminv1.DisableCredentialRequest{Id: args[0], Version: *version})
		return told(c, c.GetId(), "%s %s is disabled", w.one, c.GetId()), err
	})
	return cmd
}

func newCredentialDelete(d *door, w words) *cobra.Command {
	cmd := w.on(d, "delete", "Delete a "+w.one+"; to keep it in lists, with a reason, revoke it")
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		gone, err := api.DeleteCredential(cmd.Context(), &adminv1.DeleteCredentialRequest{Id: args[0], Version: *version})
		return told(gone, args[0], "%s %s is deleted", w.one, args[0]), err
	})
	return cmd
}

func newCredentialRevoke(d *door, w words) *cobra.Command {
	cmd := w.on(d, "revoke", "Revoke a "+w.one+" for good")
	cmd.Long = "Revoke a " + w.one + " for good. With --wait it returns when every running instance\n" +
		"refuses it, and names them; exit code 1 says that not all of them did in time."
	cmd.Example = "  postern " + w.one + " revoke 3Xk9TbQ2mZ8a --reason 'leaked in a log' --wait 2s"
	reason := cmd.Flags().String("reason", "", "why; it is kept with the "+w.one+" and in the audit records")
	var wait span
	cmd.Flags().Var(&wait, "wait", "wait so long for all running instances, at most 1m")
	_ = cmd.MarkFlagRequired("reason") // the flag is there: it was made above
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		made, err := api.RevokeCredential(cmd.Context(), &adminv1.RevokeCredentialRequest{Id: args[0], Reason: *reason, Wait: wait.text})
		return reportRevoked(w, made, wait.Duration > 0), err
	})
	return cmd
}

// reportRevoked tells who refuses it already. Only who waited for all of them
// takes less for a no.
func reportRevoked(w words, made *adminv1.RevokeCredentialResponse, waited bool) *report {
	receipt := made.GetReceipt()
	r := told(made, made.GetCredential().GetId(), "%s %s is revoked (sequence %d)", w.one, made.GetCredential().GetId(), receipt.GetSequence())
	shown := &table{head: []string{"INSTANCE", "NAME", "APPLIED", "REFUSES IT"}}
	late := 0
	for _, i := range receipt.GetInstances() {
		if !i.GetDone() {
			late++
		}
		shown.rows = append(shown.rows, []string{i.GetId(), i.GetName(), strconv.FormatInt(i.GetApplied(), 10), yesNo(i.GetDone())})
	}
	if len(shown.rows) == 0 {
		r.text = append(r.text, sentence("no instance is running"))
		return r
	}
	r.text = append(r.text, shown)
	if waited && !receipt.GetComplete() {
		r.negative = true
		r.notes = append(r.notes, fmt.Sprintf("%d of %d running instances have not acknowledged in time", late, len(shown.rows)))
	}
	return r
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "not yet"
}
