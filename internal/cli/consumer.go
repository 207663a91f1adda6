package cli

import (
	"context"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newConsumer() *cobra.Command {
	cmd := group("consumer", "Create, change and end consumers")
	d := newDoor(cmd)
	cmd.AddCommand(newConsumerCreate(d), newConsumerList(d), newConsumerShow(d), newConsumerUpdate(d),
		newConsumerEnable(d), newConsumerDisable(d), newConsumerDelete(d))
	return cmd
}

// group is a command that others are below.
func group(name, short string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: needsCommand}
}

func newConsumerCreate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a consumer", Args: cobra.ExactArgs(1),
		Example: "  postern consumer create mobile-app --environment prod --role reader --label team=mobile",
	}
	var f consumerFlags
	f.bind(cmd)
	disabled := cmd.Flags().Bool("disabled", false, "none of its credentials counts until it is enabled")
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		c, err := f.consumer(args[0])
		if err != nil {
			return nil, err
		}
		enabled := !*disabled
		c.Enabled = &enabled
		made, err := api.CreateConsumer(cmd.Context(), &adminv1.CreateConsumerRequest{Consumer: c})
		return reportConsumer(made), err
	})
	return cmd
}

func newConsumerShow(d *door) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a consumer", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(consumerNames),
		RunE: d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
			found, err := api.GetConsumer(cmd.Context(), &adminv1.GetConsumerRequest{Name: args[0]})
			return reportConsumer(found), err
		}),
	}
}

func newConsumerList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List consumers by name", Args: cobra.NoArgs}
	var r adminv1.ListConsumersRequest
	flags := cmd.Flags()
	flags.StringVar(&r.Environment, "environment", "", "of this environment alone")
	flags.StringVar(&r.Prefix, "prefix", "", "whose name begins so, in any case")
	flags.StringVar(&r.Label, "label", "", "that have this label: NAME or NAME=VALUE")
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		return listConsumers(cmd.Context(), api, &r, *limit)
	})
	return cmd
}

func listConsumers(ctx context.Context, api adminv1.AdminClient, r *adminv1.ListConsumersRequest, limit int) (*report, error) {
	all, notes, err := gather(limit, func(size int32, token string) ([]*adminv1.Consumer, string, error) {
		r.PageSize, r.PageToken = size, token
		list, err := api.ListConsumers(ctx, r)
		return list.GetConsumers(), list.GetNextPageToken(), err
	})
	shown := &table{head: []string{"NAME", "ENVIRONMENT", "STATUS", "PLAN", "GROUPS", "ROLES", "CREATED"}}
	answer := &report{message: &adminv1.ListConsumersResponse{Consumers: all}, text: []body{shown}, notes: notes}
	for _, c := range all {
		shown.rows = append(shown.rows, []string{c.GetName(), c.GetEnvironment(), consumerStatus(c), c.GetPlan(),
			join(c.GetGroups()), join(c.GetRoles()), moment(c.GetCreatedAt())})
		answer.alone = append(answer.alone, c.GetName())
	}
	return answer, err
}

func consumerStatus(c *adminv1.Consumer) string {
	if c.GetEnabled() {
		return "enabled"
	}
	return "disabled"
}

func reportConsumer(c *adminv1.Consumer) *report {
	var r record
	r.add("Name", c.GetName())
	r.add("Display name", c.GetDisplayName())
	r.add("Environment", c.GetEnvironment())
	r.add("Status", consumerStatus(c))
	r.add("Labels", pairs(c.GetLabels()))
	r.add("Groups", join(c.GetGroups()))
	r.add("Roles", join(c.GetRoles()))
	r.add("Attributes", attributesText(c.GetAttributes()))
	r.add("Plan", c.GetPlan())
	r.constraints(c.GetConstraints())
	r.add("Grant", c.GetGrant())
	r.stamp(c)
	return &report{message: c, text: []body{r}, alone: []string{c.GetName()}}
}
