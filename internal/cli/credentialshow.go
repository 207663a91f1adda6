package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newCredentialShow(d *door, w words) *cobra.Command {
	cmd := w.on(d, "show", "Show a "+w.one+", but for what proves it")
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := api.GetCredential(cmd.Context(), &adminv1.GetCredentialRequest{Id: args[0]})
		r := reportCredential(c)
		r.notes = warnings(c)
		return r, err
	})
	return cmd
}

// reference is what may be shown of that by which a credential is found.
func reference(c *adminv1.Credential) string {
	switch {
	case c.GetLastFour() != "":
		return c.GetPrefix() + "…" + c.GetLastFour()
	case c.GetIssuer() != "":
		return c.GetIssuer() + ": " + c.GetValue()
	case c.GetType() == typeKey:
		return ""
	}
	return cmp.Or(c.GetKey(), c.GetUsername(), c.GetKeyId(), c.GetUriSan(), c.GetDnsSan(), c.GetSubject(), c.GetSha256())
}

// typeKey is the type of credentials whose key proves them.
const typeKey = "api_key"

// reportCredential shows a credential. An api_key has its key in the answer that
// made it alone.
func reportCredential(c *adminv1.Credential) *report {
	var r record
	r.add("ID", c.GetId())
	r.add("Consumer", c.GetConsumer())
	r.add("Type", c.GetType())
	if c.GetType() == typeKey {
		r.add("Key", c.GetKey())
	}
	r.add("Shown", reference(c))
	r.add("Algorithm", cmp.Or(c.GetAlgorithm(), join(c.GetAlgorithms())))
	r.add("Status", c.GetStatus())
	r.add("Label", c.GetLabel())
	r.add("Scopes", join(c.GetScopes()))
	r.constraints(c.GetConstraints())
	r.life(c)
	r.stamp(c)
	return &report{message: c, text: []body{r}, alone: []string{c.GetId()}}
}

// life adds when a credential ends and what came before and after it.
func (r *record) life(c *adminv1.Credential) {
	r.add("Expires", moment(c.GetExpiresAt()))
	r.add("Last used", moment(c.GetLastUsedAt()))
	r.add("Replaces", c.GetReplaces())
	r.add("Replaced by", c.GetReplacedBy())
	r.add("Revoked", moment(c.GetRevokedAt()))
	r.add("Reason", c.GetRevokedReason())
}
