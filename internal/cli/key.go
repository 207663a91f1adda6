package cli

import (
	"time"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newKey() *cobra.Command {
	cmd := group("key", "Create, rotate and revoke API keys")
	d := newDoor(cmd)
	cmd.AddCommand(newKeyCreate(d), newKeyList(d), newCredentialShow(d, keyWords), newCredentialUpdate(d, keyWords),
		newKeyRotate(d), newCredentialRevoke(d, keyWords), newCredentialEnable(d, keyWords),
		newCredentialDisable(d, keyWords), newCredentialDelete(d, keyWords))
	return cmd
}

// shownOnce goes with every answer that has a key in it.
const shownOnce = "this is the only time that the key is shown"

func newKeyCreate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create --consumer NAME", Short: "Make a key for a consumer, and show it this once", Args: cobra.NoArgs,
		Example: "  postern key create --consumer mobile-app --scope orders:read --expires 90d\n" +
			"  KEY=$(postern key create --consumer mobile-app --quiet)",
	}
	var f credentialFlags
	f.bind(cmd)
	owner := ownerFlag(cmd, d)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		key := f.credential(time.Now())
		key.Id = f.id
		made, err := api.CreateKey(cmd.Context(), &adminv1.CreateKeyRequest{Consumer: *owner, Key: key})
		return reportKey(made), err
	})
	return cmd
}

// ownerFlag is the consumer that something is made for.
func ownerFlag(cmd *cobra.Command, d *door) *string {
	owner := cmd.Flags().String("consumer", "", "`name` of the consumer")
	_ = cmd.MarkFlagRequired("consumer") // the flag is there: it was made above
	_ = cmd.RegisterFlagCompletionFunc("consumer", d.complete(consumerNames))
	return owner
}

func newKeyRotate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Replace a key by a new one, and show that this once",
		Long: "Replace a key by a new one, with its scopes, constraints and label. The old key\n" +
			"counts until its grace ends, and never longer than it would have.",
		Example: "  postern key rotate 3Xk9TbQ2mZ8a --grace 7d",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: d.complete(keyIDs),
	}
	var grace span
	var expires expiry
	cmd.Flags().Var(&grace, "grace", "how long the old key still counts; left out: as configured, 30d by default; 0s: not at all")
	cmd.Flags().Var(&expires, "expires", "when the new key ends: 90d, or a time; left out: when the old one would have")
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		if expires.never {
			return nil, unasked(errNeverRotated)
		}
		made, err := api.RotateKey(cmd.Context(), &adminv1.RotateKeyRequest{
			Id: args[0], Grace: grace.text, ExpiresAt: expires.stamp(time.Now()), Version: *version,
		})
		return reportKey(made), err
	})
	return cmd
}

// reportKey shows a key that was just made.
func reportKey(c *adminv1.Credential) *report {
	r := reportCredential(c)
	r.alone, r.notes = []string{c.GetKey()}, []string{shownOnce}
	return r
}

func newKeyList(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List keys by id, with warnings of those that somebody should look after", Args: cobra.NoArgs,
		Example: "  postern key list --consumer mobile-app\n  postern key list --unused-for 180d --quiet",
	}
	var f credentialFilter
	f.bind(cmd, d)
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		all, notes, err := gather(*limit, func(size int32, token string) ([]*adminv1.Credential, string, error) {
			list, err := api.ListKeys(cmd.Context(), &adminv1.ListKeysRequest{
				Consumer: f.consumer, Prefix: f.prefix, Label: f.label,
				ExpiresWithin: f.expiresWithin.text, UnusedFor: f.unusedFor.text, PageSize: size, PageToken: token,
			})
			return list.GetKeys(), list.GetNextPageToken(), err
		})
		return reportCredentials(all, notes, &adminv1.ListKeysResponse{Keys: all}), err
	})
	return cmd
}
