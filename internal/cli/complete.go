package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/access"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// completion finds what a word that was begun may become.
type completion func(ctx context.Context, api adminv1.AdminClient, begun string) ([]string, error)

// Completing is a courtesy: it is short, and silent when it can't be had.
const (
	completionPatience = 2 * time.Second
	completionSize     = 100
)

// complete asks the instance what the first argument, or a flag's value, may
// be. It never opens a store: that would be more than a key press should do.
func (d *door) complete(c completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 || d.config != "" {
			return nil, nothing
		}
		token, err := d.adminToken(cmd)
		if err != nil {
			return nil, nothing
		}
		return names(cmd.Context(), c, d.address(), token, begun), nothing
	}
}

func names(ctx context.Context, c completion, server string, token access.Secret, begun string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	api, leave, err := dial(server, token, io.Discard)
	if err != nil {
		return nil
	}
	defer func() { _ = leave() }() // nothing was written
	found, err := c(ctx, api, begun)
	if err != nil {
		return nil
	}
	return found
}

func consumerNames(ctx context.Context, api adminv1.AdminClient, begun string) (names []string, err error) {
	list, err := api.ListConsumers(ctx, &adminv1.ListConsumersRequest{Prefix: begun, PageSize: completionSize})
	for _, c := range list.GetConsumers() {
		names = append(names, c.GetName())
	}
	return names, err
}

func applicationNames(ctx context.Context, api adminv1.AdminClient, _ string) (names []string, err error) {
	list, err := api.ListApplications(ctx, &adminv1.ListApplicationsRequest{PageSize: completionSize})
	for _, a := range list.GetApplications() {
		names = append(names, a.GetName())
	}
	return names, err
}

func planNames(ctx context.Context, api adminv1.AdminClient, _ string) (names []string, err error) {
	list, err := api.ListPlans(ctx, &adminv1.ListPlansRequest{PageSize: completionSize})
	for _, p := range list.GetPlans() {
		names = append(names, p.GetName())
	}
	return names, err
}

func grantIDs(ctx context.Context, api adminv1.AdminClient, _ string) (ids []string, err error) {
	list, err := api.ListGrants(ctx, &adminv1.ListGrantsRequest{PageSize: completionSize})
	for _, g := range list.GetGrants() {
		ids = append(ids, g.GetId()+"\t"+g.GetConsumer())
	}
	return ids, err
}

func keyIDs(ctx context.Context, api adminv1.AdminClient, _ string) ([]string, error) {
	list, err := api.ListKeys(ctx, &adminv1.ListKeysRequest{PageSize: completionSize})
	return idsOf(list.GetKeys()), err
}

func credentialIDs(ctx context.Context, api adminv1.AdminClient, _ string) ([]string, error) {
	list, err := api.ListCredentials(ctx, &adminv1.ListCredentialsRequest{PageSize: completionSize})
	return idsOf(list.GetCredentials()), err
}

// idsOf are ids with their consumers, which shells show beside them.
func idsOf(list []*adminv1.Credential) (ids []string) {
	for _, c := range list {
		ids = append(ids, c.GetId()+"\t"+c.GetConsumer())
	}
	return ids
}
