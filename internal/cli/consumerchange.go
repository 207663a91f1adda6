package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newConsumerUpdate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME", Short: "Change a consumer", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(consumerNames),
		Example: "  postern consumer update mobile-app --plan gold --role reader --role writer\n" +
			"  postern consumer update mobile-app --group \"\"",
	}
	var f consumerFlags
	f.bind(cmd)
	version := versionFlag(cmd)
	changes(cmd, consumerFields)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := f.consumer("")
		if err != nil {
			return nil, err
		}
		c.Version = *version
		if f.half() {
			now, err := api.GetConsumer(cmd.Context(), &adminv1.GetConsumerRequest{Name: args[0]})
			if err != nil {
				return nil, err
			}
			c.Constraints, c.Version = f.constraints(now.GetConstraints()), cmp.Or(*version, now.GetVersion())
		}
		made, err := api.UpdateConsumer(cmd.Context(), &adminv1.UpdateConsumerRequest{
			Name: args[0], Consumer: c, UpdateMask: mask(cmd, consumerFields),
		})
		return reportConsumer(made), err
	})
	return cmd
}

func newConsumerEnable(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "enable NAME", Short: "Let a consumer's credentials count again", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(consumerNames)}
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := api.EnableConsumer(cmd.Context(), &adminv1.EnableConsumerRequest{Name: args[0], Version: *version})
		return told(c, c.GetName(), "consumer %s is enabled", c.GetName()), err
	})
	return cmd
}

func newConsumerDisable(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "disable NAME", Short: "Let none of a consumer's credentials count until it is enabled", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(consumerNames)}
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := api.DisableConsumer(cmd.Context(), &adminv1.DisableConsumerRequest{Name: args[0], Version: *version})
		return told(c, c.GetName(), "consumer %s is disabled", c.GetName()), err
	})
	return cmd
}

func newConsumerDelete(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a consumer with all its credentials", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(consumerNames)}
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		gone, err := api.DeleteConsumer(cmd.Context(), &adminv1.DeleteConsumerRequest{Name: args[0], Version: *version})
		return told(gone, args[0], "consumer %s is deleted, with its credentials", args[0]), err
	})
	return cmd
}
